"""Relatives are not merged without a person: twins, father and son of one name, couples, siblings."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import households
import pytest
from resolution_cases import NOW

from sojourn.customers.resolution import queue
from sojourn.customers.resolution.clustering import AMBIGUOUS, RELATIVES, UNPROVEN, cluster
from sojourn.customers.resolution.frame import Frame
from sojourn.customers.resolution.judging import judge
from sojourn.customers.resolution.merging import by_identity
from sojourn.customers.resolution.pairs import Pair, Relatives, silent
from sojourn.customers.resolution.relatives import contradiction, unproven
from sojourn.customers.resolution.running import Linked, decide, score
from sojourn.language.loader import load_resolution
from sojourn.language.problems import DefinitionError
from sojourn.language.resolution_model import ResolutionSettings
from sojourn.store.database import Database

SHIPPED = Path(__file__).parents[3] / "journeys" / "resolution.yaml"
SAMPLE = 200_000  # of random pairs: they cost most of a run
FALSE = 0.001  # of merges that no person looked at


def shipped() -> ResolutionSettings:
    return load_resolution(SHIPPED.read_bytes()).model_copy(update={"sample_pairs": SAMPLE})


def resolved(path: Path, count: int) -> tuple[Linked, dict[str, str], dict[str, dict[str, str]]]:
    """Write so many households, and return what a run would do with them, whose each record is, and the records."""
    households.write(path, count)
    settings = shipped()
    with Frame(settings) as frame:
        truth = frame.read(path, "id", "person")
        scored = score(frame, silent)
    with path.open(encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    return decide(scored, settings), truth, rows


@pytest.mark.slow
@pytest.mark.storeless
def test_of_households_with_relatives_nearly_none_is_merged_with_another_unreviewed(tmp_path: Path) -> None:
    linked, truth, rows = resolved(tmp_path / "households.csv", 1_500)
    links = linked.clusters.links
    false = [(rows[pair.left], rows[pair.right]) for pair in links if truth[pair.left] != truth[pair.right]]
    assert len(false) <= FALSE * len(links), [[(a["first_name"], a["birth_date"]) for a in pair] for pair in false[:9]]
    alike = sum(1 for pair in linked.pairs if truth[pair.left] == truth[pair.right])
    assert len(links) > 0.8 * alike, "caution that merges nobody is none"
    relatives = [held for held in linked.clusters.held if held.why == RELATIVES]
    assert len(relatives) > 3, "no relative was sure enough to be held back, so nothing was shown"
    waiting = {pair.key for pair, _ in linked.waiting()}
    assert {held.pair.key for held in relatives} & waiting


@pytest.mark.slow
@pytest.mark.storeless
def test_evaluate_judges_what_a_run_does(tmp_path: Path) -> None:
    path = tmp_path / "households.csv"
    linked, truth, _ = resolved(path, 400)
    found = judge(shipped(), path, "person", silent, id_column="id")
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


# Two records without a contradiction, as (first name, birth date, e-mail), and whether that proves one person.
PROOFS = {
    (("laura", "1980-12-17", "a"), ("laura", "1980-12-17", "b")): True,
    (("laura", "1980-12-17", "a"), ("l.", "1980-12-71", "b")): True,
    (("andrea", "1980-12-17", None), ("andreas", "1980-12-17", None)): True,  # a slip, borne out by the day
    (("marie", "1980-12-17", None), ("maria", "1980-12-71", None)): False,
    (("laura", None, "a"), ("laura", "1980-12-17", "b")): False,
    (("laura", None, "a"), ("laura", None, None)): False,
    (("laura", None, "a"), ("laura", None, "a")): True,
}


def test_a_missing_date_or_a_name_nearly_the_same_needs_an_address_that_vouches() -> None:
    doubtful = unproven({"name": "name", "born": "date"}, ["email"])
    record = "(select ${0}1 as name, ${0}2::varchar as born, ${0}3::varchar as email)"
    sides = f"{record.format('a')} l, {record.format('b')} r"
    with duckdb.connect() as duck:
        for (one, other), proven in PROOFS.items():
            for left, right in ((one, other), (other, one)):
                values = {f"{side}{n}": v for side, told in (("a", left), ("b", right)) for n, v in enumerate(told, 1)}
                assert duck.execute(f"select {doubtful} from {sides}", values).fetchone() == (not proven,), (left, right)
    assert unproven({"born": "date"}, []) == "false"


def test_a_link_that_proves_nothing_waits_unless_another_record_bears_it_out() -> None:
    links = [pair("a", "b"), pair("b", "c")]
    scores = {one.key: one.probability for one in links} | {("a", "c"): 0.99}
    doubtful = Relatives(unproven=frozenset({("a", "b")}))
    assert [held.why for held in cluster(links, 0.99, 0.5, scores, 50, relatives=doubtful).held] == [UNPROVEN]
    assert cluster([*links, pair("a", "c")], 0.99, 0.5, scores, 50, relatives=doubtful).members == (("a", "b", "c"),)


def test_of_couples_each_one_is_still_found() -> None:
    links = [pair("he", "he2"), pair("he", "she"), pair("he2", "she")]
    scores = {one.key: one.probability for one in links}
    apart = Relatives(frozenset({("he", "she"), ("he2", "she")}))
    assert cluster(links, 0.99, 0.5, scores, 50, relatives=apart).members == (("he", "he2"),)


def test_which_traits_tell_stands_in_the_settings() -> None:
    assert load_resolution(SHIPPED.read_bytes()).telling == ("first_name", "birth_date")
    assert load_resolution(SHIPPED.read_bytes() + b"\nnever_differ: []\n").telling == ()
    assert load_resolution(SHIPPED.read_bytes()).vouching == ("email",)
    assert load_resolution(SHIPPED.read_bytes() + b"\nvouch: []\n").vouching == ()
    with pytest.raises(DefinitionError, match="is not compared"):
        load_resolution(SHIPPED.read_bytes() + b"\nnever_differ: [shoe_size]\n")


def test_of_father_and_son_a_record_without_a_date_waits() -> None:
    links = [pair("father", "someone"), pair("someone", "son")]
    scores = {one.key: one.probability for one in links} | {("father", "son"): 0.99}
    found = cluster(links, 0.99, 0.5, scores, 50, relatives=Relatives(frozenset({("father", "son")})))
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
