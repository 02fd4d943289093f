"""Importing people is the same as if each row had come in as an identify, however it is cut, killed and repeated."""

import contextlib
import gzip
import tempfile
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from bulk_world import DAY, HEADER, NOW, jsonl, people, refusals, rows, run, small_pages, store, table, work
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import delete, func, insert, select

from sojourn.bulk import importing
from sojourn.bulk.importing import ElsewhereError, listed
from sojourn.bulk.people import write_people
from sojourn.bulk.policy import Policy
from sojourn.bulk.preparing import prepare
from sojourn.bulk.problems import BadRow
from sojourn.bulk.records import Origin
from sojourn.customers.identity import random_id
from sojourn.customers.segments import due
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.intake.appender import append
from sojourn.intake.envelope import read_call
from sojourn.language.loader import load_profile
from sojourn.store.tables import events, identifiers, inbound, profiles, segment_due

# -- the two ways in, and intake ---------------------------------------------------------------------

SOME = st.sampled_from
EMAILS = ["ann@shop.example", " Ann@Shop.example", "bob@shop.example", "noreply@shop.example", "info@shop.example", "no address"]
PHONES = ["+49 30 1234560", "+493012345699", "030 99", "+1111111111"]
POLICIES = [
    Policy(),
    Policy(
        load_profile(
            b"""
undeclared: drop
observe: [place, usual_hour]
traits:
  email: {type: text, personal: contact, normalise: email}
  phone: {type: text, personal: contact, normalise: phone}
  age: {type: number, personal: none, merge: max}
identity:
  kinds: {email: {limit: 1, shared_after: 1}, loyalty: {merges: false}}
  blocked: ["info@*"]
"""
        )
    ),
]
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "user_id": SOME(["ann", "bob", "cid", "dan", "null"]),
        "anonymous_id": SOME(["a1", "a2", "a3", "ann", "undefined"]),
        "time": st.integers(0, 5).map(lambda day: f"2026-01-0{day + 1}T00:00:00Z"),
        "traits": st.dictionaries(SOME(["city", "age"]), SOME(["Paris", "Rome", 3, True, None]), max_size=2)
        | st.fixed_dictionaries({}, optional={"email": SOME(EMAILS), "phone": SOME(PHONES), "timezone": SOME(["Asia/Tokyo", "Mars"])}),
        "external_ids": st.dictionaries(
            SOME(["stripe_id", "email", "loyalty", "crm"]), SOME([*EMAILS, "c1", "c2", ["c1", "c3"]]), max_size=2
        ),
        "identifiers": st.lists(
            st.builds(
                lambda kind, value, day: {"kind": kind, "value": value, "since": f"2025-11-0{day}T00:00:00Z"},
                SOME(["user_id", "anonymous_id", "email", "stripe_id"]),
                SOME(["ann", "a1", "a9", "c1", *EMAILS]),
                st.integers(1, 5),
            ),
            max_size=3,
        ),
        "consent": st.dictionaries(SOME(["marketing", "news"]), st.booleans(), max_size=2),
        "zone": SOME(["Europe/Paris", "Asia/Tokyo"]),
        "locale": SOME(["en", "fr-FR"]),
        "first_seen": SOME(["2025-12-01T00:00:00Z", "2026-01-03T00:00:00Z"]),
        "trait_times": st.just({"city": "2025-12-24T00:00:00Z"}),
    },
).filter(
    lambda record: (
        {"user_id", "anonymous_id", "external_ids", "identifiers"} & record.keys() or {"email", "phone"} & record.get("traits", {}).keys()
    )
)


@pytest.mark.slow
@law(30)
@given(records=st.lists(RECORD, max_size=8), cut=st.integers(1, 8), policy=SOME(POLICIES))
def test_the_fast_way_gives_the_same_people_as_the_exact_one(records, cut, policy) -> None:
    origin = Origin("c" * 64, NOW, NOW)
    found = []
    for fast in (True, False):
        database = store()
        prepared = []
        for number, record in enumerate(records, 1):
            with contextlib.suppress(BadRow):  # such as two anonymous ids that nothing joins
                prepared.append(prepare(dict(record), number, number, origin, policy, random_id))
        for start in range(0, len(prepared), cut):
            database.write_now(write_people, prepared[start : start + cut], origin, policy, fast=fast)
        found.append((people(database), refusals(database)))
    assert found[0] == found[1]


@pytest.mark.slow
@law(30)
@given(
    records=st.lists(
        RECORD.map(lambda r: {k: v for k, v in r.items() if k not in ("first_seen", "trait_times", "identifiers", "external_ids")}).filter(
            lambda record: "user_id" in record or "anonymous_id" in record
        ),
        min_size=1,
        max_size=8,
    )
)
def test_a_row_is_what_an_identify_would_have_said(records) -> None:
    with tempfile.TemporaryDirectory() as folder:
        imported = store()
        run(imported, jsonl(Path(folder) / "people.jsonl", records))
    said = store()

    def identify(connection) -> None:
        for number, record in enumerate(records):
            traits = {**record.get("traits", {}), **({"consent": record["consent"]} if record.get("consent") else {})}
            context = {"timezone": record.get("zone"), "locale": record.get("locale")}
            call = {"userId": record.get("user_id"), "anonymousId": record.get("anonymous_id"), "timestamp": record.get("time")}
            body = importing.orjson.dumps({**call, "traits": traits, "context": context, "messageId": f"m{number}"})
            append(connection, read_call("identify", body, received_at=NOW).envelopes)
        absorb(connection, [InboundRow.of(row) for row in connection.execute(select(inbound).order_by(inbound.c.seq))], NOW)

    said.write_now(identify)
    assert people(imported) == people(said)


def test_an_import_of_people_leaves_no_event_and_nothing_in_the_log(tmp_path) -> None:
    database = store()
    run(database, table(tmp_path / "p.csv", [*rows(3), *rows(3)]))
    assert database.read_now(lambda c: [c.execute(select(func.count()).select_from(t)).scalar() for t in (profiles, events, inbound)]) == [
        3,
        0,
        0,
    ]


def test_someone_known_is_changed_and_not_made_again(tmp_path) -> None:
    database = store()
    run(
        database,
        jsonl(tmp_path / "a.jsonl", [{"userId": "ann", "traits": {"city": "Rome", "age": 3}, "timestamp": "2026-02-01T00:00:00Z"}]),
    )
    told = run(
        database, jsonl(tmp_path / "b.jsonl", [{"id": "ann", "city": "Paris", "vip": True, "time": DAY}, {"id": "bob", "city": "Oslo"}])
    )
    assert (told.new, told.known) == (1, 1)
    ann, bob = people(database)
    assert ann["traits"] == {"city": "Rome", "age": 3, "vip": True}  # what was said later stands
    assert bob["traits"] == {"city": "Oslo"}


# -- again and again -----------------------------------------------------------------------------------


def test_importing_the_same_file_twice_changes_nothing(tmp_path) -> None:
    database, path = store(), table(tmp_path / "p.csv", [row[:-1] for row in rows(5)], HEADER[:-1])
    assert run(database, path).new == 5
    first = people(database)
    again = run(database, path)
    assert (again.finished, again.rows, again.new, again.known) == (True, 5, 0, 0)
    assert people(database) == first


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet"])
def test_an_import_that_was_killed_goes_on_where_it_was(tmp_path, monkeypatch, ending) -> None:
    small_pages(monkeypatch, 7)
    path = tmp_path / f"p{ending}"
    many = [{"id": f"u{i}", "note": "two\nlines" if i % 3 else "x", "zone": "Mars" if i % 11 == 5 else "Europe/Paris"} for i in range(60)]
    if ending == ".parquet":
        parquet.write_table(arrow.Table.from_pylist(many), path, row_group_size=13)
    else:
        plain = tmp_path / "plain"
        if ".csv" in ending:
            table(plain, [list(row.values()) for row in many], ["id", "note", "zone"])
        else:
            jsonl(plain, many)
        path.write_bytes(gzip.compress(plain.read_bytes()) if ending.endswith(".gz") else plain.read_bytes())
    whole = store()
    run(whole, path, errors=tmp_path / "whole.csv", as_of=NOW)

    class Killed(BaseException):
        pass

    database, killed = store(), 0
    real = importing.due.touch

    def touch(connection, ids, now) -> None:  # the last thing that a page does before its commit
        nonlocal killed
        killed += 1
        if killed % 3 == 0:
            raise Killed
        real(connection, ids, now)

    monkeypatch.setattr(importing.due, "touch", touch)
    for _ in range(20):
        try:
            told = run(database, path, errors=tmp_path / "parts.csv", as_of=NOW)
            break
        except Killed:
            continue
    assert killed >= 9
    assert told.finished
    assert 0 < told.resumed < 60
    assert (told.rows, told.errors) == (60, 5)
    assert people(database) == people(whole)
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_two_processes_do_not_import_the_same_rows(tmp_path, monkeypatch) -> None:
    small_pages(monkeypatch, 5)
    database, path = store(), table(tmp_path / "p.csv", rows(20))
    other = iter([work(database, path)])

    def meanwhile(told) -> None:
        for one in other:
            one.run()

    with pytest.raises(ElsewhereError, match="another process"):
        work(database, path, advanced=meanwhile).run()
    assert len(people(database)) == 20
    (row,) = database.read_now(listed)
    assert (row.position, row.done, row.finished_at) == (20, 20, NOW)


def test_someone_whom_the_router_makes_meanwhile_is_known_at_the_second_try(tmp_path, monkeypatch) -> None:
    database, path = store(), jsonl(tmp_path / "p.jsonl", [{"id": "ann", "city": "Oslo"}, {"id": "bob"}])

    def router(connection) -> None:
        connection.execute(insert(profiles).values(id="p1", traits={"vip": True}, trait_times={}, first_seen=NOW, last_seen=NOW))
        connection.execute(insert(identifiers).values(kind="user_id", value="ann", profile_id="p1", since=NOW))

    asked = []
    real = importing.write_people.__globals__["known_keys"]

    def too_early(connection, keys):
        asked.append(set(keys))
        return set() if len(asked) == 1 else real(connection, keys)

    monkeypatch.setitem(importing.write_people.__globals__, "known_keys", too_early)
    database.write_now(router)
    told = run(database, path)
    assert len(asked) == 2
    assert (told.new, told.known) == (1, 1)
    assert [one["traits"] for one in people(database)] == [{"vip": True, "city": "Oslo"}, {}]


def test_the_segments_of_whom_an_import_touched_are_evaluated_anew(tmp_path) -> None:
    database = store()
    run(database, table(tmp_path / "p.csv", [*rows(3), *rows(1)]))
    ids = database.read_now(lambda c: set(c.execute(select(profiles.c.id)).scalars()))
    assert len(ids) == 3
    assert set(database.read_now(due.due, NOW, 10)) == {(one, NOW) for one in ids}
    database.write_now(lambda connection: connection.execute(delete(segment_due)))
    run(database, table(tmp_path / "q.csv", rows(1)[:1]))
    assert len(database.read_now(due.due, NOW, 10)) == 1
