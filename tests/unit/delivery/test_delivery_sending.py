"""The send protocol, step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from delivery_world import ANN, NOON, DeliveryWorld, FakeRendered
from sqlalchemy import delete, insert, select, update

from sojourn.clock import VirtualClock
from sojourn.delivery import ledger, sending
from sojourn.delivery.engagement import Engagement
from sojourn.delivery.gate import NamedHours
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted, AlreadySettled, Claimed, Held, NotAccepted, Refused, Suppressed, Unclear
from sojourn.delivery.providers import Klass, Receipt
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.rules import Cap
from sojourn.errors import NotCaughtUp, ProviderBusy, ProviderUnclear, Rejected
from sojourn.language.moments import Hours
from sojourn.store.tables import consents, cursors, inbound, links, messages, profiles, sends


class Unkeyed(Memory):
    """Memory that would take a second post for a second message."""

    klass = Klass.SMTP


class Failing(Memory):
    """Raises what it is told to."""

    def __init__(self, error: Exception, klass: Klass = Klass.SMTP) -> None:
        super().__init__()
        self.error, self.klass, self.posts = error, klass, 0

    async def deliver(self, message):
        self.posts += 1
        raise self.error


def claim(world: DeliveryWorld, provider=None, now=NOON, key=None):
    return world.db.write_now(sending.claim, key or world.key, now, world.rules, provider or Memory())


def settle(world: DeliveryWorld, outcome, attempt=None, emit=None):
    return world.db.write_now(sending.settle, world.key, outcome, NOON, attempt, emit)


def test_the_first_plan_of_a_key_is_frozen(world: DeliveryWorld) -> None:
    world.plan()
    world.plan(rendered=FakeRendered(subject="Another"))
    rows = world.db.read_now(lambda conn: conn.execute(select(messages)).all())
    assert [row.subject for row in rows] == ["Your cart waits"]
    assert world.states() == ["planned"]


def test_links_are_tracked_by_position_and_lead_to_what_was_written(world: DeliveryWorld) -> None:
    world.plan()
    stored = world.db.read_now(lambda conn: conn.execute(select(links.c.position, links.c.url).order_by(links.c.position)).all())
    assert [tuple(row) for row in stored] == [(0, "https://shop.example/cart?id=7&x=1"), (1, "https://shop.example/help")]
    row = world.db.read_now(lambda conn: conn.execute(select(messages)).one())
    assert world.links.click(world.key, 0) in row.html
    assert world.links.click(world.key, 1) in row.html
    assert world.links.click(world.key, 0) in row.text
    assert "shop.example/cart" not in row.text + row.html
    assert "mailto:help@shop.example" in row.html
    assert row.html.count(world.links.pixel(world.key)) == 1
    assert row.headers["List-Unsubscribe"] == f"<{world.links.unsubscribe(world.key)}>"


def test_a_claim_is_given_once_and_names_the_consent_it_stands_on(world: DeliveryWorld) -> None:
    world.plan()
    claimed = claim(world, Unkeyed())
    assert isinstance(claimed, Claimed)
    assert claimed.attempt == 1
    assert not claimed.again
    row = world.db.write_now(ledger.load, world.key)
    assert (row.state, row.consent_id, row.claimed_at) == (State.CLAIMED, "consent-1", NOON)
    assert ("consent", "pass") in world.checks()
    assert ("exit", "pass") in world.checks()


def test_a_claim_found_by_a_later_attempt_is_unknown_and_not_given_again(world: DeliveryWorld) -> None:
    world.plan()
    claim(world, Unkeyed())
    assert isinstance(claim(world, Unkeyed()), Unclear)
    assert isinstance(claim(world, Unkeyed()), Unclear)
    assert world.states() == ["planned", "claimed", "unknown"]


def test_why_a_send_is_where_it_is_stands_in_its_own_row_whatever_led_there(world: DeliveryWorld) -> None:
    world.plan()
    claim(world, Unkeyed())
    claim(world, Unkeyed())
    row = world.db.write_now(ledger.load, world.key)
    assert (row.state, row.reason) == (State.UNKNOWN, "a later attempt found it claimed: its post may have been accepted")
    world.db.write_now(sending.abandon, NOON + timedelta(hours=2))
    settle(world, Accepted("late"))
    row = world.db.write_now(ledger.load, world.key)
    assert (row.state, row.reason) == (State.ACCEPTED, "late evidence: accepted by memory")


def test_a_keyed_provider_may_be_posted_to_again_with_the_same_bytes(world: DeliveryWorld) -> None:
    world.plan()
    first, second = claim(world), claim(world, now=NOON + timedelta(hours=2))
    assert isinstance(first, Claimed)
    assert isinstance(second, Claimed)
    assert second.again
    assert second.attempt == 2
    assert second.message == first.message
    assert world.states() == ["planned", "claimed", "unknown", "claimed"]


def test_a_keyed_provider_is_not_posted_to_again_past_its_window(world: DeliveryWorld) -> None:
    class Short(Memory):
        key_window = timedelta(hours=1)

    world.plan()
    claim(world, Short())
    assert isinstance(claim(world, Short(), now=NOON + timedelta(hours=1)), Unclear)


@pytest.mark.parametrize("klass", [Klass.KEYED, Klass.SMTP])
def test_another_provider_than_the_first_never_gets_a_message_in_doubt(world: DeliveryWorld, klass: Klass) -> None:
    world.plan()
    claim(world, Memory())
    other = Memory()
    other.name, other.klass = "other", klass
    assert isinstance(claim(world, other), Unclear)


def test_withdrawn_consent_is_heeded_by_a_send_in_doubt(world: DeliveryWorld) -> None:
    world.plan()
    claim(world)
    world.write(consents, id="c2", profile_id=ANN, purpose="marketing", granted=False, source="link", at=NOON + timedelta(seconds=1))
    assert claim(world) == AlreadySettled("abandoned", "consent: marketing was withdrawn (link) on 2026-03-02 12:00")
    assert world.states() == ["planned", "claimed", "unknown", "abandoned"]


def test_what_is_settled_is_not_claimed_again(world: DeliveryWorld) -> None:
    world.plan()
    claim(world)
    settle(world, Accepted("id-1"), 1)
    assert claim(world) == AlreadySettled("accepted", None)


def test_events_not_yet_routed_refuse_a_claim_and_change_nothing(world: DeliveryWorld) -> None:
    world.plan()
    world.write(inbound, message_id="m", kind="track", name="Order Completed", user_id="u-ann", time=NOON, received_at=NOON, body={})
    with pytest.raises(NotCaughtUp):
        claim(world)
    assert world.states() == ["planned"]
    assert world.checks() == []
    world.write(cursors, name="router", seq=1)
    assert isinstance(claim(world), Claimed)


def test_events_of_others_do_not_keep_a_claim_waiting(world: DeliveryWorld) -> None:
    world.plan()
    world.write(inbound, message_id="m", kind="track", name="X", user_id="someone", time=NOON, received_at=NOON, body={})
    assert isinstance(claim(world), Claimed)


def test_an_identifier_of_a_merged_profile_counts_as_the_persons(world: DeliveryWorld) -> None:
    world.plan()
    world.write(profiles, id="winner", traits={}, first_seen=NOON, last_seen=NOON)
    world.db.write_now(lambda conn: conn.execute(update(profiles).where(profiles.c.id == ANN).values(merged_into="winner")))
    world.write(inbound, message_id="m", kind="track", name="X", user_id="u-ann", time=NOON, received_at=NOON, body={})
    with pytest.raises(NotCaughtUp):
        claim(world)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": "ended", "outcome": "purchased"}, "exit: the journey has ended: purchased"),
        ({"goal_at": NOON}, "goal: the goal is met already"),
        ({"holdout": True}, "holdout: this entry is in the holdout: it walks in shadow"),
    ],
)
def test_what_the_entry_says_suppresses_and_the_reason_is_kept(world: DeliveryWorld, change: dict, reason: str) -> None:
    world.plan()
    world.set_entry(**change)
    assert claim(world) == Suppressed(reason)
    row = world.db.write_now(ledger.load, world.key)
    assert (row.state, row.reason) == (State.SUPPRESSED, reason)
    assert isinstance(claim(world), AlreadySettled)


def test_no_consent_suppresses_unless_the_shop_asks_for_none_or_the_message_is_transactional(world: DeliveryWorld) -> None:
    world.db.write_now(lambda conn: conn.execute(delete(consents)))
    world.plan()
    assert claim(world) == Suppressed("consent: no consent to marketing")
    receipt = world.plan(world.another("2", purpose="transactional"))
    assert isinstance(claim(world, key=receipt.key), Claimed)
    world.rules = replace(world.rules, consent_needed=False)
    third = world.plan(world.another("3"))
    assert isinstance(claim(world, key=third.key), Claimed)


def test_an_unsubscribed_address_gets_receipts_but_no_marketing_and_a_bounced_one_nothing(world: DeliveryWorld) -> None:
    results = []
    cases = [("1", "marketing", "unsubscribed"), ("2", "transactional", "unsubscribed"), ("3", "transactional", "hard_bounce")]
    for step, purpose, reason in cases:
        world.rules = replace(world.rules, suppressed=lambda _conn, _address, _agreed, reason=reason: reason)
        results.append(claim(world, key=world.plan(world.another(step, purpose=purpose)).key))
    assert [type(result) for result in results] == [Suppressed, Claimed, Suppressed]


@pytest.mark.parametrize("address", ["", "ann", "ann@", "ann@@example.com", "ann@exa mple.com"])
def test_a_missing_or_broken_address_suppresses(world: DeliveryWorld, address: str) -> None:
    row = world.plan(world.another("2", to_address=address))
    assert isinstance(claim(world, key=row.key), Suppressed)


def test_what_may_not_stand_in_a_header_is_cleaned_before_the_message_is_frozen(world: DeliveryWorld) -> None:
    evil = "Hello\x00 \u202e=?utf-8?q?Bob=0D=0ABcc:_evil@example.com?="
    row = world.plan(world.another("2", to_name=f"{evil}\ud800"), rendered=FakeRendered(subject=evil))
    result = claim(world, key=row.key)
    assert isinstance(result, Claimed)
    assert (result.message.subject, result.message.to_name) == ("Hello = ?utf-8?q?Bob=0D=0ABcc:_evil@example.com?=",) * 2


def test_outside_the_hours_a_message_is_held_until_they_open_and_can_be_held_again(world: DeliveryWorld) -> None:
    world.rules = replace(world.rules, hours=(NamedHours("the shop's quiet hours", Hours.parse("09:00-12:00")),))
    world.plan()
    opens = NOON.replace(day=3, hour=8)  # 09:00 in Berlin
    assert claim(world) == Held(opens, "quiet_hours: the shop's quiet hours in Europe/Berlin")
    assert isinstance(claim(world, now=opens - timedelta(seconds=1)), Held)
    assert isinstance(claim(world, now=opens), Claimed)
    assert world.states() == ["planned", "held", "held", "claimed"]


def test_an_exit_while_held_suppresses(world: DeliveryWorld) -> None:
    world.rules = replace(world.rules, hours=(NamedHours("quiet", Hours.parse("09:00-12:00")),))
    world.plan()
    claim(world)
    world.set_entry(state="ended", outcome="purchased")
    assert isinstance(claim(world, now=NOON + timedelta(days=1)), Suppressed)


def test_caps_count_what_may_have_reached_the_person_and_nothing_else(world: DeliveryWorld) -> None:
    world.rules = replace(world.rules, caps=(Cap(2, timedelta(days=7)),))
    made = [world.plan(world.another(str(step))).key for step in range(6)]
    assert isinstance(claim(world, Unkeyed(), key=made[0]), Claimed)  # stays claimed
    assert isinstance(claim(world, Unkeyed(), key=made[1]), Claimed)
    world.db.write_now(sending.settle, made[1], Refused("no such mailbox"), NOON, 1)  # counts no more
    assert isinstance(claim(world, Unkeyed(), key=made[2]), Claimed)
    world.db.write_now(sending.settle, made[2], Unclear("lost"), NOON, 1)  # may have arrived: counts
    capped = claim(world, key=made[3])
    assert capped == Suppressed("cap: 2 of 2 messages in 7d are used up")
    receipt = world.plan(world.another("9", purpose="transactional")).key
    assert isinstance(claim(world, key=receipt), Claimed)
    assert isinstance(claim(world, key=made[4], now=NOON + timedelta(days=7)), Claimed)  # the window has passed


def test_abandoning_frees_no_cap(world: DeliveryWorld) -> None:
    world.rules = replace(world.rules, caps=(Cap(1, timedelta(days=7)),))
    first, second = world.plan().key, world.plan(world.another("2")).key
    claim(world, Unkeyed(), key=first)
    for _ in range(2):
        world.db.write_now(sending.abandon, NOON + timedelta(hours=2))
    assert world.states(first) == ["planned", "claimed", "unknown", "abandoned"]
    assert isinstance(claim(world, key=second, now=NOON + timedelta(hours=2)), Suppressed)


def test_only_proof_that_nothing_was_accepted_makes_a_send_planned_again(world: DeliveryWorld) -> None:
    world.plan()
    claim(world, Unkeyed())
    assert settle(world, NotAccepted("421"), 1).state is State.PLANNED
    again = claim(world, Unkeyed())
    assert isinstance(again, Claimed)
    assert again.attempt == 2
    assert not again.again


def test_a_second_attempts_refusal_does_not_deny_what_the_first_may_have_done(world: DeliveryWorld) -> None:
    for step, outcome in (("a", NotAccepted("busy")), ("b", Refused("no"))):
        key = world.plan(world.another(step)).key
        claim(world, key=key)
        claim(world, key=key)
        assert world.db.write_now(sending.settle, key, outcome, NOON, 2).state is State.UNKNOWN


def test_a_zombies_failure_says_nothing_about_the_attempt_after_it(world: DeliveryWorld) -> None:
    world.plan()
    claim(world)
    claim(world)
    assert settle(world, NotAccepted("busy"), 1).state is State.CLAIMED
    assert settle(world, Accepted("x"), 2).state is State.ACCEPTED
    assert settle(world, Accepted("x"), 1).state is State.ACCEPTED


def test_a_zombies_own_proof_frees_a_send_that_another_had_found_claimed(world: DeliveryWorld) -> None:
    world.plan()
    claim(world, Unkeyed())
    claim(world, Unkeyed())
    assert settle(world, NotAccepted("connect refused"), 1).state is State.PLANNED


def test_late_evidence_is_taken_and_told(world: DeliveryWorld) -> None:
    world.plan()
    claim(world, Unkeyed())
    for _ in range(2):
        world.db.write_now(sending.abandon, NOON + timedelta(hours=2))
    assert settle(world, Accepted("late"), None).state is State.ACCEPTED
    assert world.states()[-2:] == ["abandoned", "accepted"]


def test_a_send_that_will_not_be_asked_for_again_is_withdrawn(world: DeliveryWorld) -> None:
    world.plan()
    assert world.db.write_now(sending.withdraw, world.key, "the journey ended", NOON).state is State.SUPPRESSED
    assert world.db.write_now(sending.withdraw, world.key, "twice", NOON).reason == "the journey ended"


async def test_deliver_plans_claims_posts_settles_and_tells(world: DeliveryWorld) -> None:
    told: list[Engagement] = []
    memory = Memory()
    result = await sending.deliver(
        world.db, memory, world.key, VirtualClock(NOON), world.rules,
        emit=lambda _conn, event: told.append(event),
        prepare=lambda conn: sending.plan(conn, world.order, FakeRendered(), NOON, world.links),
    )  # fmt: skip
    assert isinstance(result, Accepted)
    assert list(memory.messages) == [world.key]
    assert world.states() == ["planned", "claimed", "accepted"]
    assert [(e.name, e.user_id, e.properties["send_key"]) for e in told] == [("Email Delivered", "u-ann", world.key)]
    again = await sending.deliver(world.db, memory, world.key, VirtualClock(NOON), world.rules, emit=lambda _c, e: told.append(e))
    assert again == AlreadySettled("accepted", None)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("error", "klass", "expected", "state"),
    [
        (ProviderBusy("421"), Klass.SMTP, ProviderBusy, State.PLANNED),
        (Rejected("550"), Klass.SMTP, Refused, State.REJECTED),
        (ProviderUnclear("lost"), Klass.SMTP, Unclear, State.UNKNOWN),
        (ProviderUnclear("lost"), Klass.KEYED, ProviderUnclear, State.UNKNOWN),
        (RuntimeError("a bug, with ann@example.com in it"), Klass.SMTP, Unclear, State.UNKNOWN),
    ],
)
async def test_each_failure_of_a_provider_ends_where_the_table_says(world: DeliveryWorld, error, klass, expected, state) -> None:
    world.plan()
    provider = Failing(error, klass)
    try:
        result: object = await sending.deliver(world.db, provider, world.key, VirtualClock(NOON), world.rules)
    except (ProviderBusy, ProviderUnclear) as raised:
        result = raised
    assert type(result) is expected
    row = world.db.write_now(ledger.load, world.key)
    assert (row.state, provider.posts) == (state, 1)
    assert "ann@" not in (row.reason or "")


async def test_a_worker_that_slept_between_claim_and_post_does_not_post(world: DeliveryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.plan()
    ticks = iter([0.0, 60.0])
    monkeypatch.setattr(sending, "monotonic", lambda: next(ticks))
    memory = Unkeyed()
    with pytest.raises(ProviderBusy):
        await sending.deliver(world.db, memory, world.key, VirtualClock(NOON), world.rules)
    assert memory.messages == {}
    assert world.states() == ["planned", "claimed", "planned"]


async def test_a_keyed_provider_gets_one_message_however_often_the_answer_is_lost(world: DeliveryWorld) -> None:
    class Forgetful(Memory):
        losses = 3

        async def deliver(self, message) -> Receipt:
            receipt = await super().deliver(message)
            if self.losses:
                self.losses -= 1
                raise ProviderUnclear("the answer was lost")
            return receipt

    world.plan()
    provider = Forgetful()
    for _ in range(3):
        with pytest.raises(ProviderUnclear):
            await sending.deliver(world.db, provider, world.key, VirtualClock(NOON), world.rules)
    assert isinstance(await sending.deliver(world.db, provider, world.key, VirtualClock(NOON), world.rules), Accepted)
    assert len(provider.messages) == 1
    assert world.db.read_now(lambda c: c.execute(select(sends.c.attempts)).scalar_one()) == 4


def test_the_writes_of_a_refused_claim_are_undone_together(world: DeliveryWorld) -> None:
    def plan_then_claim(conn):
        sending.plan(conn, world.order, FakeRendered(), NOON, world.links)
        conn.execute(insert(inbound).values(message_id="m", kind="track", name="X", user_id="u-ann", time=NOON, received_at=NOON, body={}))
        return sending.claim(conn, world.key, NOON, world.rules, Memory())

    with pytest.raises(NotCaughtUp):
        world.db.write_now(plan_then_claim)
    assert world.states() == []
