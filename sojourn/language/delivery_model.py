"""What `journeys/delivery.yaml` may say: who carries messages away, how many each, and what steps in for whom.

Secrets never stand in it: they are settings (SOJOURN_SENDGRID_API_KEY and the like).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from sojourn.language import email_address
from sojourn.language.model import Model
from sojourn.language.problems import listed, shown

# Each provider, and what may stand beside it. A new one is a line here and a file of its name in delivery/providers/.
OPTIONS: dict[str, frozenset[str]] = {
    "smtp": frozenset(),
    "inbox": frozenset(),
    "ses": frozenset({"region", "configuration_set", "topic"}),
    "sendgrid": frozenset({"region", "look_up"}),
    "mailgun": frozenset({"region", "domain"}),
    "postmark": frozenset({"stream"}),
    "resend": frozenset(),
    "brevo": frozenset(),
    "mailchimp": frozenset({"subaccount"}),
}
ProviderName = Literal["smtp", "inbox", "ses", "sendgrid", "mailgun", "postmark", "resend", "brevo", "mailchimp"]
Domain = Annotated[
    str,
    Field(max_length=253, pattern=r"^[^\sA-Z@.,:;/\\<>]+(\.[^\sA-Z@.,:;/\\<>]+)+$", description="a domain, such as gmail.com"),
    AfterValidator(email_address.ascii_domain),
]
Option = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
_RATE = re.compile(r"^(\d{1,7})\s*/\s*(s|m|h|d)$")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_rate(text: str) -> timedelta:
    """Return the time between two messages at a rate such as 100/s, 30/m or 5000/d.

    Raises:
        ValueError: it is none.
    """
    found = _RATE.match(text)
    if found is None or not int(found[1]):
        raise ValueError(f"{shown(text)} is no rate; write how many in which time: 100/s, 600/m, 5000/h or 20000/d")
    return _UNITS[found[2]] / int(found[1])


def _is_rate(text: str) -> str:
    parse_rate(text)
    return text


Rate = Annotated[str, AfterValidator(_is_rate), Field(description="how many messages in which time, such as 100/s, 600/m or 20000/d")]


class WarmUp(Model):
    """A new sender's first days: so many messages a day, and after the last of them as many as there are."""

    starts: str = Field(description="the first day, such as 2026-12-01; days are counted in UTC")
    per_day: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, max_length=120, description="how many messages on each day, growing, such as [200, 500, 1000, 2500]"
    )

    @field_validator("starts")
    @classmethod
    def _is_day(cls, text: str) -> str:
        try:
            date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{shown(text)} is no day; write it as 2026-12-01") from None
        return text

    @field_validator("per_day")
    @classmethod
    def _grows(cls, per_day: tuple[int, ...]) -> tuple[int, ...]:
        if list(per_day) != sorted(per_day):
            raise ValueError("a warm-up grows from day to day, such as [200, 500, 1000, 2500]")
        return per_day

    def allowed(self, day: date) -> int | None:
        """Return how many messages a day takes; None where the warm-up is over."""
        index = (day - date.fromisoformat(self.starts)).days
        if index < 0:
            return 0
        return self.per_day[index] if index < len(self.per_day) else None


class Carrier(Model):
    """One provider, its share, and its bounds."""

    provider: ProviderName = Field(description=f"who carries messages away: {', '.join(OPTIONS)}")
    weight: int = Field(default=1, ge=0, le=1000, description="its share beside the others; 0: nothing new, its webhooks are still heard")
    rate: Rate | None = Field(default=None, description="how many at most, such as 100/s; default: what its documentation allows")
    warm_up: WarmUp | None = Field(default=None, description="how many a day while it is new: {starts: 2026-12-01, per_day: [200, 500]}")
    region: Option | None = Field(default=None, description="ses: such as eu-west-1; sendgrid, mailgun: eu where your account is there")
    domain: Domain | None = Field(default=None, description="mailgun: the sending domain, such as mg.shop.example")
    stream: Option | None = Field(default=None, description="postmark: the message stream; default: broadcast")
    configuration_set: Option | None = Field(default=None, description="ses: the configuration set whose events come to our webhook")
    topic: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w.-]+$",
        description="ses: the ARN of the SNS topic that may post to us",
    )
    subaccount: Option | None = Field(default=None, description="mailchimp: the subaccount")
    look_up: bool = Field(default=False, description="sendgrid: true where the account has Email Activity, which clears up lost answers")

    @model_validator(mode="after")
    def _its_own_options(self) -> Self:
        every = frozenset().union(*OPTIONS.values())
        given = {name for name in every if getattr(self, name)}
        foreign = sorted(given - OPTIONS[self.provider])
        if foreign:
            there = listed(sorted(OPTIONS[self.provider])) if OPTIONS[self.provider] else "nothing of the kind"
            raise ValueError(f"{self.provider} takes no {foreign[0]}; it takes {there}")
        needed = {"mailgun": "domain", "ses": "region"}.get(self.provider)
        if needed and not getattr(self, needed):
            raise ValueError(f"{self.provider} needs `{needed}`")
        return self

    def options(self) -> dict[str, str]:
        """Return what stands beside the provider, as texts."""
        return {name: str(value) for name in OPTIONS[self.provider] if (value := getattr(self, name))}


class DomainRate(Model):
    """How fast one recipient's house is written to, whoever carries it."""

    domains: tuple[Domain, ...] = Field(min_length=1, max_length=100, description="of one house, such as [gmail.com, googlemail.com]")
    rate: Rate = Field(description="how many messages they get together at most, such as 20/s")


class DeliverySettings(Model):
    """Who carries messages away."""

    providers: tuple[Carrier, ...] = Field(min_length=1, max_length=20, description="the providers, each with its share of the messages")
    fail_over: tuple[ProviderName, ...] | None = Field(
        default=None,
        description="who steps in, in this order, where a provider provably took nothing; default: all, as listed; []: nobody",
    )
    domains: tuple[DomainRate, ...] = Field(default=(), max_length=200, description="how fast recipients' domains are written to")

    @field_validator("providers")
    @classmethod
    def _once_and_something(cls, providers: tuple[Carrier, ...]) -> tuple[Carrier, ...]:
        names = [each.provider for each in providers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{shown(twice)} stands twice; give it one line")
        if not any(each.weight for each in providers):
            raise ValueError("every weight is 0, so nothing would be sent; give at least one provider a weight")
        return providers

    @model_validator(mode="after")
    def _known(self) -> Self:
        names = {each.provider for each in self.providers}
        stranger = next((name for name in self.fail_over or () if name not in names), None)
        if stranger is not None:
            raise ValueError(f"fail_over names {shown(stranger)}, which is not among the providers")
        every = [domain for line in self.domains for domain in line.domains]
        twice = next((domain for domain in every if every.count(domain) > 1), None)
        if twice is not None:
            raise ValueError(f"the domain {shown(twice)} stands in two lines; one of them must go")
        return self
