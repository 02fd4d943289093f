"""Who carries a message: one provider for it, chosen in the claim's transaction.

A message keeps to its provider for as long as nobody knows whether it was accepted. Another steps in only where it is
proven that nothing was (the send is planned again), or before anything was posted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

import structlog
from sqlalchemy import Connection, bindparam, select, update

from sojourn.breaker import Breaker
from sojourn.clock import monotonic
from sojourn.delivery.ledger import SendRow, State
from sojourn.delivery.outcomes import Accepted, Held, NotAccepted, Outcome, Refused
from sojourn.delivery.providers import Provider
from sojourn.delivery.providers.answers import Answering
from sojourn.delivery.providers.base import Limits
from sojourn.errors import ProviderBusy
from sojourn.language import email_address
from sojourn.language.delivery_model import DeliverySettings, WarmUp, parse_rate
from sojourn.store.bulk import insert_new
from sojourn.store.tables import carrier_days, carrier_slots

BURST = timedelta(seconds=1)  # what a rate allows at once
SLOT = "rate: "  # begins the reason of a message that waits for its turn
_ALL = ""
_SLOT = (
    select(carrier_slots.c.next_at)
    .where(carrier_slots.c.provider == bindparam("of"), carrier_slots.c.scope == bindparam("within"))
    .with_for_update()
)
_SET_SLOT = (
    update(carrier_slots)
    .where(carrier_slots.c.provider == bindparam("of"), carrier_slots.c.scope == bindparam("within"))
    .values(next_at=bindparam("then"))
)
_DAY = (
    select(carrier_days.c.count).where(carrier_days.c.provider == bindparam("of"), carrier_days.c.day == bindparam("on")).with_for_update()
)
_COUNT = (
    update(carrier_days)
    .where(carrier_days.c.provider == bindparam("of"), carrier_days.c.day == bindparam("on"))
    .values(count=carrier_days.c.count + bindparam("more"))
)

log = structlog.get_logger(__name__)


class Routing(Protocol):
    """Chooses who carries a message."""

    @property
    def sole(self) -> bool:
        """Whether there is one provider for everything."""
        ...

    def named(self, name: str | None) -> Provider | None:
        """Return the provider of a name; None where there is none now."""
        ...

    def choose(self, conn: Connection, send: SendRow, address: str, now: datetime) -> Provider | Held:
        """Return who is to carry a message that is planned or held, or how long it has to wait.

        Raises:
            ProviderBusy: nobody can take it for the moment.
        """
        ...

    def told(self, name: str, outcome: Outcome) -> None:
        """Hear what came of a post."""
        ...

    def give_back(self, conn: Connection, name: str, now: datetime) -> None:
        """Take back what a message used up that was provably not accepted."""
        ...


@dataclass(frozen=True)
class Only:
    """One provider for everything, without bounds.

    Attributes:
        provider: the provider.
        breaker: leaves it alone while it fails; None: it is always asked.
    """

    provider: Provider
    breaker: Breaker | None = None

    @property
    def sole(self) -> bool:
        """Whether there is one provider for everything."""
        return True

    def named(self, name: str | None) -> Provider | None:
        """Return the provider where it bears the name."""
        return self.provider if name == self.provider.name else None

    def choose(self, conn: Connection, send: SendRow, address: str, now: datetime) -> Provider | Held:
        """Return the provider.

        Raises:
            ProviderBusy: it rests after failures, or has yet to answer.
        """
        if _hangs(self.provider) or (self.breaker is not None and not self.breaker.admits(send.key)):
            raise ProviderBusy(f"{self.provider.name} rests after failures, or has yet to answer; it is tried again")
        return self.provider

    def told(self, name: str, outcome: Outcome) -> None:
        """Hear what came of a post."""
        if self.breaker is not None:
            _learn(self.breaker, name, outcome)

    def give_back(self, conn: Connection, name: str, now: datetime) -> None:
        """Nothing is counted of an only one."""


@dataclass(frozen=True)
class Carrying:
    """A provider as delivery.yaml puts it to work."""

    provider: Provider
    weight: int = 1
    every: timedelta | None = None  # between two messages
    warm_up: WarmUp | None = None
    breaker: Breaker = field(default_factory=Breaker)

    @property
    def name(self) -> str:
        """The provider's."""
        return self.provider.name


class Carriers:
    """Several providers, each with its share and its bounds.

    Args:
        carrying: the providers.
        fail_over: who steps in, in this order; None: the others as they are listed.
        domains: the time between two messages to a recipient's house, by its domains.
    """

    def __init__(
        self,
        carrying: Sequence[Carrying],
        fail_over: Sequence[str] | None = None,
        domains: Mapping[str, tuple[str, timedelta]] | None = None,
    ) -> None:
        self._carrying = {each.name: each for each in carrying}
        self._fail_over = list(self._carrying) if fail_over is None else list(fail_over)
        self._domains = dict(domains or {})

    @classmethod
    def of(cls, settings: DeliverySettings, providers: Mapping[str, Provider], time_of: Callable[[], float] = monotonic) -> Carriers:
        """Return the carriers that a delivery.yaml describes.

        Args:
            settings: the file.
            providers: the providers that it names.
            time_of: says how late it is, to breakers.
        """
        carrying = [
            Carrying(
                providers[each.provider],
                each.weight,
                parse_rate(each.rate) if each.rate else _documented(providers[each.provider]),
                each.warm_up,
                Breaker(time_of),
            )
            for each in settings.providers
        ]
        domains = {domain: (line.domains[0], parse_rate(line.rate)) for line in settings.domains for domain in line.domains}
        return cls(carrying, settings.fail_over, domains)

    @property
    def sole(self) -> bool:
        """Whether there is one provider for everything."""
        return len(self._carrying) == 1

    def named(self, name: str | None) -> Provider | None:
        """Return the provider of a name; None where delivery.yaml names it no longer."""
        found = self._carrying.get(name or "")
        return found.provider if found is not None else None

    def told(self, name: str, outcome: Outcome) -> None:
        """Hear what came of a post: who fails again and again is left alone for a while."""
        carrying = self._carrying.get(name)
        if carrying is not None:
            _learn(carrying.breaker, name, outcome)

    def choose(self, conn: Connection, send: SendRow, address: str, now: datetime) -> Provider | Held:
        """Return who is to carry a message, or how long it has to wait; what it uses up is counted in this transaction.

        Raises:
            ProviderBusy: every provider that may carry it rests.
        """
        waits: datetime | None = None
        for carrying in self._order(send):
            if _hangs(carrying.provider) or not carrying.breaker.allows():
                continue
            if not self._has_room_today(conn, carrying, now):
                waits = _next_day(now)
                continue
            if not carrying.breaker.admits(send.key):
                continue
            turn = self._turn(conn, carrying, send, address, now)
            if turn is not None:
                carrying.breaker.dismiss(send.key)
                return turn
            self._count(conn, carrying, now)
            return carrying.provider
        if waits is not None:
            return Held(waits, "warm_up: every provider has had its messages for today")
        raise ProviderBusy("every provider that may carry this message rests after failures, or has yet to answer; it is tried again")

    def give_back(self, conn: Connection, name: str, now: datetime) -> None:
        """Take back what a message used up that was provably not accepted."""
        carrying = self._carrying.get(name)
        if carrying is not None and carrying.warm_up is not None:
            conn.execute(_COUNT.where(carrier_days.c.count > 0), {"of": name, "on": _day(now), "more": -1})

    def _order(self, send: SendRow) -> list[Carrying]:
        """Whoever its key falls to first; then those that step in, and last whoever has just refused it."""
        able = [each for each in self._carrying.values() if each.weight > 0]
        first = min(able, key=lambda each: _draw(send.key, each.name) / each.weight)
        others = [self._carrying[name] for name in self._fail_over if name != first.name and self._carrying[name].weight > 0]
        order = [first, *others]
        if send.provider is None or not others:
            return order
        if send.state is State.HELD and (send.reason or "").startswith(SLOT):  # it waited for its turn with this one
            return sorted(order, key=lambda each: each.name != send.provider)
        if send.attempts > 0 and send.state is State.PLANNED:
            return sorted(order, key=lambda each: each.name == send.provider)
        return order

    def _has_room_today(self, conn: Connection, carrying: Carrying, now: datetime) -> bool:
        allowed = carrying.warm_up.allowed(now.astimezone(UTC).date()) if carrying.warm_up is not None else None
        if allowed is None:
            return True
        day = {"provider": carrying.name, "day": _day(now), "count": 0}
        insert_new(conn, carrier_days, [day])
        used = conn.execute(_DAY, {"of": carrying.name, "on": day["day"]}).scalar_one()
        return int(used) < allowed

    def _count(self, conn: Connection, carrying: Carrying, now: datetime) -> None:
        if carrying.warm_up is not None:
            conn.execute(_COUNT, {"of": carrying.name, "on": _day(now), "more": 1})

    def _turn(self, conn: Connection, carrying: Carrying, send: SendRow, address: str, now: datetime) -> Held | None:
        """Take the next place at an even pace; None where that is now."""
        if send.state is State.HELD and send.provider == carrying.name and (send.reason or "").startswith(SLOT):
            return None  # this is the place that it took before
        house = self._domains.get(email_address.wire(address).rpartition("@")[2].lower())
        paces = [(carrying.name, _ALL, carrying.every)] if carrying.every is not None else []
        paces += [(_ALL, house[0], house[1])] if house is not None else []
        turns = [(_reserve(conn, provider, scope, every, now), scope or provider) for provider, scope, every in paces]
        latest, whose = max(turns, default=(now, ""))
        return Held(latest, f"{SLOT}{email_address.unicode_domain(whose)} gets no more at once", carrying.name) if latest > now else None


def routing_of(given: Provider | Routing) -> Routing:
    """Return the routing that is given; one provider alone carries everything."""
    return given if hasattr(given, "choose") else Only(given)  # type: ignore[return-value]


def _hangs(provider: Provider) -> bool:
    """Tell whether a provider has been silent for so long about what it has that it gets nothing more meanwhile."""
    return isinstance(provider, Answering) and provider.answers.hangs


def _learn(breaker: Breaker, name: str, outcome: Outcome) -> None:
    """Keep what a post says of its provider: who fails again and again is left alone for a while."""
    if isinstance(outcome, Accepted | Refused):
        breaker.succeeded()
        return
    if isinstance(outcome, NotAccepted) and not outcome.handed_over:
        return
    if isinstance(outcome, NotAccepted) and outcome.retry_after is not None and not outcome.locked:
        if breaker.asked(outcome.retry_after):
            log.warning("a provider asks to be left alone for a while", provider=name, seconds=outcome.retry_after)
        return
    locked = isinstance(outcome, NotAccepted) and outcome.locked
    if breaker.failed(locked=locked):
        log.error("a provider is left alone for a while", provider=name, seconds=breaker.rest, because=outcome.reason)


def _documented(provider: Provider) -> timedelta | None:
    """Return the time between two messages that a provider's documentation asks for; None where it asks for none."""
    limits = getattr(provider, "limits", None)
    return timedelta(seconds=1 / limits.per_second) if isinstance(limits, Limits) and limits.per_second else None


def _reserve(conn: Connection, provider: str, scope: str, every: timedelta, now: datetime) -> datetime:
    """Take a place in a row of evenly spaced ones (the generic cell rate algorithm), and return when it is."""
    insert_new(conn, carrier_slots, [{"provider": provider, "scope": scope, "next_at": now}])
    where = {"of": provider, "within": scope}
    even: datetime = max(conn.execute(_SLOT, where).scalar_one(), now)
    conn.execute(_SET_SLOT, {**where, "then": even + every})
    early = even - BURST
    return max(early, now) if every < BURST else even


def _draw(key: str, name: str) -> float:
    """A number that a key and a name fix, exponentially distributed: the least, over its weight, wins in proportion to it."""
    drawn = int.from_bytes(hashlib.sha256(f"{key}:{name}".encode()).digest()[:8])
    return -math.log((drawn + 1) / (2**64 + 1))


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def _next_day(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
