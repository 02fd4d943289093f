"""The send protocol: at most one acceptance per send key (guarantees.md).

    plan    freezes the rendered message under its key; the first writer wins
    claim   one transaction: the person's events are routed, the gate says yes, the key is ours
    post    the provider, outside any transaction
    settle  what came of it

A worker may die, stall or lose the answer between any two of these. Whoever comes later finds the
claim and, unless the provider keeps keys, leaves the message alone: two copies are worse than none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import Connection, bindparam, insert, select

from sojourn.clock import Clock, monotonic
from sojourn.content.links import rewrite_amp, rewrite_links
from sojourn.delivery import engagement, facts, gate, ledger
from sojourn.delivery.engagement import Emit
from sojourn.delivery.gate import Verdict
from sojourn.delivery.ledger import SendOrder, SendRow, State
from sojourn.delivery.message import Message, feedback_id
from sojourn.delivery.outcomes import (
    Accepted,
    AlreadySettled,
    Claimed,
    ClaimResult,
    Held,
    NotAccepted,
    Outcome,
    Refused,
    Suppressed,
    Unclear,
)
from sojourn.delivery.providers import Klass, Provider
from sojourn.delivery.routing import Routing, routing_of
from sojourn.delivery.rules import GateRules
from sojourn.delivery.tokens import Links
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderUnclear, Terminal
from sojourn.language.shop import TRANSACTIONAL
from sojourn.metrics import metrics
from sojourn.store import locks
from sojourn.store.database import Database
from sojourn.store.tables import links, live_parts, messages

# provider's own time-out (HTTP, SMTP) < post deadline < the activity's start_to_close < grace
CLAIM_FRESH_SECONDS = 5.0  # a worker that was asleep for longer between claim and post does not post
POST_DEADLINE_SECONDS = 25.0
GRACE = timedelta(hours=1)  # after which what is still unknown is given up
SWEEP = 500
_TOO_LATE = (State.ABANDONED, State.PLANNED, State.HELD)
_FREEZE, _LINKS, _LIVE = insert(messages), insert(links), insert(live_parts)
_FROZEN = select(messages).where(messages.c.send_key == bindparam("sought"))

log = structlog.get_logger(__name__)


class RenderedMessage(Protocol):
    """What rendering gives (`sojourn.content`)."""

    @property
    def subject(self) -> str:
        """The subject."""
        ...

    @property
    def html(self) -> str:
        """The HTML part."""
        ...

    @property
    def text(self) -> str:
        """The text part."""
        ...

    @property
    def tokens(self) -> Mapping[str, Any]:
        """Each token's value and where it came from."""
        ...

    @property
    def amp(self) -> str | None:
        """The AMP part; None without one."""
        ...

    @property
    def live(self) -> Sequence[Mapping[str, Any]]:
        """What is shown as it is when the message is opened, by number."""
        ...


@dataclass(frozen=True)
class Frozen:
    """A message that was frozen just now, and its send."""

    send: SendRow
    message: Message


def plan(conn: Connection, order: SendOrder, rendered: RenderedMessage, now: datetime, tracking: Links, *, pixel: bool = True) -> SendRow:
    """Freeze a rendered message under its key and return its send; a second plan of the same key changes nothing.

    Arguments as of `freeze`.
    """
    made = freeze(conn, order, rendered, now, tracking, pixel=pixel)
    return made.send if made is not None else ledger.look(conn, order.key)


def freeze(
    conn: Connection, order: SendOrder, rendered: RenderedMessage, now: datetime, tracking: Links, *, pixel: bool = True
) -> Frozen | None:
    """Freeze a rendered message under its key; None where that was done before, which stands.

    Args:
        conn: a writing transaction.
        order: what is sent to whom.
        rendered: the message.
        now: the shop's moment.
        tracking: makes the addresses that lead back to us.
        pixel: whether opens may be tracked.
    """
    send = ledger.open_send(conn, order, now)
    if send is None:
        return None
    urls: dict[int, str] = {}

    def tracked(position: int, url: str) -> str:
        urls[position] = url
        return tracking.click(order.key, position)

    seen = tracking.pixel(order.key) if pixel else None
    html, text = rewrite_links(rendered.html, rendered.text, tracked, seen)
    amp = None if rendered.amp is None else rewrite_amp(rendered.amp, _as_in_html(urls, tracked), seen, ours=tracking.public_url)
    headers = {"Feedback-ID": feedback_id(order.send_id, order.journey, order.purpose)}
    if order.reply_to:
        headers["Reply-To"] = order.reply_to
    if order.purpose != TRANSACTIONAL:
        headers["List-Unsubscribe"] = f"<{tracking.unsubscribe(order.key)}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message: dict[str, Any] = {
        "to_address": order.to_address, "to_name": order.to_name, "from_address": order.from_address,
        "from_name": order.from_name, "subject": rendered.subject, "html": html, "text": text, "headers": headers, "amp": amp,
    }  # fmt: skip
    conn.execute(_FREEZE, {**message, "send_key": order.key, "tokens": dict(rendered.tokens), "rendered_at": now})
    if urls:
        conn.execute(_LINKS, [{"send_key": order.key, "position": i, "url": url} for i, url in urls.items()])
    if rendered.live:
        conn.execute(_LIVE, [{"send_key": order.key, "number": i, "shows": dict(shows)} for i, shows in enumerate(rendered.live)])
    return Frozen(send, Message(key=order.key, date=now, **message))


def _as_in_html(urls: dict[int, str], tracked: Callable[[int, str], str]) -> Callable[[str], str]:
    """Return what gives a link of the AMP part the number that it has in the HTML part; one that is not there gets the next."""

    def number(url: str) -> str:
        known = next((position for position, there in urls.items() if there == url), len(urls))
        return tracked(known, url)

    return number


def claim(conn: Connection, key: str, now: datetime, rules: GateRules, provider: Provider | Routing) -> ClaimResult:
    """Ask for the right to post a message now; at most one caller at a time is given it.

    Args:
        conn: a writing transaction.
        key: the send's key.
        now: the shop's moment.
        rules: the shop's and the journey's.
        provider: who carries it away, or who chooses one.

    Raises:
        NotFound: nothing was planned under this key.
        NotCaughtUp: events of this person wait to be routed; nothing has changed.
        ProviderBusy: no provider can take it for the moment; nothing has changed.
    """
    routing = routing_of(provider)
    people = ledger.lock_person(conn, ledger.look(conn, key).profile_id)  # before the send: the order of the router's locks
    send = ledger.load(conn, key)
    if send.state in ledger.SETTLED:
        return AlreadySettled(send.state.value, send.reason)
    if send.state is State.CLAIMED:
        send = ledger.move(conn, send, State.UNKNOWN, "a later attempt found it claimed: its post may have been accepted", now)
    doubtful = send.state is State.UNKNOWN
    first = routing.named(send.provider) if doubtful else None
    if doubtful and (first is None or not key_holds(send, first, now)):
        return Unclear("an earlier attempt may have been accepted, and this provider would take a second for another message")
    locks.hold_events(conn, people)
    facts.caught_up(conn, people)
    message = _message(conn, send, now)
    return decide(conn, send, message, gate.judge(facts.gather(conn, send, message, people, now, rules)), now, routing)


def decide(conn: Connection, send: SendRow, message: Message, verdict: Verdict, now: datetime, routing: Routing) -> ClaimResult:
    """Do with a send what the gate says of it: give the right to post it, hold it, or suppress it.

    Raises:
        ProviderBusy: no provider can take it for the moment.
    """
    doubtful = send.state is State.UNKNOWN
    first = routing.named(send.provider) if doubtful else None
    ledger.keep_checks(conn, send.key, verdict.checks, now)
    if verdict.decision == "suppress":
        if doubtful:
            ledger.move(conn, send, State.ABANDONED, verdict.reason, now, reason=verdict.reason, settled_at=now)
            return AlreadySettled(State.ABANDONED.value, verdict.reason)
        ledger.move(conn, send, State.SUPPRESSED, verdict.reason, now, reason=verdict.reason, settled_at=now)
        return Suppressed(verdict.reason)
    if verdict.until is not None:
        if not doubtful:
            ledger.move(conn, send, State.HELD, verdict.reason, now, reason=verdict.reason, held_until=verdict.until)
        return Held(verdict.until, verdict.reason)
    chosen = first if first is not None else routing.choose(conn, send, message.to_address, now)
    if isinstance(chosen, Held):
        whose = chosen.provider or send.provider
        ledger.move(conn, send, State.HELD, chosen.reason, now, reason=chosen.reason, held_until=chosen.until, provider=whose)
        return chosen
    attempt = send.attempts + 1
    ledger.move(
        conn, send, State.CLAIMED, f"attempt {attempt} by {chosen.name}", now,
        attempts=attempt, provider=chosen.name, consent_id=verdict.consent_id, reason=None, held_until=None,
        claimed_at=send.claimed_at if doubtful else now,
    )  # fmt: skip
    return Claimed(message, attempt, chosen, again=doubtful)


def settle(conn: Connection, key: str, outcome: Outcome, now: datetime, attempt: int | None = None, emit: Emit | None = None) -> SendRow:
    """Write down what came of a post.

    Args:
        conn: a writing transaction.
        key: the send's key.
        outcome: what the provider said.
        now: the shop's moment.
        attempt: the claim it was posted under; None is evidence from elsewhere. What an earlier attempt
            failed at says nothing about a later one, so it is passed over.
        emit: appends `Email Delivered` where the provider delivers by itself.
    """
    send = ledger.load(conn, key)
    if isinstance(outcome, Accepted):
        if send.state is State.ACCEPTED:
            return send
        late = "late evidence: " if send.state in _TOO_LATE else ""
        if late:  # it was given up, or found to be unsent, and was accepted all the same
            metrics().late_evidence.labels(send.provider or "").inc()
            log.error("a message that was given up was accepted after all", send_key=key, provider=send.provider, state=send.state.value)
        send = ledger.move(
            conn, send, State.ACCEPTED, f"{late}accepted by {send.provider}", now,
            provider_message_id=outcome.provider_message_id, reason=None, settled_at=now,
        )  # fmt: skip
        if outcome.delivered and emit is not None:
            emit(conn, engagement.engagement(conn, key, engagement.DELIVERED, f"delivered:{key}", now))
        return send
    if send.state not in (State.CLAIMED, State.UNKNOWN) or (attempt is not None and attempt != send.attempts):
        return send
    if isinstance(outcome, Unclear):
        return ledger.move(conn, send, State.UNKNOWN, outcome.reason, now, reason=outcome.reason) if send.state is State.CLAIMED else send
    # This attempt failed for certain; an earlier one under the same key may still have been accepted.
    earlier = ledger.in_doubt(conn, key) - (1 if send.state is State.UNKNOWN else 0)
    if earlier > 0:
        reason = f"{outcome.reason}; an earlier attempt may have been accepted"
        return ledger.move(conn, send, State.UNKNOWN, reason, now, reason=reason) if send.state is State.CLAIMED else send
    if isinstance(outcome, Refused):
        return ledger.move(conn, send, State.REJECTED, outcome.reason, now, reason=outcome.reason, settled_at=now)
    return ledger.move(conn, send, State.PLANNED, outcome.reason, now, reason=outcome.reason, claimed_at=None)


def withdraw(conn: Connection, key: str, reason: str, now: datetime) -> SendRow:
    """Suppress a message that is planned or held and will not be asked for again; any other stays as it is."""
    send = ledger.load(conn, key)
    if send.state in (State.PLANNED, State.HELD):
        return ledger.move(conn, send, State.SUPPRESSED, reason, now, reason=reason, settled_at=now)
    return send


def abandon(conn: Connection, now: datetime, grace: timedelta = GRACE) -> int:
    """Give up what nobody has settled within its grace, and return how many sends changed.

    A claim that no one settled becomes unknown first; evidence may still come for either.
    """
    reason = f"nothing was heard of it for {grace}"
    claimed = ledger.unsettled_since(conn, State.CLAIMED, now - grace, SWEEP)
    unknown = ledger.unsettled_since(conn, State.UNKNOWN, now - grace, SWEEP)
    for send in claimed:
        ledger.move(conn, send, State.UNKNOWN, reason, now, reason=reason)
    for send in unknown:
        ledger.move(conn, send, State.ABANDONED, reason, now, reason=reason, settled_at=now)
    return len(claimed) + len(unknown)


async def deliver(
    db: Database,
    provider: Provider | Routing,
    key: str,
    clock: Clock,
    rules: GateRules,
    *,
    emit: Emit | None = None,
    prepare: Callable[[Connection], object] | None = None,
) -> Accepted | Refused | Held | Suppressed | AlreadySettled | Unclear:
    """Carry a message through claim, post and settle.

    Args:
        db: where the ledger is.
        provider: who carries it away, or who chooses one.
        key: the send's key.
        clock: the shop's.
        rules: the shop's and the journey's.
        emit: appends `Email Delivered` where the provider delivers by itself.
        prepare: runs first in the claim's transaction (a `plan`), and saves one of its own.

    Raises:
        NotCaughtUp: try again at once.
        ProviderBusy: nothing was accepted; try again later.
        ProviderUnclear: the answer was lost, and the provider's key makes it safe to try again.
    """

    routing = routing_of(provider)

    def prepare_and_claim(conn: Connection) -> tuple[ClaimResult, float]:
        if prepare is not None:
            prepare(conn)
        return claim(conn, key, clock.now(), rules, routing), monotonic()

    claimed, claimed_at = await db.write(prepare_and_claim)
    if not isinstance(claimed, Claimed):
        return claimed
    carrier = claimed.provider
    outcome = replace(await post(carrier, claimed.message, claimed_at), by=carrier.name)
    routing.told(carrier.name, outcome)
    await db.write(settle, key, outcome, clock.now(), claimed.attempt, emit)
    if isinstance(outcome, NotAccepted):
        await db.write(routing.give_back, carrier.name, clock.now())
        raise ProviderBusy(outcome.reason)
    if isinstance(outcome, Unclear) and carrier.klass is Klass.KEYED:
        raise ProviderUnclear(outcome.reason)
    return outcome


async def post(provider: Provider, message: Message, claimed_at: float) -> Outcome:
    """Hand a claimed message to the provider and return what came of it; never raises but when cancelled.

    Args:
        provider: who carries it away.
        message: the message.
        claimed_at: `monotonic()` when the claim was given.
    """
    if monotonic() - claimed_at > CLAIM_FRESH_SECONDS:
        return NotAccepted("this worker was asleep between claim and post, and did not post")
    try:
        with metrics().provider_latency.labels(provider.name).time():
            async with asyncio.timeout(POST_DEADLINE_SECONDS):
                receipt = await provider.deliver(message)
    except ProviderLocked as error:
        metrics().provider_failures.labels(provider.name, "locked").inc()
        log.error("a provider takes nothing from us", provider=provider.name, because=str(error))
        return NotAccepted(str(error), locked=True)
    except ProviderBusy as error:
        metrics().provider_failures.labels(provider.name, "busy").inc()
        return NotAccepted(str(error), retry_after=error.retry_after)
    except Terminal as error:
        metrics().provider_failures.labels(provider.name, "refused").inc()
        return Refused(str(error))
    except TimeoutError:
        metrics().provider_failures.labels(provider.name, "unclear").inc()
        return Unclear(f"no answer from {provider.name} within {POST_DEADLINE_SECONDS:.0f} s")
    except ProviderUnclear as error:
        metrics().provider_failures.labels(provider.name, "unclear").inc()
        return Unclear(str(error))
    except Exception as error:  # a fault of the provider's code; the message may be out, and that is what must be kept
        log.error("a provider failed in a way it does not name", provider=provider.name, send_key=message.key, error=type(error).__name__)
        return Unclear(f"{provider.name}: {type(error).__name__}")
    return Accepted(receipt.provider_message_id, receipt.delivered)


def key_holds(send: SendRow, provider: Provider, now: datetime) -> bool:
    """Tell whether a second post under the key is sure to be no second message."""
    if provider.klass is not Klass.KEYED or send.provider != provider.name or send.claimed_at is None:
        return False
    return now - send.claimed_at < provider.key_window


def _message(conn: Connection, send: SendRow, now: datetime) -> Message:
    row = conn.execute(_FROZEN, {"sought": send.key}).one()
    return Message(
        key=send.key, to_address=row.to_address, to_name=row.to_name, from_address=row.from_address, from_name=row.from_name,
        subject=row.subject, html=row.html, text=row.text, headers=row.headers, amp=row.amp,
        date=send.claimed_at or now,  # a second post under a key carries the same bytes
    )  # fmt: skip
