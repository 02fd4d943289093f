"""What a shop's methods return: small frozen values that may be used at once or awaited first, as the test prefers."""

from __future__ import annotations

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
