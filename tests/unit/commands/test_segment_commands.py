"""`sojourn segment …`, on the data of a shop in virtual time whose clock then stands still."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from console_script import app
from segment_world import SEGMENTS, World, a_life, fresh_world, ids
from sqlalchemy import delete, insert, select, update
from typer.testing import CliRunner

from sojourn.customers.segments import live, rebuild
from sojourn.language.loader import load, load_segment
from sojourn.store.tables import segment_builds, segment_members, segment_releases

__all__ = ["a_life", "fresh_world"]

# -- looking ---------------------------------------------------------------------------------------


def test_list_says_of_every_segment_how_many_are_in_it_and_how_it_stands(world: World) -> None:
    said = world.run("list").stdout
    assert re.search(r"buyers +condition +2 +live", said)
    assert re.search(r"silent +condition +1 +live", said)
    assert re.search(r"vip +list: manual +0 +kept", said)
    assert "Met us at the fair." in said


def test_list_keeps_its_lines_in_eighty_columns(world: World) -> None:
    options = ["--journeys", str(world.journeys), "--data-dir", str(world.data)]
    lines = CliRunner().invoke(app, ["segment", "list", *options], env={"COLUMNS": "80"}).stdout.splitlines()
    assert len(lines) <= 1 + 3 * len(SEGMENTS)


def test_a_segment_in_which_nobody_is_gives_no_rows_and_no_error(world: World, tmp_path: Path) -> None:
    options = ["--journeys", str(world.journeys), "--data-dir", str(world.data)]
    exported = CliRunner().invoke(app, ["export", "segment", "vip", str(tmp_path / "vip.csv"), *options])
    assert exported.exit_code == 0
    assert "0 rows" in exported.output
    mistyped = CliRunner().invoke(app, ["export", "segment", "vipp", str(tmp_path / "vip.csv"), *options])
    assert "did you mean `vip`" in mistyped.output


def test_a_persons_story_names_the_segment_that_they_entered(world: World) -> None:
    said = CliRunner().invoke(app, ["profile", "bob", "--data-dir", str(world.data)], env={"COLUMNS": "200"}).stdout
    assert re.search(r"Segment Entered — silent", said)


def test_a_mistyped_data_folder_is_not_made(world: World, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["profile", "bob", "--data-dir", str(tmp_path / "vra")])
    assert "there is no data at" in done.output
    assert not (tmp_path / "vra").exists()


def test_list_says_how_far_a_build_is_and_what_is_not_in_force(world: World) -> None:
    halfway = update(segment_builds).where(segment_builds.c.segment == "silent").values(state="building", done=42, total=100)
    world.database.write_now(lambda connection: connection.execute(halfway))
    (world.journeys / "segments" / "fresh.yaml").write_text('segment: fresh\ndescription: d\nmembers: did("Signed Up")\n')
    (world.journeys / "segments" / "buyers.yaml").write_text(SEGMENTS["buyers"].replace("30d", "60d"))
    said = world.run("list").stdout
    assert re.search(r"silent .* edited, not in force yet", said)  # it names buyers, which was edited
    assert re.search(r"fresh .* not in force yet", said)
    (world.journeys / "segments" / "buyers.yaml").write_text(SEGMENTS["buyers"])
    assert re.search(r"silent .* building 42%", world.run("list").stdout)


def test_preview_shows_who_is_in_a_segment_by_the_page(world: World) -> None:
    said = world.run("preview", "buyers", "--limit", "1").stdout
    assert "2 of 3 people (66.7%)" in said
    assert len({"ann", "bob"} & set(said.split())) == 1
    assert "and 1 more; --page 2" in said
    second = world.run("preview", "buyers", "--limit", "1", "--page", "2").stdout
    assert ({"ann", "bob"} & set(said.split())) | ({"ann", "bob"} & set(second.split())) == {"ann", "bob"}
    assert "there is no page 3; the last is 2" in world.run("preview", "buyers", "--limit", "1", "--page", "3").stdout


def test_preview_of_an_edit_shows_who_would_come_and_who_would_go_and_changes_nothing(world: World) -> None:
    before = world.members("silent"), world.told()
    said = world.run("preview", "silent", "--members", 'did("Session Started") or profile.email == "cat@example.com"').stdout
    assert "2 would come" in said
    assert "1 would go" in said
    assert {line for line in said.splitlines() if line[:2] in ("+ ", "- ")} == {"+ ann", "+ cat", "- bob"}
    assert (world.members("silent"), world.told()) == before


def test_preview_of_a_condition_that_has_no_segment_yet(world: World) -> None:
    said = world.run("preview", "--members", 'not segment.buyers and days_since(profile.nothing) < 3 or profile.email == "cat@example.com"')
    assert "1 of 3 people" in said.stdout
    assert "has 1 member, fewer than 100" in said.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("preview", "buyer"), "did you mean `buyers`?"),
        (("preview",), "name a segment, or give a condition"),
        (("preview", "--members", "event.price > 3"), "no one event"),
        (("preview", "--members", "days_since(profile.x) == 3"), "holds for an instant only"),
        (("preview", "--members", "segment.buyerz"), "did you mean `buyers`?"),
        (("preview", "buyers", "--members", "segment.silent"), "part of its own definition"),
        (("preview", "--members", 'did("A" and'), "--members, character"),
        (("size", "silnt"), "did you mean `silent`?"),
        (("size", "silent", "--over", "a while"), "--over"),
        (("explain", "silent", "nobody"), "no profile has this id"),
        (("explain", "silent", "ann", "--at", "yesterday"), "write a moment such as"),
        (("add", "buyers", "ann"), "is told by its condition"),
        (("rebuild", "vip"), "is a list"),
        (("freeze", "buyers", "vip"), "there is a segment `vip` already"),
        (("freeze", "buyers", "Big Ones"), "cannot be a segment's name"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(world: World, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in world.run(*arguments, code=1).stderr


def test_size_tells_how_many_there_were_at_each_moment(world: World, tmp_path: Path) -> None:
    picture = tmp_path / "buyers.svg"
    body = json.loads(world.run("size", "buyers", "--over", "20d", "--steps", "5", "--json", "--svg", str(picture)).stdout)
    assert [one["members"] for one in body["sizes"]] == [0, 0, 2, 2, 2]  # they bought 10 days ago
    assert datetime.fromisoformat(body["sizes"][-1]["at"]) - datetime.fromisoformat(body["sizes"][0]["at"]) == timedelta(days=20)
    assert (body["sampled"], {one["error"] for one in body["sizes"]}) == (False, {0})
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    said = world.run("size", "buyers", "--over", "20d", "--steps", "5").stdout
    assert "█" in said
    assert "0 → 2 (+2)" in said


def test_size_of_a_list_follows_who_came_and_went(world: World) -> None:
    with_list = [("ann", 3, live.ENTERED), ("bob", 2, live.ENTERED), ("ann", 1, live.EXITED)]
    from sojourn.store.tables import events

    for i, (user, days, name) in enumerate(with_list):
        (profile_id,) = ids(world, user)
        row = {"id": f"x{i}", "seq": 900 + i, "profile_id": profile_id, "kind": "track", "name": name}
        row |= {"time": world.now - timedelta(days=days), "properties": {"segment": "vip"}}
        world.database.write_now(lambda connection, row=row: connection.execute(insert(events).values(**row)))
    (bob,) = ids(world, "bob")
    world.database.write_now(
        lambda connection: connection.execute(insert(segment_members).values(segment="vip", profile_id=bob, since=world.now))
    )
    body = json.loads(world.run("size", "vip", "--over", "4d", "--steps", "9", "--json").stdout)
    assert [one["members"] for one in body["sizes"]] == [0, 0, 1, 1, 2, 2, 1, 1, 1]


def test_explain_tells_each_leaf_since_when_and_what_comes_next(world: World) -> None:
    said = world.run("explain", "silent", "bob").stdout
    assert "bob is in silent" in said
    bought = world.now - timedelta(days=10)
    assert f"a member since {bought:%Y-%m-%d %H:%M}" in said
    for leaf in ("segment.buyers", 'did("Session Started", within="7d")', 'did("Order Completed", within="30d")'):
        assert leaf in said
    assert f"changes by itself: {bought + timedelta(days=30):%Y-%m-%d %H:%M}" in said
    assert "entered" in said
    assert "bob is not in silent" in world.run("explain", "silent", "bob", "--at", f"{bought - timedelta(hours=1):%Y-%m-%dT%H:%MZ}").stdout
    assert "a list (manual)" in world.run("explain", "vip", "bob").stdout


# -- lists -----------------------------------------------------------------------------------------


def test_freeze_keeps_the_members_as_a_segment_of_its_own_that_nobody_changes(world: World) -> None:
    said = world.run("freeze", "buyers", "buyers_in_may", "--description", 'Bought: "in May"').stdout
    assert "keeps 2 people" in said
    made = load_segment((world.journeys / "segments" / "buyers_in_may.yaml").read_text())
    assert (made.list_, made.source, made.description) == ("snapshot", "buyers", 'Bought: "in May"')
    assert "buyers_in_may" in load(world.journeys).segments
    assert world.members("buyers_in_may") == world.members("buyers") == ids(world, "ann", "bob")
    assert world.told()[-2:] == [(live.ENTERED, "buyers_in_may")] * 2
    assert "is a snapshot" in world.run("add", "buyers_in_may", "cat", code=1).stderr
    assert "already" in world.run("freeze", "silent", "buyers_in_may", code=1).stderr


def test_a_segment_that_is_still_being_built_is_not_frozen(world: World) -> None:
    world.database.write_now(rebuild.restart, ["buyers"], world.now)
    assert "`buyers` is building" in world.run("freeze", "buyers", "half", code=1).stderr
    assert not (world.journeys / "segments" / "half.yaml").exists()
    assert world.members("half") == set()


# -- work ------------------------------------------------------------------------------------------


def test_rebuild_puts_right_what_was_changed_behind_its_back_and_leaves_the_rest(world: World) -> None:
    (ann,) = ids(world, "ann")
    world.database.write_now(
        lambda connection: connection.execute(
            delete(segment_members).where(segment_members.c.segment == "buyers", segment_members.c.profile_id == ann)
        )
    )
    before = world.told()
    assert "buyers: live; 3 gone through, 1 entered, 0 left" in world.run("rebuild", "buyers").stdout
    assert world.members("buyers") == ids(world, "ann", "bob")
    assert world.told()[len(before) :] == [(live.ENTERED, "buyers")]
    assert "silent: live" in world.run("status", "--watch").stdout


def test_a_segment_that_is_not_in_force_is_not_rebuilt(world: World) -> None:
    (world.journeys / "segments" / "fresh.yaml").write_text('segment: fresh\ndescription: d\nmembers: did("Signed Up")\n')
    assert "start `sojourn up`" in world.run("rebuild", "fresh", code=1).stderr


def test_check_says_every_guard_and_exits_with_0(world: World) -> None:
    many = " and ".join(f'did("Thing {i}")' for i in range(6))
    (world.journeys / "segments" / "long.yaml").write_text(f"segment: long\ndescription: d\nmembers: {many}\n")
    world.run("add", "vip", "ann", "bob")
    said = world.run("check").stderr
    assert "long.yaml:3:10: warning: asks 6 attributes" in said
    assert "long.yaml:1:10: warning: no journey, segment, model or content names `long`" in said
    assert "silent: warning: has 1 member, fewer than 100" in said
    assert re.search(r"(vip|buyers): warning: is 100% the same people as `(buyers|vip)`", said)
    assert "not counted yet, since everyone is still gone through: `long`" in said
    whole = CliRunner().invoke(app, ["check", "--journeys", str(world.journeys)])
    assert whole.exit_code == 0
    assert "warning: asks 6 attributes" in whole.stderr
    assert "all is well" in whole.stdout


@pytest.mark.parametrize(
    "command", ["list", "preview", "size", "explain", "add", "remove", "upload", "freeze", "check", "rebuild", "status"]
)
def test_every_command_teaches(command: str) -> None:
    said = CliRunner().invoke(app, ["segment", command, "--help"], env={"COLUMNS": "120"})
    assert said.exit_code == 0
    assert len(said.stdout) > 400


def held(world: World) -> list[tuple[str, bool, str]]:
    """What journeys are going to hear of."""
    columns = (segment_releases.c.segment, segment_releases.c.entered, segment_releases.c.cause)
    return [tuple(row) for row in world.database.read_now(lambda c: c.execute(select(*columns).order_by(segment_releases.c.at)).all())]


def test_a_list_is_heard_of_by_journeys_only_with_live_and_says_of_how_many(world: World) -> None:
    before = world.told()
    world.run("add", "vip", "ann")
    assert held(world) == []
    assert world.told() == [*before, ("Segment Entered", "vip")]
    said = world.run("add", "vip", "bob", "cat", "--live").stdout
    assert "journeys hear of these 2 people" in said
    assert held(world) == [("vip", True, "edit")] * 2
    assert world.told() == [*before, ("Segment Entered", "vip")]


def test_a_rebuild_with_live_says_how_many_come_and_go_and_puts_an_edited_segment_in_force(world: World) -> None:
    path = world.journeys / "segments" / "silent.yaml"
    path.write_text(path.read_text().replace('within="7d"', 'within="12h"'))
    assert "silent: 1 people would come, 0 would leave" in world.run("rebuild", "silent", "--dry-run").stdout
    assert world.members("silent") == ids(world, "bob")
    result = world.run("rebuild", "silent", "--live")
    assert "journeys hear of 1 people" in result.stderr
    assert world.members("silent") == ids(world, "ann", "bob")
    assert held(world) == [("silent", True, "edit")]
