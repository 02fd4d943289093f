"""Segments in a shop of virtual time: who is in, lists, merges and edits, all in one test's text."""

from __future__ import annotations

import pytest

from sojourn.errors import NotFound, SojournError
from sojourn.language.model import Segment
from sojourn.testing import Shop

LOOKED = """\
segment: looked
description: Looked within an hour.
members: did("Looked", within="1h")
"""
BOTH = Segment(segment="both", description="Looked and bought.", members='did("Looked") and did("Bought")')


def test_who_is_in_a_segment_is_told_to_the_second() -> None:
    with Shop(segments=[LOOKED]) as shop:
        shop.track("ada", "Looked")
        assert shop.members("looked") == ["ada"]
        shop.advance("59m 59s")
        assert shop.in_segment("ada", "looked")
        shop.advance("1s")
        assert not shop.in_segment("ada", "looked")
        assert shop.members("looked") == []


def test_a_segment_may_be_a_model_beside_yaml_and_an_unknown_one_is_said() -> None:
    with Shop(segments=[LOOKED, BOTH]) as shop:
        shop.track("ada", "Looked")
        shop.track("ada", "Bought")
        assert shop.members("both") == ["ada"]
        with pytest.raises(NotFound, match="looked"):
            shop.members("loked")


def test_who_is_merged_by_hand_is_in_what_both_make_and_out_of_it_when_taken_apart() -> None:
    with Shop(segments=[BOTH]) as shop:
        shop.track("ada", "Looked")
        shop.track(None, "Bought", anonymous_id="visitor")
        visitor = shop.profile("visitor").id
        assert shop.members("both") == []
        shop.merge("ada", "visitor")
        assert shop.members("both") == ["ada"]
        shop.unmerge(visitor)
        assert shop.members("both") == []


def test_a_merge_past_the_limits_is_refused_with_its_reason() -> None:
    with Shop(segments=[BOTH]) as shop:
        for i in range(6):
            shop.track(f"user-{i}", "Looked")
        for i in range(1, 5):
            shop.merge("user-0", f"user-{i}")
        with pytest.raises(SojournError, match="more identifiers of a kind than the rules allow"):
            shop.merge("user-0", "user-5")


def test_an_edited_definition_holds_at_once_and_whoever_both_hold_for_never_leaves() -> None:
    with Shop(segments=[LOOKED]) as shop:
        shop.track("ada", "Looked")
        shop.track("bob", "Looked")
        shop.advance("2h")
        shop.track("bob", "Looked")
        shop.deploy(segments=[LOOKED.replace("1h", "1d")])
        assert shop.members("looked") == ["ada", "bob"]
        told = [line for line in shop._read(_told) if line[1] == shop.profile("bob").id]
        assert told == [("Segment Entered", shop.profile("bob").id), ("Segment Exited", shop.profile("bob").id)] * 1 + [
            ("Segment Entered", shop.profile("bob").id)
        ]


def _told(connection):
    from sqlalchemy import select

    from sojourn.store.tables import events

    query = select(events.c.name, events.c.profile_id).where(events.c.name.like("Segment %")).order_by(events.c.seq)
    return [tuple(row) for row in connection.execute(query)]


def test_a_shop_without_segments_comes_to_rest_after_a_trait_was_set() -> None:
    journey = "journey: sets\ndescription: Sets a trait.\nenter: {on: Began}\nsteps: [{set: {plan: gold}}, {end: done}]\n"
    with Shop(journeys=[journey]) as shop:
        shop.identify("ada")
        shop.track("ada", "Began")
        assert shop.outcome("ada", "sets") == "done"
