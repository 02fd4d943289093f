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
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from sojourn.clock import Clock, monotonic
from sojourn.delivery import doubts, engagement, facts, gate, ledger
from sojourn.delivery.engagement import Emit
from sojourn.delivery.freezing import Made, RenderedMessage, freeze, freeze_anew, make, message_of
from sojourn.delivery.gate import Verdict
from sojourn.delivery.ledger import Move, SendOrder, SendRow, State
from sojourn.delivery.mailboxes import mailbox_of
from sojourn.delivery.message import Message
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
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderSlow, ProviderUnclear, Terminal
from sojourn.log_errors import error_fields
from sojourn.metrics import metrics
from sojourn.store import locks
from sojourn.store.database import Database

# provider's own time-out (HTTP, SMTP) < post deadline < the activity's start_to_close < grace
CLAIM_FRESH_SECONDS = 5.0  # a worker that was asleep for longer between claim and post does not post
POST_DEADLINE_SECONDS = 48.0
GRACE = timedelta(hours=1)  # after which what is still unknown is given up
SWEEP = 500
_TOO_LATE = (State.ABANDONED, State.PLANNED, State.HELD)

log = structlog.get_logger(__name__)


def plan(conn: Connection, order: SendOrder, rendered: RenderedMessage, now: datetime, tracking: Links, *, pixel: bool = True) -> SendRow:
    """Freeze a rendered message under its key and return its send; a second plan of the same key changes nothing.

    Args:
        conn: a writing transaction.
        order: what is sent to whom.
        rendered: the message.
        now: the shop's moment.
        tracking: makes the addresses that lead back to us.
        pixel: whether opens may be tracked.
    """
    frozen = freeze(conn, make(order, rendered, tracking, pixel=pixel), now)
    return frozen.send if frozen is not None else ledger.look(conn, order.key)


def claim(
    conn: Connection, key: str, now: datetime, rules: GateRules, provider: Provider | Routing, made: Made | None = None
) -> ClaimResult:
    """Ask for the right to post a message now; at most one caller at a time is given it.

    Args:
        conn: a writing transaction.
        key: the send's key.
        now: the shop's moment.
        rules: the shop's and the journey's.
        provider: who carries it away, or who chooses one.
        made: the message as it was rendered just now; it takes the place of the frozen one, where that is surely not out.

    Raises:
        NotFound: nothing was planned under this key.
        RecipientChanged: it has to be rendered anew; nothing has changed.
        NotCaughtUp: events of this person wait to be routed; nothing has changed.
        ProviderBusy: no provider can take it for the moment; nothing has changed.
    """
    routing = routing_of(provider)
    send, people = ledger.lock(conn, key)
    if send.state in ledger.SETTLED:
        return AlreadySettled(send.state.value, send.reason)
    if send.state is State.CLAIMED:
        send = ledger.move(conn, send, State.UNKNOWN, "a later attempt found it claimed: its post may have been accepted", now)
    doubtful = send.state is State.UNKNOWN
    first = routing.named(send.provider) if doubtful else None
    if doubtful and (first is None or not key_holds(send, first, now)):
        return Unclear("an earlier attempt may have been accepted, and this provider would take a second for another message")
    message = None if made is not None else message_of(conn, send, now)
    address = made.order.to_address if made is not None else message.to_address if message is not None else ""
    locks.hold_mailboxes(conn, [mailbox_of(address)])
    locks.hold_events(conn, people)
    facts.caught_up(conn, people)
    if made is not None:
        before = routing.named(send.provider)
        freeze_anew(conn, made, now, keyed=before is not None and before.klass is Klass.KEYED)
    message = message or message_of(conn, send, now)
    written_for = made.recipient if made is not None else None
    verdict = gate.judge(facts.gather(conn, send, message, people, now, rules, written_for=written_for))
    return decide(conn, send, message, verdict, now, routing)


def decide(
    conn: Connection,
    send: SendRow,
    message: Message,
    verdict: Verdict,
    now: datetime,
    routing: Routing,
    move: Move = ledger.move,
    *,
    surely_new: bool = False,
) -> ClaimResult:
    """Do with a send what the gate says of it: give the right to post it, hold it, or suppress it.

    Args:
        conn: a writing transaction.
        send: the send.
        message: as it was frozen.
        verdict: what the gate says.
        now: the shop's moment.
        routing: chooses who carries it away.
        move: takes the send to another state, at once or with others.
        surely_new: that no doubt is kept about it was asked before.

    Raises:
        ProviderBusy: no provider can take it for the moment.
    """
    doubtful = send.state is State.UNKNOWN
    first = routing.named(send.provider) if doubtful else None
    ledger.keep_checks(conn, send.key, verdict.checks, now)
    if verdict.decision == "suppress":
        if doubtful:
            move(conn, send, State.ABANDONED, verdict.reason, now, settled_at=now)
            return AlreadySettled(State.ABANDONED.value, verdict.reason)
        move(conn, send, State.SUPPRESSED, verdict.reason, now, settled_at=now)
        return Suppressed(verdict.reason)
    if verdict.until is not None:
        if not doubtful:
            move(conn, send, State.HELD, verdict.reason, now, held_until=verdict.until)
        return Held(verdict.until, verdict.reason)
    chosen = first if first is not None else routing.choose(conn, send, message.to_address, now)
    if isinstance(chosen, Held):
        whose = chosen.provider or send.provider
        move(conn, send, State.HELD, chosen.reason, now, held_until=chosen.until, provider=whose)
        return chosen
    attempt = send.attempts + 1
    move(
        conn, send, State.CLAIMED, f"attempt {attempt} by {chosen.name}", now,
        attempts=attempt, provider=chosen.name, consent_id=verdict.consent_id, reason=None, held_until=None,
        claimed_at=send.claimed_at if doubtful else now,
    )  # fmt: skip
    asks = not doubtful and not surely_new
    if asks and (because := doubts.doubted(conn, send, chosen, routing.sole, now)) is not None:
        # A key that no longer holds must not be posted again under it, and of several carriers none can speak for all.
        asked = chosen.name if routing.sole and chosen.klass is not Klass.KEYED else None
        move(conn, replace(send, state=State.CLAIMED, attempts=attempt), State.UNKNOWN, because, now, reason=because, provider=asked)
        return Unclear(because)
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
    return settle_send(conn, ledger.load(conn, key), outcome, now, attempt, emit)


def settle_send(
    conn: Connection, send: SendRow, outcome: Outcome, now: datetime, attempt: int | None, emit: Emit | None, move: Move = ledger.move
) -> SendRow:
    """Do as `settle` with a send that is loaded; `move` takes it to another state, at once or with others."""
    if isinstance(outcome, Accepted):
        if send.state is State.ACCEPTED:
            return send
        late = "late evidence: " if send.state in _TOO_LATE else ""
        if late:  # it was given up, or found to be unsent, and was accepted all the same
            metrics().late_evidence.labels(send.provider or "").inc()
            log.error("a message that was given up was accepted", send_key=send.key, provider=send.provider, state=send.state.value)
        send = move(
            conn, send, State.ACCEPTED, f"{late}accepted by {send.provider}", now,
            provider_message_id=outcome.provider_message_id, settled_at=now, **({} if late else {"reason": None}),
        )  # fmt: skip
        if outcome.delivered and emit is not None:
            emit(conn, engagement.engagement(conn, send.key, engagement.DELIVERED, f"delivered:{send.key}", now))
        return send
    if send.state not in (State.CLAIMED, State.UNKNOWN) or (attempt is not None and attempt != send.attempts):
        return send
    if isinstance(outcome, Unclear):
        return move(conn, send, State.UNKNOWN, outcome.reason, now) if send.state is State.CLAIMED else send
    # This attempt failed for certain; an earlier one under the same key may still have been accepted.
    earlier = ledger.in_doubt(conn, send.key) - (1 if send.state is State.UNKNOWN else 0)
    if earlier > 0:
        reason = f"{outcome.reason}; an earlier attempt may have been accepted"
        return move(conn, send, State.UNKNOWN, reason, now) if send.state is State.CLAIMED else send
    if isinstance(outcome, Refused):
        return move(conn, send, State.REJECTED, outcome.reason, now, settled_at=now)
    return move(conn, send, State.PLANNED, outcome.reason, now, claimed_at=None)


def withdraw(conn: Connection, key: str, reason: str, now: datetime) -> SendRow:
    """Suppress a message that is planned or held and will not be asked for again; any other stays as it is."""
    send = ledger.load(conn, key)
    if send.state in (State.PLANNED, State.HELD):
        return ledger.move(conn, send, State.SUPPRESSED, reason, now, settled_at=now)
    return send


def abandon(conn: Connection, now: datetime, grace: timedelta = GRACE) -> int:
    """Give up what nobody has settled within its grace, and return how many sends changed.

    A claim that no one settled becomes unknown first; evidence may still come for either.
    """
    reason = f"nothing was heard of it for {grace}"
    claimed = ledger.unsettled_since(conn, State.CLAIMED, now - grace, SWEEP)
    unknown = ledger.unsettled_since(conn, State.UNKNOWN, now - grace, SWEEP)
    for send in claimed:
        ledger.move(conn, send, State.UNKNOWN, reason, now)
    for send in unknown:
        ledger.move(conn, send, State.ABANDONED, reason, now, settled_at=now)
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
    made: Made | None = None,
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
        made: the message as it was rendered just now; see `claim`.

    Raises:
        NotCaughtUp: try again at once.
        ProviderBusy: nothing was accepted; try again later.
        ProviderUnclear: the answer was lost, and the provider's key makes it safe to try again.
    """

    routing = routing_of(provider)

    def prepare_and_claim(conn: Connection) -> tuple[ClaimResult, float]:
        if prepare is not None:
            prepare(conn)
        return claim(conn, key, clock.now(), rules, routing, made), monotonic()

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
        return NotAccepted("this worker was asleep between claim and post, and did not post", handed_over=False)
    try:
        with metrics().provider_latency.labels(provider.name).time():
            async with asyncio.timeout(POST_DEADLINE_SECONDS):
                receipt = await provider.deliver(message)
    except ProviderLocked as error:
        metrics().provider_failures.labels(provider.name, "locked").inc()
        log.error("a provider takes nothing from us", provider=provider.name, because=str(error))
        return NotAccepted(str(error), locked=True)
    except ProviderSlow as error:
        return NotAccepted(str(error), handed_over=False)
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
        told = error_fields(error, hide_message=True)
        log.error("a provider failed in a way it does not name", provider=provider.name, send_key=message.key, **told)
        return Unclear(f"{provider.name}: {type(error).__name__}")
    return Accepted(receipt.provider_message_id, receipt.delivered)


def key_holds(send: SendRow, provider: Provider, now: datetime) -> bool:
    """Tell whether a second post under the key is sure to be no second message."""
    if provider.klass is not Klass.KEYED or send.provider != provider.name or send.claimed_at is None:
        return False
    return now - send.claimed_at < provider.key_window
