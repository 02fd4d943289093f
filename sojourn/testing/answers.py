"""What a shop's methods return: small frozen values that may be used at once or awaited first, as the test prefers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Self, TypeVar

from sojourn.language.durations import format_duration

T = TypeVar("T")


class Answer:
    """Something that is there already; awaiting it gives itself."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, Self]:
        """Return itself, at once."""
        return self
        yield  # what makes this a generator


class Answers(list[T], Answer, Generic[T]):
    """A list that is there already; awaiting it gives itself."""


class Done(Answer):
    """Nothing more to tell; awaiting it gives itself."""

    __slots__ = ()


class Truth(int, Answer):
    """Yes or no, there already; it equals True or False, and awaiting it gives itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(bool(self))


class Word(str, Answer):
    """A text that is there already; awaiting it gives itself."""

    __slots__ = ()


class Link(str):
    """Where a link of a message leads; `tracked` is the address that stands in the message."""

    tracked: str

    def __new__(cls, url: str, tracked: str) -> Self:
        """Make a link that reads as the address it leads to."""
        link = super().__new__(cls, url)
        link.tracked = tracked
        return link


class Line(str):
    """One line of a trail, such as `send cart_reminder`, with its because.

    Attributes:
        because: why.
        at: when.
        cursor: the step, by its way down the definition.
    """

    because: str
    at: datetime
    cursor: str

    def __new__(cls, did: str, because: str, at: datetime, cursor: str) -> Self:
        """Make a line that reads as what was done."""
        line = super().__new__(cls, did)
        line.because, line.at, line.cursor = because, at, cursor
        return line


@dataclass(frozen=True)
class Passed(Answer):
    """How far the clock was moved."""

    began: datetime
    now: datetime

    @property
    def duration(self) -> timedelta:
        """How much time passed."""
        return self.now - self.began

    def __repr__(self) -> str:
        return f"<{format_duration(self.duration)} passed; it is {self.now:%a %Y-%m-%d %H:%M:%S} UTC>"


@dataclass(frozen=True)
class Taken(Answer):
    """An event that was taken in; `new` is false for a message id that was known already."""

    message_id: str
    new: bool


@dataclass(frozen=True)
class Profile(Answer):
    """A person.

    Attributes:
        identifiers: kind and value of every name the outside has for them, user ids first.
        consents: the word that stands, by purpose.
        segments: those that they are in now.
    """

    id: str
    traits: Mapping[str, Any]
    zone: str | None
    locale: str | None
    first_seen: datetime
    last_seen: datetime
    identifiers: tuple[tuple[str, str], ...] = ()
    consents: Mapping[str, bool] = field(default_factory=dict)
    segments: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entry(Answer):
    """One walk of a person along a journey.

    Attributes:
        state: running or ended.
        outcome: how it ended; None while it runs.
        because: why it ended.
        trail: what was done, line by line; each is a text with `because`, `at` and `cursor`.
        variants: the variant of each send that has several, by the send's id.
    """

    id: str
    journey: str
    key: str
    state: str
    outcome: str | None
    because: str | None
    started_at: datetime
    ended_at: datetime | None
    trail: tuple[Line, ...] = ()
    variants: Mapping[str, str] = field(default_factory=dict)
    goal_at: datetime | None = None
    goal_value: float | None = None

    def __repr__(self) -> str:
        key = f"[{self.key}]" if self.key else ""
        ended = f"{self.outcome} ({self.because})" if self.because else self.outcome
        goal = "; goal reached" if self.goal_at else ""
        return f"<{self.journey}{key} {ended or 'running'}{goal}: {', '.join(self.trail) or 'not yet begun'}>"


@dataclass(frozen=True)
class Verdict:
    """What one check of the gate said: pass, suppress or hold."""

    check: str
    verdict: str
    because: str
    at: datetime


@dataclass(frozen=True)
class Send(Answer):
    """A message, sent or not.

    Attributes:
        key: the send's key.
        id: what the journey calls it.
        state: accepted where it arrived; suppressed, held, rejected … where it did not.
        reason: why it did not, or not yet.
        at: when it was accepted, else when it was made.
        links: where its links lead, in order; each is a text with `tracked`.
        verdicts: what each check of the gate said, in order.
    """

    key: str
    journey: str
    content: str
    id: str
    variant: str | None
    state: str
    reason: str | None
    at: datetime
    subject: str = ""
    text: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    links: tuple[Link, ...] = field(default=(), repr=False)
    verdicts: tuple[Verdict, ...] = field(default=(), repr=False)
    amp: str | None = field(default=None, repr=False)

    @property
    def arrived(self) -> bool:
        """Whether it is in the person's inbox."""
        return self.state == "accepted"

    def __repr__(self) -> str:
        named = self.content if self.id == self.content else f"{self.content} as {self.id}"
        variant = f" ({self.variant})" if self.variant else ""
        return f"<{named}{variant} {self.state}{f': {self.reason}' if self.reason else ''}; {self.subject!r}>"


@dataclass(frozen=True)
class Refusal(Answer):
    """A trigger that let nobody in, and why."""

    journey: str
    reason: str
    event: str
    at: datetime


@dataclass(frozen=True)
class Recipient(Answer):
    """Someone whom a broadcast goes to, and what came of it.

    Attributes:
        person: the name that the shop knows them by.
        state: what came of their message: accepted where it arrived; waiting while it is still to come; merged where
            another recipient is the same person; late where it was still held when the broadcast ended.
        reason: why it did not arrive, or not yet.
        due: while it waits: when it is their turn.
        at: when it was accepted.
        send: their message; None while their turn has not come.
    """

    person: str
    state: str
    reason: str | None = None
    due: datetime | None = None
    at: datetime | None = None
    send: Send | None = field(default=None, repr=False)

    @property
    def arrived(self) -> bool:
        """Whether the message is in the person's inbox."""
        return self.state == "accepted"


@dataclass(frozen=True)
class Broadcast(Answer):
    """A broadcast, and how far it is.

    Attributes:
        state: scheduled, gathering, running, paused, stopped or done.
        begins_at: when it begins for those for whom it begins first; recipients are written down then.
        ends_at: nothing is sent after.
        because: why it was paused or stopped.
        recipients: whom it goes to, by name.
        left_out: by name, who is no recipient, and why `to` did not hold for them when recipients were written down.
    """

    name: str
    state: str
    begins_at: datetime
    ends_at: datetime
    because: str | None = None
    recipients: Mapping[str, Recipient] = field(default_factory=dict, repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def arrived(self) -> list[str]:
        """Who got it, in the order in which they did."""
        got = [(one.at, name) for name, one in self.recipients.items() if one.arrived and one.at is not None]
        return [name for _, name in sorted(got)]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many recipients there are, by what came of them."""
        return Counter(one.state for one in self.recipients.values())

    def __repr__(self) -> str:
        came = ", ".join(f"{count} {state}" for state, count in sorted(self.counts.items())) or "nobody yet"
        return f"<{self.name} {self.state}{f' ({self.because})' if self.because else ''}: {came}>"
