"""What holds for the whole shop: `journeys/shop.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from sojourn.language import email_address
from sojourn.language.durations import parse_duration
from sojourn.language.model import DurationText, Model, Name, Text
from sojourn.language.moments import Hours, zone_named

TRANSACTIONAL = "transactional"
Undeclared = Literal["accept", "flag", "quarantine"]


def _can_be_written(text: str) -> str:
    problem = email_address.problem(text)
    if problem not in (None, email_address.RESERVED) or "@[" in text:
        raise ValueError(problem or "an address needs a domain, such as shop.example")
    return text


Address = Annotated[
    str, Field(max_length=254, pattern=r"^[^@\s<>,;:\"\\\x00-\x1f]+@[^@\s<>,;:\"\\\x00-\x1f]+$"), AfterValidator(_can_be_written)
]
Percent = Annotated[str, Field(pattern=r"^\d{1,2}(\.\d+)?%$", description="a share, such as 0.3%")]
WhenCapped = Annotated[
    str,
    Field(
        pattern=r"^(skip|hold up to \d+(\.\d+)?\s*[smhdw](\s+\d+(\.\d+)?\s*[smhdw])*)$",
        description="skip: the journey goes on without the message; `hold up to 2d`: it waits for room, and so long at most",
    ),
]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Sender(Model):
    """Whom messages are from."""

    name: Line = Field(description="the name that an inbox shows")
    address: Address = Field(description="the address that messages are from")


MAILBOX: Literal["mailbox"] = "mailbox"


class Cap(Model):
    """At most so many messages to one person in a window; transactional ones neither count nor wait."""

    max: int = Field(ge=1, le=1000, description="how many messages at most")
    within: DurationText | None = Field(default=None, description="a rolling window, such as 7d; this or `per`")
    per: Literal["day", "week", "month"] | None = Field(
        default=None, description="a calendar window in the person's zone: day, week (from Monday) or month; this or `within`"
    )
    purpose: Name | None = Field(default=None, description="count only messages of this purpose; default: all but transactional")
    topic: Name | None = Field(default=None, description="count only messages of this topic")
    journey: Name | None = Field(default=None, description="count only messages of this journey")
    channel: Literal["email"] | None = Field(default=None, description="count only messages of this channel; there is one yet: email")
    when_capped: WhenCapped = "skip"

    @field_validator("within")
    @classmethod
    def _is_duration(cls, text: str | None) -> str | None:
        if text is not None:
            parse_duration(text)
        return text

    @model_validator(mode="after")
    def _has_one_window(self) -> Cap:
        if (self.within is None) == (self.per is None):
            raise ValueError("a cap needs one window: `within: 7d` (rolling) or `per: week` (of the calendar)")
        return self


class Topic(Model):
    """Something that people choose to get or not, on their preference page."""

    title: Line = Field(description="what the preference page calls it")
    description: Text | None = Field(default=None, description="what comes of it and how often, for its readers")
    purpose: Name = Field(default="marketing", description="the consent that it needs beside")
    default: Literal["in", "out"] = Field(default="in", description="whether those get it who have not chosen: in or out")


class ConsentRule(Model):
    """Whether messages of a purpose need the person's consent."""

    required: bool = Field(default=True, description="true: no message without a recorded consent")
    double_opt_in: bool = Field(
        default=False, description="true: a consent counts once it was confirmed by a link in a message (`Consent Requested` asks for one)"
    )
    wording: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="the version of the words that people agree to, such as 2026-01; kept with each confirmation"
    )
    description: Text | None = Field(default=None, description="what people consent to, in their words")

    @model_validator(mode="after")
    def _confirms_what_is_needed(self) -> ConsentRule:
        if self.double_opt_in and not self.required:
            raise ValueError("`double_opt_in` confirms a consent that is needed; set required: true, or leave it out")
        return self


def share(text: str) -> float:
    """Return a percentage such as `0.3%` as a share of one."""
    return float(text.rstrip("%")) / 100


class BrakeRule(Model):
    """When a share of bad answers raises an alarm, and when it halts."""

    alarm: Percent = Field(description="from this share on it is said, such as 0.1%")
    halt: Percent = Field(description="from this share on the journey is halted, such as 0.3%")

    @model_validator(mode="after")
    def _in_order(self) -> BrakeRule:
        if not 0 < share(self.alarm) <= share(self.halt):
            raise ValueError("`alarm` has to be more than 0% and not above `halt`")
        return self


class Brakes(Model):
    """When a journey, or the whole shop, is halted by itself: too many complaints or bounces."""

    complaints: BrakeRule = Field(
        default_factory=lambda: BrakeRule(alarm="0.1%", halt="0.3%"), description="messages marked as spam, of those accepted"
    )
    bounces: BrakeRule = Field(default_factory=lambda: BrakeRule(alarm="2%", halt="5%"), description="hard bounces, of messages accepted")
    within: DurationText = Field(default="24h", description="the rolling window that is looked at")
    at_least: int = Field(default=200, ge=1, le=1_000_000, description="with fewer messages in the window nothing is halted")

    @field_validator("within")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text


Host = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$",
        description="a host, such as api.shop.example",
    ),
]


class Connected(Model):
    """Other services that contents and `call` steps may ask."""

    hosts: tuple[Host, ...] = Field(default=(), max_length=100, description="the hosts, each written out; no other is ever asked")


class Pictures(Model):
    """Whose pictures messages may show, beside the shop's own."""

    hosts: tuple[Host, ...] = Field(
        default=(), max_length=100, description="hosts of pictures that events and profiles may name, each written out"
    )


class ShopSettings(Model):
    """The shop: who it is, when it may write and how often."""

    name: Line = Field(description="the shop's name, as its customers know it")
    url: str | None = Field(
        default=None, pattern=r"^https?://[^\s/]+(/[^\s]*[^\s/])?$", description="the shop's address on the web, no slash at its end"
    )
    sender: Sender = Field(description="name and address that messages are from")
    reply_to: Address | None = Field(default=None, description="where answers go; default: the sender")
    postal_address: Text = Field(description="the postal address that commercial mail has to carry")
    zone: str = Field(default="UTC", description="time zone of people whose own is unknown, such as Europe/Berlin")
    locale: str = Field(default="en", pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", description="language and region, such as en-GB")
    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$", description="the currency of amounts that name none")
    quiet_hours: str | None = Field(default=None, description="hours in which nothing is sent, in the person's zone, such as 21:00-08:00")
    caps: tuple[Cap, ...] = Field(default=(), description="how many messages a person gets at most; every line holds")
    topics: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,57}$")], Topic] = Field(
        default_factory=dict, description="what people choose from on their preference page; a journey or a send names one as `topic`"
    )
    count_by: Literal["mailbox", "person"] = Field(
        default=MAILBOX,
        description="what caps, broadcasts and the pace that people choose count by: mailbox, or person where several share one",
    )
    compete_within: DurationText = Field(
        default="10m", description="messages of different journeys that are due within this time go by `priority`, the highest first"
    )
    release_over: DurationText = Field(
        default="5m", description="what waited for hours to open goes spread over this time, each message at its own place; 0s: at once"
    )
    brakes: Brakes = Field(default_factory=Brakes, description="when journeys are halted by themselves")
    consent: dict[Name, ConsentRule] = Field(
        default_factory=lambda: {"marketing": ConsentRule()},
        description="the purposes that journeys may have, and which need consent; transactional never does",
    )
    connected: Connected = Field(default_factory=Connected, description="the hosts that `fetches` of contents and `call` steps may ask")
    pictures: Pictures = Field(
        default_factory=Pictures, description="whose pictures an event or a profile may bring into a message, beside those of `url`"
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
        if text is not None and not Hours.parse(text).every_day:
            raise ValueError("quiet hours are the same every day; write such as 21:00-08:00 (a journey's `send_between` can name days)")
        return text

    @field_validator("compete_within", "release_over")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
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

    def double_opt_in(self) -> frozenset[str]:
        """Return the purposes whose consent has to be confirmed."""
        return frozenset(purpose for purpose, rule in self.consent.items() if rule.double_opt_in)

    def quiet(self) -> Hours | None:
        """Return the hours in which nothing is sent."""
        return Hours.parse(self.quiet_hours) if self.quiet_hours is not None else None
