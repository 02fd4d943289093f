"""No exit, cap or claim is lost between two who claim, or between a claim and an event that comes, on PostgreSQL either."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from several import NOW, PATIENCE, Several, ann_id, event, on_postgresql, side_by_side
from sqlalchemy import Connection, insert, select

from sojourn.delivery import sending
from sojourn.delivery.ledger import SendOrder, send_key
from sojourn.delivery.outcomes import Claimed, Held, Suppressed
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.rules import Cap, GateRules
from sojourn.delivery.tokens import Links, Tokens
from sojourn.errors import NotCaughtUp
from sojourn.intake.appender import append
from sojourn.store.database import Database
from sojourn.store.tables import consents, entries, profiles

WORKSPACE = UUID(int=7)


class Rendered:
    subject, html, text, tokens, amp, live = "Hello", "<p>Hello</p>", "Hello", {}, None, ()


def plan(connection: Connection, step: str, whose: str | None = None, to: str = "ann@example.com") -> str:
    entry = whose or "entry"
    key = send_key(WORKSPACE, entry, step)
    order = SendOrder(
        key=key, entry_id=entry, profile_id=whose or ann_id(connection), journey="cart", step=step, send_id=step, content="hello",
        to_address=to, from_address="shop@example.com",
    )  # fmt: skip
    sending.plan(connection, order, Rendered(), NOW, Links("https://x.example", Tokens("a secret of these tests")))  # type: ignore[arg-type]
    return key


def claim(connection: Connection, key: str, rules: GateRules | None = None) -> Any:
    return sending.claim(connection, key, NOW, rules or GateRules(), Memory())


def _waits_for_a_lock(several: Several) -> Callable[[], bool]:
    database = several()
    asked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    return lambda: bool(database.read_now(lambda c: c.exec_driver_sql(asked).scalar()))


def until(check: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.005)


@on_postgresql
@pytest.mark.parametrize(
    "whose", [{"user_id": "u-ann"}, {"user_id": None, "anonymous_id": "a-ann"}, {"user_id": "u-new", "profile_id": "?"}]
)
def test_no_event_of_a_person_is_acknowledged_between_a_claims_look_and_its_commit(
    several: Several, ann: Database, whose: dict[str, Any]
) -> None:
    key = ann.write_now(plan, "1")
    if "profile_id" in whose:
        whose = {**whose, "profile_id": ann.read_now(ann_id)}
    other, waits = several(), _waits_for_a_lock(several)
    acknowledged = threading.Event()

    def exit_comes() -> None:
        other.write_now(append, [event("exit", name="Order Completed", **whose)])
        acknowledged.set()

    leaving = threading.Thread(target=exit_comes)
    inside, go_on = threading.Event(), threading.Event()

    def claiming(connection: Connection) -> Any:
        result = claim(connection, key)
        inside.set()
        while not go_on.is_set():  # the store's loop is not ours to block
            connection.exec_driver_sql("SELECT pg_sleep(0.01)")
        return result

    with ThreadPoolExecutor(1) as pool:
        claimed = pool.submit(ann.write_now, claiming)
        assert inside.wait(PATIENCE)
        leaving.start()
        until(lambda: waits() or acknowledged.is_set())
        assert not acknowledged.is_set(), "an exit was acknowledged, and the claim does not know of it"
        go_on.set()
        assert isinstance(claimed.result(PATIENCE), Claimed)
    leaving.join(PATIENCE)
    assert acknowledged.is_set()


@on_postgresql
def test_a_claim_waits_for_events_that_are_being_accepted_and_then_knows_of_them(several: Several, ann: Database) -> None:
    key = ann.write_now(plan, "1")
    other, waits = several(), _waits_for_a_lock(several)
    inside, go_on = threading.Event(), threading.Event()

    def accepting(connection: Connection) -> None:
        append(connection, [event("exit", name="Order Completed")])
        inside.set()
        while not go_on.is_set():
            connection.exec_driver_sql("SELECT pg_sleep(0.01)")

    with ThreadPoolExecutor(2) as pool:
        accepted = pool.submit(other.write_now, accepting)
        assert inside.wait(PATIENCE)
        claimed = pool.submit(ann.write_now, claim, key)
        until(lambda: waits() or claimed.done())
        go_on.set()
        accepted.result(PATIENCE)
        with pytest.raises(NotCaughtUp):
            claimed.result(PATIENCE)


ROLLING, CALENDAR = Cap(1, timedelta(hours=1)), Cap(1, per="day")
WAITING = Cap(1, timedelta(hours=1), hold_up_to=timedelta(hours=2))


@pytest.mark.parametrize("cap", [ROLLING, CALENDAR, WAITING], ids=["rolling", "calendar", "waiting"])
def test_two_claims_at_once_do_not_both_take_the_last_place_under_a_cap(several: Several, ann: Database, cap: Cap) -> None:
    rules = GateRules(caps=(cap,))
    one, two = several(), several()
    for number in range(12):
        ann.write_now(lambda c: c.execute(sending.ledger.sends.update().values(claimed_at=None, state="suppressed")))
        keys = [ann.write_now(plan, f"{number}.{half}") for half in "ab"]
        results = side_by_side(lambda k=keys[0]: one.write_now(claim, k, rules), lambda k=keys[1]: two.write_now(claim, k, rules))
        assert len([r for r in results if isinstance(r, Claimed)]) == 1, results
        assert isinstance(next(r for r in results if not isinstance(r, Claimed)), Held if cap is WAITING else Suppressed)


def _same_mailbox(connection: Connection) -> None:
    """Write another person, and her entry."""
    connection.execute(insert(profiles).values(id="bob", traits={}, first_seen=NOW, last_seen=NOW))
    connection.execute(insert(consents).values(id="c-bob", profile_id="bob", purpose="marketing", granted=True, source="form", at=NOW))
    mine = connection.execute(select(entries).where(entries.c.id == "entry")).mappings().one()
    hers = {"id": "bob", "profile_id": "bob", "subject": "bob", "workflow_id": "journey:cart:bob"}
    connection.execute(insert(entries).values({**mine, **hers}))


CAPPED, ONCE = GateRules(caps=(ROLLING,), by_mailbox=True), GateRules(by_mailbox=True, once_there=True)


@pytest.mark.parametrize("rules", [CAPPED, ONCE], ids=["cap", "once"])
def test_two_claims_at_once_for_two_people_with_one_mailbox_do_not_both_take_the_last_place(
    several: Several, ann: Database, rules: GateRules
) -> None:
    one, two = several(), several()
    ann.write_now(_same_mailbox)
    for number in range(12):
        ann.write_now(lambda c: c.execute(sending.ledger.sends.update().values(claimed_at=None, state="suppressed")))
        keys = [ann.write_now(plan, str(number)), ann.write_now(plan, str(number), "bob", "Ann@EXAMPLE.com")]
        results = side_by_side(lambda k=keys[0]: one.write_now(claim, k, rules), lambda k=keys[1]: two.write_now(claim, k, rules))
        assert {type(result) for result in results} == {Claimed, Suppressed}, results


def test_one_send_is_claimed_once_however_many_ask(several: Several, ann: Database) -> None:
    opened = [several() for _ in range(4)]
    for number in range(8):

        def attempt(database: Database, step: str) -> Any:
            def work(connection: Connection) -> Any:
                return claim(connection, plan(connection, step))

            return database.write_now(work)

        results = side_by_side(*(lambda d=d, n=number: attempt(d, str(n)) for d in opened))
        assert len([r for r in results if isinstance(r, Claimed) and not r.again]) == 1
