"""What an import, an edit or a list makes of segments is kept and told, and mails nobody; what happens, and time, does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from sojourn.bulk.importing import Import
from sojourn.bulk.mapping import Kind
from sojourn.bulk.ordering import Order
from sojourn.bulk.policy import Policy
from sojourn.customers.segments import lists
from sojourn.intake.emit import tell
from sojourn.store.tables import events
from sojourn.testing import Shop

SHIPPED = Path(__file__).resolve().parents[3] / "journeys"
SILENT = """
segment: silent
description: Bought once, and not lately.
members: did("Order Completed") and not did("Order Completed", within="30d")
"""
BUYER = "segment: buyer\ndescription: Has bought.\nmembers: did('Order Completed') or profile.vip == true"
CHOSEN = "segment: chosen\ndescription: By hand.\nlist: manual"
ON = """
journey: on_{segment}
purpose: transactional
description: Greets whoever comes into {segment}.
enter: {{on: Segment Entered, if: event.segment == "{segment}"}}
leave: [{{on: Segment Exited, if: event.segment == "{segment}", as: left}}]
steps: [{{wait: 10d}}, {{end: done}}]
"""
ANY = """
journey: on_any
purpose: transactional
description: Hears of every change of a segment.
enter: {on: Began}
steps:
  - wait_for: Segment Entered
    up_to: 5d
    then: [{end: heard}]
    else: [{end: heard_nothing}]
"""


def on(*segments: str) -> list[str]:
    return [ON.format(segment=segment) for segment in segments]


def bring(shop: Shop, folder: Path, kind: Kind, rows: Iterable[dict[str, object]], *, live: bool = False) -> None:
    """Import rows as the command does, and let follow what follows at this moment."""
    path = folder / f"{kind}-{len(list(folder.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    definitions = shop._checked.definitions
    policy = Policy(definitions.profile, definitions.shop, definitions.events)
    Import(shop._engine.store, Order(path, kind, live=live), lambda: shop.now, policy=policy).run()
    shop.advance("0s")


def orders(people: Iterable[str], at: datetime) -> list[dict[str, object]]:
    return [{"user_id": one, "event": "Order Completed", "time": at.isoformat(), "order_id": f"o-{one}", "revenue": 40} for one in people]


def causes(shop: Shop) -> Counter[tuple[str, str, str | None]]:
    rows = shop._read(
        lambda connection: connection.execute(select(events.c.name, events.c.properties).where(events.c.name.like("Segment %"))).all()
    )
    return Counter((row.name, row.properties["segment"], row.properties.get("cause")) for row in rows)


# -- an import ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["the people", "the definitions"])
def test_an_import_of_history_begins_no_journey_and_mails_nobody(tmp_path: Path, first: str) -> None:
    people = [f"customer-{i}" for i in range(60)]
    with Shop(journeys_dir=SHIPPED) if first == "the definitions" else Shop(settings=(SHIPPED / "shop.yaml").read_text()) as shop:
        august = shop.now - timedelta(days=140)
        who = [{"user_id": one, "email": f"{one}@shop.example", "consent.marketing": True, "time": august.isoformat()} for one in people]
        bring(shop, tmp_path, Kind.profiles, who)
        bring(shop, tmp_path, Kind.events, orders(people, august))
        if first == "the people":  # as on a shop's first day, before `up`
            shop.deploy(journeys_dir=SHIPPED)
        assert set(shop.members("dormant")) == set(people)
        shop.advance("7d")
        assert [shop.entries(one) for one in people] == [[]] * 60
        assert [shop.sends(one) for one in people] == [[]] * 60
        assert {cause for _, _, cause in causes(shop)} <= {"import", "edit", "time"}
        assert causes(shop)["Segment Entered", "dormant", "edit" if first == "the people" else "import"] == 60
        assert any("import" in one.reason or "edit" in one.reason for one in shop.refusals("customer-7"))


def test_the_time_that_passes_after_an_import_moves_people(tmp_path: Path) -> None:
    with Shop(segments=[SILENT], journeys=on("silent")) as shop:
        bring(shop, tmp_path, Kind.events, orders(["long_ago"], shop.now - timedelta(days=90)))
        bring(shop, tmp_path, Kind.events, orders(["lately"], shop.now - timedelta(days=29)))
        assert shop.members("silent") == ["long_ago"]
        shop.advance("1d 1s")
        assert shop.members("silent") == ["lately", "long_ago"]
        assert shop.entries("long_ago") == []
        assert len(shop.entries("lately")) == 1
        assert causes(shop) == {("Segment Entered", "silent", "import"): 1, ("Segment Entered", "silent", "time"): 1}


def test_an_imported_order_ends_nobodys_journey_and_is_known_to_conditions(tmp_path: Path) -> None:
    asks = "journey: asks\npurpose: transactional\ndescription: Asks.\nenter: {on: Began}\n"
    asks += "steps: [{wait: 1d}, {if: did('Order Completed'), then: [{end: bought}]}]"
    with Shop(segments=[SILENT, BUYER], journeys=[*on("silent"), ANY, asks]) as shop:
        shop.track("ann", "Order Completed")
        shop.advance("31d")
        shop.track("bob", "Began")
        assert len(shop.entries("ann")) == 1
        bring(shop, tmp_path, Kind.events, orders(["ann", "bob"], shop.now - timedelta(days=1)))
        assert shop.members("silent") == []
        assert causes(shop)["Segment Exited", "silent", "import"] == 1
        assert shop.entries("ann")[0].state == "running"  # told that she left, by an import: nothing that she did
        shop.advance("6d")
        assert shop.outcome("bob", "on_any") == "heard_nothing"
        assert shop.outcome("bob", "asks") == "bought"


def test_an_event_right_after_an_import_is_not_taken_for_what_the_import_brought(tmp_path: Path) -> None:
    looked = "segment: looked\ndescription: Looked.\nmembers: did('Product Viewed') and did('Order Completed')"
    with Shop(segments=[SILENT, BUYER, looked], journeys=on("silent", "buyer", "looked")) as shop:
        path = tmp_path / "orders.jsonl"
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in orders(["ann"], shop.now - timedelta(days=90))))
        Import(shop._engine.store, Order(path, Kind.events), lambda: shop.now).run()  # and nobody has judged her yet
        shop.identify("ann", {"email": "ann@shop.example"})
        shop.track("ann", "Product Viewed")
        assert causes(shop) == {
            ("Segment Entered", "silent", "import"): 1, ("Segment Entered", "buyer", "import"): 1, ("Segment Entered", "looked", "event"): 1
        }  # fmt: skip
        assert [entry.journey for entry in shop.entries("ann")] == ["on_looked"]


def test_an_import_of_people_with_live_lets_journeys_hear_a_few_a_minute(tmp_path: Path) -> None:
    people = [f"p{i:03}" for i in range(150)]
    rows = [{"user_id": one, "vip": True, "time": "2025-12-01T00:00:00Z"} for one in people]
    with Shop(segments=[BUYER], journeys=on("buyer")) as shop:
        bring(shop, tmp_path, Kind.profiles, rows, live=True)
        assert len(shop.members("buyer")) == 150
        begun = []
        for _ in range(4):
            begun.append(sum(len(shop.entries(one)) for one in people))
            shop.advance("59s")
        assert begun[0] <= 1
        assert begun[1:] == [60, 119, 150]
        assert causes(shop) == {("Segment Entered", "buyer", "import"): 150}


def test_who_is_out_again_before_their_turn_begins_nothing(tmp_path: Path) -> None:
    with Shop(segments=[BUYER], journeys=on("buyer")) as shop:
        rows = [{"user_id": f"p{i}", "vip": True, "time": "2025-12-01T00:00:00Z"} for i in range(9)]
        bring(shop, tmp_path, Kind.profiles, rows, live=True)
        for i in range(9):
            shop.identify(f"p{i}", {"vip": False})
        shop.advance("1m")
        assert sum(entry.state == "running" for i in range(9) for entry in shop.entries(f"p{i}")) == 0
        assert sum(len(shop.entries(f"p{i}")) for i in range(9)) <= 1


# -- an edit -----------------------------------------------------------------------------------------


def test_a_segment_that_is_new_or_edited_begins_and_ends_no_journey() -> None:
    wider = SILENT.replace("30d", "300d")
    with Shop(segments=[SILENT], journeys=on("silent")) as shop:
        for one in ("ann", "bob"):
            shop.track(one, "Order Completed")
        shop.advance("31d")
        assert [len(shop.entries(one)) for one in ("ann", "bob")] == [1, 1]
        shop.deploy(segments=[wider, BUYER], journeys=on("silent", "buyer"))
        assert shop.members("silent") == []
        assert len(shop.members("buyer")) == 2
        assert [[entry.journey for entry in shop.entries(one) if entry.state == "running"] for one in ("ann", "bob")] == [["on_silent"]] * 2
        shop.track("cat", "Order Completed")  # who comes by what she does, begins
        assert [entry.journey for entry in shop.entries("cat")] == ["on_buyer"]
        found = causes(shop)
        assert found["Segment Exited", "silent", "edit"] == 2
        assert found["Segment Entered", "buyer", "edit"] == 2
        assert found["Segment Entered", "buyer", "event"] == 1


def test_whoever_acts_while_a_definition_is_gone_through_is_not_taken_for_new_in_it() -> None:
    with Shop(segments=[SILENT], journeys=on("silent")) as shop:
        for i in range(8):
            shop.track(f"p{i}", "Order Completed")
        definitions = Shop(segments=[BUYER], journeys=on("buyer"))._checked
        engine = shop._engine

        async def change_without_building() -> None:
            from sojourn.customers.segments import rebuild
            from sojourn.travel.registry import Registry

            engine.registry = Registry(definitions.definitions)
            await engine.store.write(engine.registry.store, engine.clock.now())
            await engine.store.write(rebuild.sync, engine.registry.book, engine.clock.now())

        shop._run(change_without_building())
        for i in range(8):
            shop.identify(f"p{i}", {"city": "Rome"})  # all of them is judged anew
        shop.track("new", "Order Completed")
        assert all(shop.in_segment(f"p{i}", "buyer") for i in range(8))
        assert [shop.entries(f"p{i}") for i in range(8)] == [[]] * 8
        assert [entry.journey for entry in shop.entries("new")] == ["on_buyer"]


@pytest.mark.parametrize("live", [False, True])
def test_a_list_begins_journeys_only_where_it_says_so(live: bool) -> None:
    with Shop(segments=[CHOSEN], journeys=on("chosen")) as shop:
        ids = [shop.identify(f"p{i}").id for i in range(5)]
        shop._run(shop._engine.store.write(lists.add, "chosen", ids, shop.now, tell, live=live))
        shop.advance("10s")
        assert len(shop.members("chosen")) == 5
        assert sum(len(shop.entries(f"p{i}")) for i in range(5)) == (5 if live else 0)
        shop._run(shop._engine.store.write(lists.remove, "chosen", ids, shop.now, tell, live=live))
        shop.advance("10s")
        assert {entry.outcome for i in range(5) for entry in shop.entries(f"p{i}")} == ({"left"} if live else set())


def test_who_is_merged_by_hand_comes_into_segments_by_an_edit_and_by_an_event_where_an_event_says_so() -> None:
    both = "segment: both\ndescription: Looked and bought.\nmembers: did('Looked') and did('Bought')"
    with Shop(segments=[both], journeys=on("both")) as shop:
        shop.track("ann", "Looked")
        shop.track(None, "Bought", anonymous_id="visitor")
        shop.merge("ann", "visitor")
        shop.track("bob", "Looked")
        shop.track(None, "Bought", anonymous_id="browser")
        shop.identify("bob", anonymous_id="browser")
        assert shop.members("both") == ["ann", "bob"]
        assert causes(shop) == {("Segment Entered", "both", "edit"): 1, ("Segment Entered", "both", "event"): 1}
        assert (len(shop.entries("ann")), len(shop.entries("bob"))) == (0, 1)


def test_a_trait_that_a_journey_sets_is_an_event() -> None:
    sets = "journey: sets\npurpose: transactional\ndescription: Sets.\nenter: {on: Began}\nsteps: [{set: {vip: true}}, {end: done}]"
    with Shop(segments=[BUYER], journeys=[sets, *on("buyer")]) as shop:
        shop.track("ann", "Began")
        assert causes(shop) == {("Segment Entered", "buyer", "event"): 1}
        assert {entry.journey for entry in shop.entries("ann")} == {"sets", "on_buyer"}
