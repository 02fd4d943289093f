"""The ledger: its transitions are one table, and its keys name one thing each."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from delivery_world import NOON, WORKSPACE, DeliveryWorld
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from sojourn.delivery import ledger
from sojourn.delivery.ledger import ALLOWED, NotAllowed, State, send_key
from sojourn.store.tables import sends, transitions

parts = st.tuples(st.text(max_size=6), st.text(max_size=6), st.integers(0, 30))


@given(parts, parts)
def test_two_sends_have_one_key_only_where_they_are_one(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    assert (send_key(WORKSPACE, *one) == send_key(WORKSPACE, *other)) == (one == other)


def test_a_key_differs_by_workspace_and_cannot_be_shifted_between_fields() -> None:
    assert send_key(WORKSPACE, "a", "b") != send_key(UUID(int=7), "a", "b")
    assert send_key(WORKSPACE, "1:a", "b") != send_key(WORKSPACE, "1", "a:b")
    assert send_key(WORKSPACE, "entry", "3.then.0") == "93b4cb67-d9ae-5771-ac4e-52cf272f971e"  # a change would send all twice


@pytest.mark.parametrize("before", list(State))
@pytest.mark.parametrize("after", list(State))
def test_only_what_the_table_allows_can_happen_and_each_step_is_kept(world: DeliveryWorld, before: State, after: State) -> None:
    world.plan()
    world.db.write_now(lambda conn: conn.execute(update(sends).values(state=before.value)))
    send = world.db.write_now(ledger.load, world.key)
    if after in ALLOWED[before]:
        assert world.db.write_now(ledger.move, send, after, "because", NOON) == replace(send, state=after, reason="because")
        assert world.db.write_now(ledger.load, world.key) == replace(send, state=after, reason="because")
        last = world.db.read_now(lambda conn: conn.execute(select(transitions).order_by(transitions.c.id.desc())).first())
        assert last is not None
        assert (last.from_state, last.to_state, last.because) == (before.value, after.value, "because")
    else:
        with pytest.raises(NotAllowed):
            world.db.write_now(ledger.move, send, after, "because", NOON)
        assert world.states() == ["planned"]


def test_no_state_but_a_claim_leads_to_a_post_and_nothing_leads_out_of_what_is_certain() -> None:
    posted_or_evident = {State.CLAIMED, State.UNKNOWN, State.ABANDONED, State.PLANNED, State.HELD}
    assert {state for state, to in ALLOWED.items() if State.ACCEPTED in to} == posted_or_evident
    assert all(not ALLOWED[state] for state in (State.ACCEPTED, State.REJECTED, State.SUPPRESSED))
    assert set(ALLOWED) == {None, *State}
