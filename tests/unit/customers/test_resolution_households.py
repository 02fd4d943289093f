"""Relatives are not merged without a person: twins, father and son of one name, couples, siblings."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import households
import pytest
from resolution_cases import NOW

from sojourn.customers.resolution import queue
from sojourn.customers.resolution.clustering import AMBIGUOUS, RELATIVES, cluster
from sojourn.customers.resolution.contradicting import contradiction
from sojourn.customers.resolution.frame import Frame
from sojourn.customers.resolution.judging import judge
from sojourn.customers.resolution.merging import by_identity
from sojourn.customers.resolution.pairs import Pair, silent
from sojourn.customers.resolution.running import Linked, decide, score
from sojourn.language.loader import load_resolution
from sojourn.language.problems import DefinitionError
from sojourn.store.database import Database

SHIPPED = Path(__file__).parents[3] / "journeys" / "resolution.yaml"
FALSE = 0.001  # of merges that no person looked at


def resolved(path: Path) -> tuple[Linked, dict[str, str], dict[str, dict[str, str]]]:
    settings = load_resolution(SHIPPED.read_bytes())
    with Frame(settings) as frame:
        truth = frame.read(path, "id", "person")
        scored = score(frame, silent)
    with path.open(encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    return decide(scored, settings), truth, rows


@pytest.mark.slow
@pytest.mark.storeless
def test_of_households_with_relatives_nearly_none_is_merged_with_another_unreviewed(tmp_path: Path) -> None:
    path = tmp_path / "households.csv"
    households.write(path, 1_500)
    linked, truth, rows = resolved(path)
    links = linked.clusters.links
    false = [(rows[pair.left], rows[pair.right]) for pair in links if truth[pair.left] != truth[pair.right]]
    assert len(false) <= FALSE * len(links), [[(a["first_name"], a["birth_date"]) for a in pair] for pair in false[:9]]
    alike = sum(1 for pair in linked.pairs if truth[pair.left] == truth[pair.right])
    assert len(links) > 0.6 * alike, "caution that merges nobody is none"
    relatives = [held for held in linked.clusters.held if held.why == RELATIVES]
    assert len(relatives) > 3, "no relative was sure enough to be held back, so nothing was shown"
    waiting = {pair.key for pair, _ in linked.waiting()}
    assert {held.pair.key for held in relatives} & waiting


@pytest.mark.slow
@pytest.mark.storeless
def test_evaluate_judges_what_a_run_does(tmp_path: Path) -> None:
    path = tmp_path / "households.csv"
    households.write(path, 400)
    linked, truth, _ = resolved(path)
    found = judge(load_resolution(SHIPPED.read_bytes()), path, "person", silent, id_column="id")
    assert found.fixed.clusters == len(linked.clusters.members)
    assert found.records == len(truth)


def pair(left: str, right: str) -> Pair:
    return Pair(left, right, 0.9999, 20.0)


# Two known values, and whether one person may have both.
NAMES = {
    ("laura", "laura"): True, ("laura", "laurra"): True, ("j.", "julia"): True, ("anna maria", "anna"): True, ("hans-peter", "hans"): True,
    ("laura", "sarah"): False, ("tim", "tom"): False, ("anna", "hanna"): False, ("julia", "jonas"): False,
}  # fmt: skip
DATES = {
    ("1980-12-17", "1980-12-17"): True, ("1980-12-17", "1980-12-71"): True, ("1980-05-04", "1980-04-05"): True,
    ("1980-12-17", "1908-12-17"): True, ("1980-01-01", "1980-12-17"): True, ("1980-12-17", "1982-04-16"): False,
    ("1951-03-12", "1980-11-25"): False, ("1980-03-05", "1980-11-20"): False,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "cases"), [("name", NAMES), ("date", DATES)])
def test_what_is_known_to_differ_is_told_from_a_slip_of_the_key(kind: str, cases: dict[tuple[str, str], bool]) -> None:
    with duckdb.connect() as duck:
        for (one, other), same in cases.items():
            for left, right in ((one, other), (other, one)):
                found = duck.execute(f"select {contradiction(kind, '$l', '$r')}", {"l": left, "r": right}).fetchone()
                assert found == (not same,), (left, right)
        assert duck.execute(f"select {contradiction(kind, 'null::varchar', 'null::varchar')}").fetchone() == (False,)


def test_which_traits_tell_stands_in_the_settings() -> None:
    assert load_resolution(SHIPPED.read_bytes()).telling == ("first_name", "birth_date")
    assert load_resolution(SHIPPED.read_bytes() + b"\nnever_differ: []\n").telling == ()
    with pytest.raises(DefinitionError, match="is not compared"):
        load_resolution(SHIPPED.read_bytes() + b"\nnever_differ: [shoe_size]\n")


def test_of_father_and_son_a_record_without_a_date_waits() -> None:
    links = [pair("father", "someone"), pair("someone", "son")]
    scores = {one.key: one.probability for one in links} | {("father", "son"): 0.99}
    found = cluster(links, 0.99, 0.5, scores, 50, contradicting={("father", "son")})
    assert found.members == ()
    assert {held.why for held in found.held} == {AMBIGUOUS}


def test_what_identity_refuses_to_merge_waits_for_a_person_with_its_reason() -> None:
    database = Database("sqlite://")
    sure = pair("a", "b")
    database.write_now(queue.propose, [(sure, None)], "m", NOW)
    sides = database.write_now(_two_profiles)
    assert sides == ("a", "b")
    found = database.write_now(queue.merge_link, sure, NOW, lambda *_, **__: "it would exceed the limit of user ids")
    assert (found.state, found.reason) == ("pending", "identity refused it: it would exceed the limit of user ids")
    assert [one.id for one in database.read_now(queue.page)] == [sure.id]
    assert database.read_now(queue.apart) == frozenset()
    assert database.write_now(queue.accept, found.id, "ann", NOW, by_identity).state == "merged"


def _two_profiles(connection: object) -> tuple[str, str]:
    from sqlalchemy import insert

    from sojourn.store.tables import profiles

    for id_ in ("a", "b"):
        connection.execute(  # type: ignore[attr-defined]
            insert(profiles).values(id=id_, traits={}, trait_times={}, first_seen=NOW, last_seen=NOW)
        )
    return "a", "b"
