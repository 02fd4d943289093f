"""What the events of a batch say about consent: kept, and with it what follows, which is who withdrew and which address refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from sojourn.customers import consent, suppression
from sojourn.customers.consent import Consent, Said, Standing, standing_of
from sojourn.customers.consent_standing import UNDATED
from sojourn.intake.envelope import Envelope
from sojourn.language.identity_rules import EMAIL
from sojourn.store.tables import identifiers, profiles

_ADDRESSES = select(identifiers.c.value).where(identifiers.c.profile_id == bindparam("person"), identifiers.c.kind == EMAIL)
_TRAITS = select(profiles.c.traits).where(profiles.c.id == bindparam("person"))
_STANDING = Standing()
Key = tuple[str, str]  # a profile id and a purpose


@dataclass(frozen=True)
class Asked:
    """A yes that waits from now on, of which its owner is to be asked once."""

    profile_id: str
    origin_id: str
    word: Consent
    deed: Consent | None


class Agreements:
    """The words of a batch, heard in order.

    Args:
        connection: of a writing transaction.
        confirmed: purposes whose consent counts only once it was confirmed.
        spoken: whose words are heard, each with what was said.
        besides: of whom the standing will be asked beside.
    """

    def __init__(
        self, connection: Connection, confirmed: frozenset[str], spoken: Iterable[tuple[str, Sequence[Said]]], besides: Collection[str]
    ) -> None:
        self._connection, self._confirmed = connection, confirmed
        self._rows: list[dict[str, Any]] = []
        self.asked: list[Asked] = []
        self._judged = {owner for owner, words in spoken if any(not word.granted or word.purpose in confirmed for word in words)}
        self._judged.update(besides)
        self._words = consent.words_of(connection, self._judged) if self._judged else {}

    def hear(self, envelope: Envelope, owner: str, origin: str | None, words: Sequence[Said]) -> frozenset[str]:
        """Keep what an event says, and return to which purposes it said no that stand at no by now."""
        withdrawn = set()
        for said in words:
            waits = said.granted and said.purpose in self._confirmed and said.stream != UNDATED
            row = consent.consent_row(owner, said, envelope.time, envelope.message_id, origin, pending=waits)
            self._rows.append(row)
            key = (owner, said.purpose)
            before = self._standing(key) if waits else _STANDING
            if owner in self._judged:
                self._words.setdefault(key, []).append(_word(row))
            if said.granted and not waits:
                continue
            after = self._standing(key)
            if not said.granted and not after.granted:
                withdrawn.add(said.purpose)
            if waits and after.waits is not None and (before.waits is None or said.own):
                self.asked.append(Asked(owner, origin or owner, _word(row), after.deed))
        return frozenset(withdrawn)

    def withdrawn(self, owner: str, words: Sequence[Said]) -> frozenset[str]:
        """Return to which purposes an event said no that was absorbed before, where they stand at no."""
        return frozenset(said.purpose for said in words if not said.granted and not self._standing((owner, said.purpose)).granted)

    def write(self, moved: Iterable[tuple[str, Any, str]], secret: str) -> None:
        """Write all that was said, and keep which addresses refused.

        Args:
            moved: whose address became another: the person, the address before and the one now.
            secret: the key under which addresses are kept; without it none is.
        """
        consent.record_all(self._connection, self._rows)
        if not secret:
            return
        for row in self._rows:
            if row["own"] and not row["granted"] and not row["pending"]:
                for address in self._addresses(row["profile_id"]):
                    suppression.refuse(self._connection, secret, address, row["purpose"], row["at"])
        for owner, before, now in moved:
            self._follow(owner, before, now, secret)

    def _follow(self, owner: str, before: Any, now: str, secret: str) -> None:
        """Let what a person refused hold for their new address too."""
        for (person, purpose), _ in list(self._words.items()):
            deed = self._standing((person, purpose)).deed if person == owner else None
            if deed is not None and not deed.granted:
                suppression.refuse(self._connection, secret, now, purpose, deed.last)
        listed = suppression.look(self._connection, secret, before) if isinstance(before, str) and before else None
        if listed is not None and listed.marketing_only:
            suppression.suppress(self._connection, secret, now, "complaint" if listed.reason == "complaint" else "unsubscribed", listed.at)

    def _addresses(self, person: str) -> set[str]:
        found = set(self._connection.execute(_ADDRESSES, {"person": person}).scalars())
        current = self._connection.execute(_TRAITS, {"person": person}).scalar_one().get(EMAIL)
        return found | {current} if isinstance(current, str) and current else found

    def _standing(self, key: Key) -> Standing:
        words = self._words.get(key)
        return standing_of(words) if words else _STANDING


def _word(row: dict[str, Any]) -> Consent:
    at: datetime = row["at"]
    return Consent(
        row["id"], row["purpose"], row["granted"], at, row["source"], row["wording"], row["own"], row["pending"], row["stream"],
        row["again_at"],
    )  # fmt: skip
