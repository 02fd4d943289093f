"""Which of a person's words about a purpose stands, and which yes waits for the person's confirmation. A pure decision.

**Deeds and states.** A deed is what the reader did: an unsubscribe, a choice on the preference page, a complaint, a form
(`Subscribed`), a confirmed link. A state is what something repeats about the reader: the trait `consent`, a banner's
`context.consent`, a column of an import.

**Deeds first.** The latest deed stands, whatever any state says. One thing only ends a yes by deed without another deed: a state that
turns to no after it, for it was heard to say yes. A no that was there before, or whose yes was never heard, is stale.

**A repeated state is no new word.** What repeats it is its stream: the trait, the import, or one browser's banner. Of a stream it is kept
since when and until when it said yes and no. Without any deed the state stands that turned last.

**Of two words at one moment the no stands**: someone who unsubscribes on a page whose banner still says yes has unsubscribed.

**A yes that waits** grants nothing: one that double opt-in asks to confirm, and a state that turned to yes after a no by deed.
A yes without a date outweighs no no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

UNDATED = "undated"  # the stream of a yes of which nobody knows when it was said
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Consent:
    """A row of consent: what a send stands on, or falls by.

    Attributes:
        id: of its row.
        purpose: what it is about.
        granted: yes or no; a yes that waits to be confirmed is none yet.
        at: when it was said; of a state, when it was first.
        source: where it was said.
        wording: the version of the text that was agreed to.
        own: it is a deed of the reader; else a state.
        pending: a yes that waits to be confirmed.
        stream: of a state, what repeats it, where that is not its source.
        until: when it was repeated last.
    """

    id: str
    purpose: str
    granted: bool
    at: datetime
    source: str
    wording: str | None = None
    own: bool = False
    pending: bool = False
    stream: str | None = None
    until: datetime | None = field(default=None, compare=False)

    @property
    def last(self) -> datetime:
        """When it was said last."""
        return self.until or self.at


@dataclass(frozen=True)
class Standing:
    """How a person's consent to a purpose stands.

    Attributes:
        word: the word that stands; None where nothing was said that counts.
        waits: the yes that waits for the person's confirmation.
        deed: the person's last deed about it.
    """

    word: Consent | None = None
    waits: Consent | None = None
    deed: Consent | None = None

    @property
    def granted(self) -> bool:
        """Whether it is a yes."""
        return self.word is not None and self.word.granted


def standing_of(words: Iterable[Consent]) -> Standing:
    """Return how a person's consent to one purpose stands.

    Args:
        words: all that was said about it under any of the person's profile ids, in any order.
    """
    said = list(words)
    deed = max((word for word in said if word.own and not word.pending), key=_later, default=None)
    streams = _streams(said)
    word = _by_state(streams) if deed is None else deed
    if deed is not None and deed.granted:
        before = max((word.last for word in said if word.own and not word.granted and not word.pending), default=_BEFORE_ALL)
        taken_back = [found for stream in streams if (found := stream.no_after(deed, before)) is not None]
        word = max(taken_back, key=lambda pair: (pair[0], _name(pair[1])))[1] if taken_back else deed
    waits = None if word is not None and word.granted else _waiting(said, deed, streams)
    return Standing(word, waits, deed)


def _later(word: Consent) -> tuple[datetime, bool, tuple[str, ...]]:
    return word.last, not word.granted, _name(word)


def _name(word: Consent) -> tuple[str, ...]:
    """Return what decides between words of one moment: an id last, for that of a state differs by the order in which people were met."""
    return word.source, word.stream or "", word.id


def _by_state(streams: Iterable[_Stream]) -> Consent | None:
    """Return the state that turned last."""
    found = [(at, word) for stream in streams for at, word in stream.now() if not word.pending]
    return max(found, key=lambda pair: (pair[0], not pair[1].granted, _name(pair[1])))[1] if found else None


def _waiting(said: Iterable[Consent], deed: Consent | None, streams: Sequence[_Stream]) -> Consent | None:
    """Return the yes that waits for a confirmation; None where none does, or a no came after it."""
    asked = max((word for word in said if word.own and word.pending), key=_later, default=None)
    if asked is not None and (deed is None or deed.last < asked.last):
        return None if any(stream.no_after(asked) for stream in streams) else asked
    found = [(at, word) for stream in streams for at, word in stream.now() if _asks(stream, at, word, deed)]
    if not found:
        return None
    latest, word = max(found, key=lambda pair: (pair[0], _name(pair[1])))
    refused = any(at >= latest for stream in streams for at, no in stream.now() if not (no.granted or no.pending))
    return None if refused else word


def _asks(stream: _Stream, at: datetime, word: Consent, deed: Consent | None) -> bool:
    """Tell whether a state is a yes that has to be confirmed: after a deed only one that turned from no to yes since."""
    if deed is None:
        return word.pending
    return (word.pending or word.granted) and bool(stream.no) and at > deed.last


@dataclass
class _Stream:
    """What one stream said: yes, a yes that waits, and no; each a list of one word, or empty where it never said that."""

    yes: list[Consent] = field(default_factory=list)
    waits: list[Consent] = field(default_factory=list)
    no: list[Consent] = field(default_factory=list)

    def now(self) -> list[tuple[datetime, Consent]]:
        """Return what the stream says now, and when it turned to it, as far as that is known; nothing where it said nothing."""
        said, (no_first, no_last) = [*self.yes, *self.waits], _extent(self.no)
        yes_first, yes_last = _extent(said)
        if yes_last > no_last:
            (word,) = [one for one in self.yes if one.last > no_last] or self.waits
            return [(_BEFORE_ALL if word.stream == UNDATED else max(yes_first, no_last), word)]
        if not self.no:
            return []
        return [(no_first if no_first > yes_last else no_last, self.no[0])]

    def no_after(self, yes: Consent, refused: datetime = _BEFORE_ALL) -> tuple[datetime, Consent] | None:
        """Return the no to which the stream turned after a yes by deed; None where it did not, or only follows what was said before.

        Args:
            yes: the deed.
            refused: the last no by deed before it: a stream that said yes last before that may only have heard of it late.
        """
        if not (self.yes or self.waits) or not self.no:
            return None
        _, yes_last = _extent([*self.yes, *self.waits])
        no_first, no_last = _extent(self.no)
        turned = no_last >= yes_last and no_last >= yes.at and (yes_last >= yes.at or (no_first >= yes.at and yes_last > refused))
        return (no_last, self.no[0]) if turned else None


def _streams(said: Iterable[Consent]) -> list[_Stream]:
    found: dict[str, _Stream] = {}
    for word in said:
        if not word.own:
            stream = found.setdefault(word.stream or word.source, _Stream())
            (stream.waits if word.pending else stream.yes if word.granted else stream.no).append(word)
    return [_Stream(_whole(one.yes), _whole(one.waits), _whole(one.no)) for one in found.values()]


def _whole(rows: list[Consent]) -> list[Consent]:
    """Return as one word what a stream answered under several profile ids that turned out to be one person's."""
    if len(rows) < 2:
        return rows
    first, _ = _extent(rows)
    return [replace(max(rows, key=lambda one: (one.last, _name(one))), at=first)]


def _extent(words: Sequence[Consent]) -> tuple[datetime, datetime]:
    """Return when words were said first and last; before all time where there are none."""
    return min((one.at for one in words), default=_BEFORE_ALL), max((one.last for one in words), default=_BEFORE_ALL)
