"""What a persona and a seed list may say: for whom messages are previewed, and to whom tests of them go."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, field_validator

from sojourn.language.durations import parse_duration
from sojourn.language.model import DurationText, EventName, Model, Name, Text
from sojourn.language.moments import zone_named
from sojourn.language.shop import Address, Line

LOCALE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"


class Past(Model):
    """An event of a persona's past."""

    event: EventName
    ago: DurationText = Field(description="how long before `now`, such as 3d")
    properties: dict[str, Any] = Field(default_factory=dict, description="what the event says")

    @field_validator("ago")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text


class Persona(Model):
    """A made-up person, as an example's `given` describes one, for whom messages are previewed."""

    persona: Name = Field(description="the persona's name")
    description: Text = Field(description="who this is, for people")
    profile: dict[Name, Any] = Field(default_factory=dict, description="traits, such as {first_name: Ada}")
    segments: dict[Name, bool] = Field(
        default_factory=dict, description="memberships, true or false; a segment that is left out is decided by its own condition"
    )
    scores: dict[Name, float] = Field(default_factory=dict, description="scores; a model that is left out is asked")
    event: dict[str, Any] = Field(
        default_factory=dict, description="properties of the event that brings a message about; default: as in the content's `sample`"
    )
    history: tuple[Past, ...] = Field(default=(), max_length=1000, description="events of the past: {event: Order Completed, ago: 3d}")
    now: str | None = Field(
        default=None, description="the moment, such as 2026-01-05T10:00, in the persona's zone; default: a Monday morning"
    )
    zone: str | None = Field(default=None, description="the persona's time zone, such as Europe/Vienna; default: the shop's")
    locale: str | None = Field(default=None, pattern=LOCALE, description="the persona's locale, such as de-AT; default: the shop's")

    @field_validator("now")
    @classmethod
    def _is_moment(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                datetime.fromisoformat(text)
            except ValueError:
                raise ValueError("not a moment; write one such as 2026-01-05T09:00") from None
        return text

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, text: str | None) -> str | None:
        if text is not None:
            zone_named(text)
        return text


class Seed(Model):
    """An address that gets tests."""

    address: Address = Field(description="the address")
    name: Line | None = Field(default=None, description="whose it is")


class SeedList(Model):
    """The addresses that `sojourn seed` sends tests to."""

    seeds: tuple[Address | Seed, ...] = Field(min_length=1, max_length=200, description="addresses, or {address: …, name: …}")

    def all(self) -> tuple[Seed, ...]:
        """Return the seeds, each with its address, in the order of the file."""
        return tuple(seed if isinstance(seed, Seed) else Seed(address=seed) for seed in self.seeds)
