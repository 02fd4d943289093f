"""A claim waits for every acknowledged event that reaches the person, by whatever it names them (P3)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from delivery_world import ANN, NOON, make_world

from sojourn.delivery import facts
from sojourn.errors import NotCaughtUp
from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope
from sojourn.store.tables import identifiers


@pytest.fixture
def world():
    made = make_world()
    for kind, value in (
        ("email", "ann@shop.example"),
        ("crm_id", 'se"ven\\7'),
        ("anonymous_id", "ann-browser"),
        ("nobody:user_id", "null"),
    ):
        made.write(identifiers, kind=kind, value=value, profile_id=ANN, since=NOON)
    return made


def said(**given):
    return Envelope(**{"message_id": "m", "kind": "track", "name": "X", "time": NOON, "received_at": NOON, **given})


REACH = {
    "the user id": said(user_id="u-ann"),
    "the browser": said(anonymous_id="ann-browser"),
    "an address in traits": said(kind="identify", anonymous_id="new", traits={"email": " ANN@shop.example"}),
    "an external id": said(context={"externalIds": [{"type": "crm_id", "id": 'se"ven\\7'}]}),
    "an alias's previous id": said(kind="alias", user_id="new", previous_id="u-ann"),
    "the profile": said(user_id="other", profile_id=ANN),
    "a placeholder that is kept apart": said(user_id="null"),
}
PASS = {
    "another user": said(user_id="u-bob"),
    "another address": said(kind="identify", anonymous_id="new", traits={"email": "bob@shop.example"}),
    "another kind of the same value": said(context={"externalIds": [{"type": "stripe_id", "id": 'se"ven\\7'}]}),
}


@pytest.mark.parametrize("by", REACH)
def test_an_acknowledged_event_is_waited_for(world, by):
    world.db.write_now(append, [REACH[by]])
    with pytest.raises(NotCaughtUp):
        world.db.read_now(facts.caught_up, [ANN])


@pytest.mark.parametrize("by", PASS)
def test_events_of_others_are_not_waited_for(world, by):
    world.db.write_now(append, [PASS[by]])
    world.db.read_now(facts.caught_up, [ANN])


def test_a_visitor_who_became_the_person_before_is_waited_for(world):
    """The exit names only a browser; that it is the person's, only another event that waits tells."""
    world.db.write_now(append, [REACH["an address in traits"], said(message_id="exit", name="Order Completed", anonymous_id="new")])
    with pytest.raises(NotCaughtUp):
        world.db.read_now(facts.caught_up, [ANN])
