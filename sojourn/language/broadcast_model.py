"""What a broadcast may say: one content to everyone for whom a condition holds, once, at a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

from pydantic import Field, field_validator

from sojourn.language.durations import parse_duration
from sojourn.language.model import ConditionText, DurationText, Journey, Model, Name, Text
from sojourn.language.moments import local_instant

AT = r"^\d{4}-\d{2}-\d{2} ([01]\d|2[0-3]):[0-5]\d$"
_THROTTLE = re.compile(r"^(\d{1,9}) per (second|minute|hour)$")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
TRIGGER = "Broadcast Sent"  # what its messages call the event that brought them about


class Broadcast(Model):
    """A broadcast as checked in."""

    broadcast: Name = Field(description="the broadcast's name; no journey may have the same")
    owner: Text | None = Field(default=None, description="who answers for it")
    purpose: Name = Field(default="marketing", description="the consent that its messages need; purposes stand in shop.yaml")
    topic: Name | None = Field(default=None, description="what people choose on their preference page; topics stand in shop.yaml")
    priority: int = Field(default=30, ge=0, le=100, description="who goes first when messages compete; 100 is first")
    description: Text = Field(description="what it says, to whom and why, for people")
    to: ConditionText = Field(description="who gets it, as of the moment at which people are gathered, such as segment.loyal")
    content: Name = Field(description="the content to send: a file's name in content/, without .mjml")
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with", description="values for the content, such as {discount_percent: 10}")
    variants: dict[Name, int] | None = Field(default=None, description="each variant's share, such as {plain: 50, playful: 50}")
    at: str = Field(pattern=AT, description="the local time at which it begins, such as 2026-12-01 09:00")
    zone: Literal["shop", "person"] = Field(default="shop", description="whose local time `at` is: the shop's, or each person's own")
    throttle: str | None = Field(default=None, pattern=_THROTTLE.pattern, description="how many messages at most, such as 20000 per hour")
    stop_after: DurationText = Field(
        default="1d", description="how long after its last local beginning it may still send; whoever was held until then gets nothing"
    )
    holdout: str | None = Field(default=None, pattern=r"^\d{1,2}(\.\d+)?%$", description="the share that is never sent to, such as 10%")
    send_between: str | None = Field(
        default=None,
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="the person's local hours in which it may send, such as 09:00-20:00",
    )

    @field_validator("at")
    @classmethod
    def _is_moment(cls, text: str) -> str:
        datetime.fromisoformat(text)
        return text

    @field_validator("stop_after")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @property
    def name(self) -> str:
        """The broadcast's name."""
        return self.broadcast

    @property
    def per_second(self) -> float | None:
        """How many messages a second at most; None where it is not throttled."""
        found = _THROTTLE.match(self.throttle or "")
        return None if found is None else int(found[1]) / _SECONDS[found[2]]

    def begins(self, zone: tzinfo) -> datetime:
        """Return the moment at which it begins for people of a zone; a local time that a change of clocks leaves out comes later."""
        local = datetime.fromisoformat(self.at)
        return local_instant(local.date(), local.time(), zone).astimezone(UTC)

    def ends(self, last: datetime) -> datetime:
        """Return the moment after which nothing is sent any more.

        Args:
            last: when it begins for those for whom it begins last.
        """
        return last + self.patience

    @property
    def patience(self) -> timedelta:
        """How long it may go on after it has begun for everyone."""
        return parse_duration(self.stop_after)

    def as_journey(self) -> Journey:
        """Return the journey of one recipient: one send, through the same gate and ledger as any other."""
        send = {"send": self.content, "with": self.with_, "variants": self.variants}
        return Journey.model_validate(
            {
                "journey": self.broadcast, "owner": self.owner, "purpose": self.purpose, "topic": self.topic, "priority": self.priority,
                "description": self.description, "enter": {"on": TRIGGER}, "holdout": self.holdout, "send_between": self.send_between,
                "steps": [{name: value for name, value in send.items() if value}, {"end": "done"}],
            }
        )  # fmt: skip
