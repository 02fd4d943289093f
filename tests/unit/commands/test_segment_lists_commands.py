"""`sojourn segment add|remove|upload`: lists that people keep by hand or by file."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from segment_world import World, a_life, fresh_world, ids

from sojourn.customers.segments import live

__all__ = ["a_life", "fresh_world"]


def test_people_come_onto_a_list_and_off_it_once_each(world: World) -> None:
    assert "vip: 2 added, 0 removed, 0 unchanged" in world.run("add", "vip", "ann", "bob").stdout
    assert world.members("vip") == ids(world, "ann", "bob")
    assert "vip: 1 added, 0 removed, 1 unchanged" in world.run("add", "vip", "ann", "cat").stdout
    assert "vip: 0 added, 1 removed, 0 unchanged" in world.run("remove", "vip", *ids(world, "ann")).stdout
    assert "vip: 0 added, 0 removed, 1 unchanged" in world.run("remove", "vip", "ann").stdout
    told = [one for one in world.told() if one[1] == "vip"]
    assert told == [(live.ENTERED, "vip")] * 3 + [(live.EXITED, "vip")]


def test_if_one_is_not_known_nobody_is_added(world: World) -> None:
    said = world.run("add", "vip", "ann", "somebody-else", code=1).stderr
    assert "PERSON 2 of 2" in said
    assert "somebody-else" not in said
    assert world.members("vip") == set()


def test_upload_adds_whoever_is_known_and_names_the_lines_of_the_others_without_what_stands_there(world: World, tmp_path: Path) -> None:
    file = tmp_path / "visitors.csv"
    lines = (
        b"name,user_id",
        b'"Ann',
        b'of two lines", ann ',
        b"Nobody,secret@example.com",
        b"Empty,",
        b"Cat,cat",
        b"Again,ann",
    )
    file.write_bytes(b"\xef\xbb\xbf" + b"\n".join((*lines, b"Bad,\xe9")))  # as spreadsheets write it, with a mark at its beginning
    result = world.run("upload", "fair", str(file))
    assert "fair: 2 added, 0 removed, 0 unchanged" in result.stdout
    assert world.members("fair") == ids(world, "ann", "cat")
    with (tmp_path / "visitors.errors.csv").open() as errors:
        assert list(csv.reader(errors)) == [["line", "reason"], ["4", "nobody is known by this"], ["5", "empty"], ["8", "is not UTF-8"]]
    assert "secret@example.com" not in result.output + (tmp_path / "visitors.errors.csv").read_text()
    assert "3 lines were left out" in result.stderr


def test_a_second_upload_changes_nothing_and_replace_takes_off_whoever_is_missing(world: World, tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("user_id\nann\ncat\n")
    second.write_text("user_id\ncat\nbob\n")
    world.run("upload", "fair", str(first))
    assert "fair: 0 added, 0 removed, 2 unchanged" in world.run("upload", "fair", str(first)).stdout
    assert "fair: 1 added, 1 removed, 1 unchanged" in world.run("upload", "fair", str(second), "--replace").stdout
    assert world.members("fair") == ids(world, "bob", "cat")
    assert not (tmp_path / "b.errors.csv").exists()


def test_a_file_that_names_nobody_does_not_empty_the_list(world: World, tmp_path: Path) -> None:
    world.run("add", "fair", "ann")
    file = tmp_path / "wrong.csv"
    file.write_text("user_id\nx\ny\n")
    assert "the list was left as it is" in world.run("upload", "fair", str(file), "--replace", code=1).stderr
    assert world.members("fair") == ids(world, "ann")


@pytest.mark.parametrize(
    ("header", "options", "sentence"),
    [
        ("name,town", (), "no column of"),
        ("name,user_id", ("--column", "userid"), "did you mean `user_id`?"),
        ("name,user_id", ("--column", "name"), "nobody is known by this kind of id"),
    ],
)
def test_a_column_that_says_not_who_is_named(world: World, tmp_path: Path, header: str, options: tuple[str, ...], sentence: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"{header}\nAnn,ann\n")
    assert sentence in world.run("upload", "fair", str(file), *options, code=1).stderr


def test_upload_reads_semicolons_and_one_stray_mark_swallows_no_line(world: World, tmp_path: Path) -> None:
    file = tmp_path / "visitors.csv"
    file.write_bytes(b'"name; first";user_id\r"Ann;ann\rBob;bob\rCat;cat\r')
    result = world.run("upload", "fair", str(file))
    assert "fair: 2 added" in result.stdout
    assert world.members("fair") == ids(world, "bob", "cat")
    assert "1 lines were left out" in result.stderr


# -- --live ----------------------------------------------------------------------------------------
