"""What holds for the whole shop: `journeys/shop.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from sojourn.language.durations import parse_duration
from sojourn.language.model import DurationText, Model, Name, Text
from sojourn.language.moments import Hours, zone_named

TRANSACTIONAL = "transactional"
Undeclared = Literal["accept", "flag", "quarantine"]
Address = Annotated[str, Field(max_length=254, pattern=r"^[^@\s<>,;:\"\\\x00-\x1f]+@[^@\s<>,;:\"\\\x00-\x1f]+$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Sender(Model):
    """Whom messages are from."""

    name: Line = Field(description="the name that an inbox shows")
    address: Address = Field(description="the address that messages are from")


class Cap(Model):
    """At most so many messages to one person in a rolling window; transactional ones neither count nor wait."""

    max: int = Field(ge=1, le=1000, description="how many messages at most")
    within: DurationText = Field(description="the rolling window, such as 7d")
    purpose: Name | None = Field(default=None, description="count only messages of this purpose; left out: all but transactional")

    @field_validator("within")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text


class ConsentRule(Model):
    """Whether messages of a purpose need the person's consent."""

    required: bool = Field(default=True, description="true: no message without a recorded consent")
    description: Text | None = Field(default=None, description="what people consent to, in their words")


class ShopSettings(Model):
    """The shop: who it is, when it may write and how often."""

    name: Line = Field(description="the shop's name, as its customers know it")
    url: str | None = Field(
        default=None, pattern=r"^https?://[^\s/]+(/[^\s]*[^\s/])?$", description="the shop's address on the web, no slash at its end"
    )
    sender: Sender = Field(description="name and address that messages are from")
    reply_to: Address | None = Field(default=None, description="where answers go; left out: the sender")
    postal_address: Text = Field(description="the postal address that commercial mail has to carry")
    zone: str = Field(default="UTC", description="time zone of people whose own is unknown, such as Europe/Berlin")
    locale: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", description="language and region, such as en-GB")
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$", description="the currency of amounts that name none")
    quiet_hours: str | None = Field(default=None, description="hours in which nothing is sent, in the person's zone, such as 21:00-08:00")
    caps: tuple[Cap, ...] = Field(default=(), description="how many messages a person gets at most; every line holds")
    consent: dict[Name, ConsentRule] = Field(
        default_factory=lambda: {"marketing": ConsentRule()},
        description="the purposes that journeys may have, and which need consent; transactional never does",
    )

    undeclared_events: Undeclared = Field(
        default="accept", description="what becomes of an event that events/ does not declare: accept, flag or quarantine"
    )

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, text: str) -> str:
        zone_named(text)
        return text

    @field_validator("quiet_hours")
    @classmethod
    def _is_hours(cls, text: str | None) -> str | None:
        if text is not None:
            Hours.parse(text)
        return text

    @field_validator("consent")
    @classmethod
    def _transactional_is_free(cls, rules: dict[str, ConsentRule]) -> dict[str, ConsentRule]:
        if TRANSACTIONAL in rules and rules[TRANSACTIONAL].required:
            raise ValueError("transactional messages never need consent; leave `transactional` out or set required: false")
        return rules

    def purposes(self) -> set[str]:
        """Return the purposes that a journey may name."""
        return {*self.consent, TRANSACTIONAL}

    def needs_consent(self, purpose: str) -> bool:
        """Tell whether messages of a purpose need a recorded consent; those of an unlisted purpose do."""
        if purpose == TRANSACTIONAL:
            return False
        rule = self.consent.get(purpose)
        return rule is None or rule.required

    def quiet(self) -> Hours | None:
        """Return the hours in which nothing is sent."""
        return Hours.parse(self.quiet_hours) if self.quiet_hours is not None else None
