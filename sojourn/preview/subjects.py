"""For whom a message is previewed: a persona, a person of the store, or nobody but the content's own sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from sojourn.content.sample import NOW
from sojourn.customers import profiles
from sojourn.customers.history import StoredHistory
from sojourn.customers.segments.lists import StoredLists
from sojourn.errors import NotFound
from sojourn.language.conditions import EventFact, History
from sojourn.language.conditions.facts import ListHistory, NoHistory
from sojourn.language.durations import parse_duration
from sojourn.language.moments import zone_named
from sojourn.language.persona_model import Persona

SOMEONE = "someone@preview.invalid"


class Kind(StrEnum):
    """What a subject is."""

    SAMPLE = "sample"
    PERSONA = "persona"
    PERSON = "person"


@dataclass(frozen=True)
class Subject:
    """For whom.

    Attributes:
        name: what pages and files call it.
        event: what is given of the event that brings the message about; None: it is looked for in the history.
        segments: memberships that are given.
        scores: scores that are given.
        listed: the kept lists that the person is on.
    """

    name: str
    kind: Kind
    description: str = ""
    traits: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] | None = None
    history: History = field(default_factory=NoHistory)
    segments: Mapping[str, bool] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    listed: Any = frozenset()
    now: datetime = NOW
    zone: str | None = None
    locale: str | None = None

    @property
    def address(self) -> str:
        """The address that the message goes to."""
        return str(self.traits.get("email") or SOMEONE)

    @property
    def called(self) -> str | None:
        """The name that stands beside the address, as a journey has it."""
        name = self.traits.get("first_name")
        return name if isinstance(name, str) else None

    def told(self) -> str:
        """Return it in words."""
        return "the content's own sample" if self.kind is Kind.SAMPLE else f"{self.kind} {self.name}"


SAMPLE = Subject("sample", Kind.SAMPLE, "what the content gives as its sample")


def of_persona(persona: Persona, zone: str) -> Subject:
    """Return a persona as a subject.

    Args:
        persona: its definition.
        zone: the shop's, for a persona without one.
    """
    now = NOW
    if persona.now is not None:
        now = datetime.fromisoformat(persona.now)
        now = (now if now.tzinfo else now.replace(tzinfo=zone_named(persona.zone or zone))).astimezone(UTC)
    past = [EventFact(each.event, now - parse_duration(each.ago), dict(each.properties)) for each in persona.history]
    return Subject(
        name=persona.persona, kind=Kind.PERSONA, description=" ".join(persona.description.split()), traits=persona.profile,
        event=persona.event or None, history=ListHistory(sorted(past, key=lambda one: one.time)), segments=persona.segments,
        scores=persona.scores, now=now, zone=persona.zone, locale=persona.locale,
    )  # fmt: skip


def of_person(connection: Connection, reference: str, now: datetime) -> Subject:
    """Return a person of the store as a subject; it reads, within the connection's transaction, and writes nothing.

    Args:
        connection: for as long as the subject is used, since a history is asked when it is needed.
        reference: any identifier, or a profile id.
        now: the shop's moment.

    Raises:
        NotFound: there is no such person.
    """
    found = profiles.find(connection, reference)
    if found is None:
        raise NotFound("there is no such person; name a user id, an anonymous id, another identifier as kind:value, or a profile id")
    person = profiles.load(connection, found)
    return Subject(
        name=reference, kind=Kind.PERSON, traits=person.traits, history=StoredHistory(connection, person.id),
        listed=StoredLists(connection, person.id), now=now, zone=person.zone, locale=person.locale,
    )  # fmt: skip
