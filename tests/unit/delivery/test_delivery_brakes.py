"""Brakes: what counts, when they are pulled, and that they cost the gate next to nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from delivery_world import ANN, ENTRY, NOON, WORKSPACE, DeliveryWorld
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event, insert

from sojourn.delivery import brakes, facts
from sojourn.delivery.brakes import ALARM, BOUNCED, HALT, SPAM, WHOLE_SHOP, Answer
from sojourn.delivery.ledger import send_key
from sojourn.errors import NotFound
from sojourn.language.shop import BrakeRule, Brakes
from sojourn.store.tables import sends

RULES = Brakes(complaints=BrakeRule(alarm="1%", halt="3%"), bounces=BrakeRule(alarm="2%", halt="5%"), at_least=100)
HOUR = timedelta(hours=1)


def sent(world: DeliveryWorld, count: int, journey: str = "cart", purpose: str = "marketing", at: timedelta = timedelta()) -> list[str]:
    """Let messages have been accepted, and return their keys."""
    keys = [send_key(WORKSPACE, ENTRY, f"{journey}.{purpose}.{at}.{i}") for i in range(count)]
    rows = [
        {
            "key": key, "entry_id": ENTRY, "profile_id": ANN, "journey": journey, "step": str(i), "send_id": "s", "content": "c",
            "purpose": purpose, "state": "accepted", "created_at": NOON + at, "claimed_at": NOON + at, "attempts": 1, "provider": "memory",
        }
        for i, key in enumerate(keys)
    ]  # fmt: skip
    world.db.write_now(lambda conn: conn.execute(insert(sends), rows))
    return keys


def hear(world: DeliveryWorld, keys: list[str], name: str = BOUNCED, at: timedelta = HOUR, **properties: object) -> list[tuple[str, str]]:
    raised = world.db.write_now(brakes.notice, [Answer(name, key, dict(properties)) for key in keys], RULES, NOON + at)
    return [(brake.journey, brake.level) for brake in raised]


def test_a_share_from_the_alarm_on_is_said_once_and_from_the_halt_on_halts(world: DeliveryWorld) -> None:
    keys = sent(world, 100)
    assert hear(world, keys[:1]) == []
    assert hear(world, keys[1:2]) == [(WHOLE_SHOP, ALARM), ("cart", ALARM)]
    assert hear(world, keys[2:4]) == []
    assert world.db.read_now(brakes.standing, "cart") is None
    assert hear(world, keys[4:5]) == [(WHOLE_SHOP, HALT), ("cart", HALT)]
    assert hear(world, keys[5:9]) == []
    standing = world.db.read_now(brakes.standing, "cart")
    assert standing is not None
    assert (standing.name, standing.because) == ("cart", "5 of 100 messages in 24h bounced (5.00%; halt at 5%)")
    assert world.db.read_now(brakes.standing, "other").name == "the whole shop"


def test_one_message_counts_once_however_often_it_is_told(world: DeliveryWorld) -> None:
    keys = sent(world, 100)
    for _ in range(46):
        assert hear(world, keys[:1]) == []


def test_fewer_messages_than_it_takes_halt_nothing(world: DeliveryWorld) -> None:
    keys = sent(world, 99)
    assert hear(world, keys) == []


def test_soft_bounces_transactional_messages_and_unknown_keys_count_for_nothing(world: DeliveryWorld) -> None:
    keys, receipts = sent(world, 100), sent(world, 100, purpose="transactional")
    assert hear(world, keys, type="Transient") == []
    assert hear(world, receipts) == []
    assert hear(world, [send_key(WORKSPACE, "nobody", "1"), ""]) == []


def test_only_what_was_sent_and_went_wrong_within_the_window_counts(world: DeliveryWorld) -> None:
    old, fresh = sent(world, 300), sent(world, 100, at=timedelta(hours=30))
    assert hear(world, old[:2]) == []
    assert hear(world, fresh[:4], at=timedelta(hours=31)) == [(WHOLE_SHOP, ALARM), ("cart", ALARM)]


def test_one_journey_of_several_is_halted_and_the_whole_shop_only_by_its_own_share(world: DeliveryWorld) -> None:
    bad = sent(world, 100)
    sent(world, 900, journey="news")
    assert hear(world, bad[:6], name=SPAM) == [("cart", HALT)]
    assert world.db.read_now(brakes.standing, "news") is None
    assert world.db.read_now(facts.brakes.standing, "cart") is not None


def test_after_a_release_what_went_wrong_before_counts_no_more(world: DeliveryWorld) -> None:
    keys = sent(world, 100)
    hear(world, keys[:9])
    for journey in ("cart", WHOLE_SHOP):
        world.db.write_now(brakes.release, journey, "the list was cleaned", NOON + 2 * HOUR)
    assert world.db.read_now(brakes.standing, "cart") is None
    later = sent(world, 100, at=3 * HOUR)
    assert hear(world, keys[9:20], at=4 * HOUR)  # eleven of the hundred that were sent since
    assert hear(world, later[:1], at=5 * HOUR) == []
    every = world.db.read_now(lambda conn: brakes.listed(conn, every=True))
    assert {brake.released_because for brake in every if brake.released_at} == {"the list was cleaned"}
    with pytest.raises(NotFound, match="no brake is on for news"):
        world.db.write_now(brakes.release, "news", "why", NOON)


def test_a_share_below_the_alarm_is_known_without_counting_every_message(world: DeliveryWorld) -> None:
    keys = sent(world, 3_000)
    limits: list[int] = []

    def seen(_conn: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "FROM sends" in statement and "LIMIT" in statement:
            limits.extend(one for one in tuple(parameters) if isinstance(one, int) and 0 < one <= 3_000)

    def counting(conn: Connection) -> None:
        event.listen(conn, "before_cursor_execute", seen)
        brakes.notice(conn, [Answer(BOUNCED, keys[0], {})], RULES, NOON + HOUR)

    world.db.write_now(counting)
    assert limits == [100, 100]  # one bounce of fifty would be the alarm: a hundred are enough, for the journey and for the shop


KINDS = st.sampled_from(["hard", "soft", "Transient", "Permanent", 5])


@given(st.dictionaries(st.sampled_from(["type", "bounce_type", "kind", "bounce"]), KINDS))
def test_a_bounce_is_hard_unless_it_is_said_to_be_soft(properties: dict[str, object]) -> None:
    soft = any(str(value).lower() in ("soft", "transient") for value in properties.values())
    assert (brakes.kind_of(BOUNCED, properties) is None) == soft
    assert brakes.kind_of(BOUNCED, {"hard": False}) is None
    assert brakes.kind_of(SPAM, properties) == brakes.COMPLAINT
    assert brakes.kind_of("Email Opened", properties) is None
