"""What is exported is imported to an equal profile, in a file that appears whole and is its owner's alone."""

import csv
import io
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow.parquet as parquet
import pytest
from bulk_world import NOW, history, jsonl, people, refusals, run, store
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import insert, select

from sojourn.bulk import outgoing
from sojourn.bulk.exporting import Wanted, checked_where, export
from sojourn.bulk.files import Format
from sojourn.bulk.mapping import Kind
from sojourn.bulk.policy import Policy
from sojourn.bulk.problems import UnreadableFile
from sojourn.errors import NotFound
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.intake.envelope import Envelope
from sojourn.language.conditions import parse
from sojourn.language.loader import load_profile
from sojourn.store.tables import identifiers, profiles, segment_members

pytestmark = pytest.mark.slow

DAYS = st.integers(0, 5).map(lambda day: datetime(2026, 1, 1 + day, 3, 4, 5, 678901, tzinfo=UTC))
TRAITS = st.dictionaries(
    st.sampled_from(["city", "=cmd", "a.b", "tags", "Zoë"]),
    st.none()
    | st.booleans()
    | st.integers(-5, 2**53)
    | st.floats(-1e6, 1e6)
    | st.sampled_from(["=1+1", "007", "", 'é\n"x",\'', '{"a":1}'])
    | st.lists(st.integers(-9, 9), max_size=3),
    max_size=3,
)
CALL = st.builds(
    lambda kind, user, anonymous, traits, time, agreed, zone, locale, keys: Envelope(
        message_id="", kind=kind, name="Product Viewed" if kind == "track" else kind, user_id=user, anonymous_id=anonymous,
        keys=tuple(keys),
        traits={**traits, **({"consent": agreed} if agreed else {})} if kind == "identify" else {},
        properties={"price": 1.5} if kind == "track" else {},
        context={key: value for key, value in (("timezone", zone), ("locale", locale)) if value}, time=time, received_at=NOW,
    ),
    st.sampled_from(["identify", "identify", "track"]),
    st.sampled_from(["ann", "bob", "cid"]),
    st.none() | st.sampled_from(["a1", "a2", "a3"]),
    TRAITS,
    DAYS,
    st.dictionaries(st.sampled_from(["marketing", "news.weekly"]), st.booleans(), max_size=2),
    st.none() | st.sampled_from(["Europe/Paris", "GMT+0100"]),
    st.none() | st.sampled_from(["en", "fr-FR"]),
    st.lists(
        st.sampled_from([("email", "x@shop.example"), ("stripe_id", "c1"), ("stripe_id", "c2"), ("phone", "+49301234560")]), max_size=2
    ),
)  # fmt: skip


def lived(calls):
    database = store()
    rows = [InboundRow(number, call.model_copy(update={"message_id": f"m{number}"})) for number, call in enumerate(calls, 1)]
    database.write_now(absorb, rows, NOW)
    return database


def exported(database, path: Path, what: str = "profiles", **given) -> Path:
    export(database, Wanted(what, path, **given), NOW, {})
    return path


@pytest.mark.slow
@law(20)
@given(calls=st.lists(CALL, max_size=8), ending=st.sampled_from([".jsonl", ".jsonl.gz", ".parquet"]))
def test_an_export_is_imported_to_equal_profiles(calls, ending) -> None:
    first, second = lived(calls), store()
    with tempfile.TemporaryDirectory() as folder:
        path = exported(first, Path(folder) / f"people{ending}")
        assert run(second, path).errors == 0
        assert people(second) == people(first)
        run(first, path)  # into the store that it came from, it says nothing new
        assert people(second) == people(first)


@pytest.mark.slow
@law(20)
@given(calls=st.lists(CALL, max_size=8), ending=st.sampled_from([".jsonl", ".csv", ".parquet"]))
def test_exported_history_is_imported_to_equal_history(calls, ending) -> None:
    first = lived(calls)
    with tempfile.TemporaryDirectory() as folder:
        who, what = exported(first, Path(folder) / "people.jsonl"), exported(first, Path(folder) / f"events{ending}", "events")
        second = store()
        run(second, who)
        assert run(second, what, Kind.events).errors == 0
        assert sorted(history(second), key=str) == sorted(history(first), key=str)
        assert people(second) == people(first)


@pytest.mark.slow
@law(20)
@given(calls=st.lists(CALL.filter(lambda call: "a.b" not in call.traits), max_size=8))
def test_a_table_is_imported_to_the_same_values(calls) -> None:
    first, second = lived(calls), store()
    with tempfile.TemporaryDirectory() as folder:
        path = exported(first, Path(folder) / "people.csv")
        assert run(second, path).errors == 0
    assert told_of(second) == told_of(first)


def told_of(database):
    users = {}
    for one in people(database):
        (user,) = (value for kind, value, *_ in one["known"] if kind == "user_id")
        users[user] = [one[name] for name in ("traits", "zone", "locale", "seen")]
    return users


def test_no_cell_of_a_table_is_a_formula(tmp_path) -> None:
    database = store()
    run(database, jsonl(tmp_path / "p.jsonl", [{"user_id": "=HYPERLINK(1)", "traits": {"@SUM": "+1", "note": "\t=x", "less": -5}}]))
    cells = list(csv.reader(io.StringIO(exported(database, tmp_path / "p.csv").read_text())))
    assert cells[1][:2] == ["'=HYPERLINK(1)", ""]
    assert {"'+1", "'\t=x", "-5"} <= set(cells[1])
    assert not [cell for row in cells for cell in row if cell[:1] in ("=", "+", "@", "\t", "\r")]


def many(count: int):
    database = store()

    def fill(connection) -> None:
        ids = [f"p{(number * 7919) % 10007:05}" for number in range(count)]
        connection.execute(
            insert(profiles),
            [{"id": one, "traits": {"n": i % 10}, "trait_times": {}, "first_seen": NOW, "last_seen": NOW} for i, one in enumerate(ids)],
        )
        connection.execute(insert(identifiers), [{"kind": "user_id", "value": f"u{one}", "profile_id": one, "since": NOW} for one in ids])
        connection.execute(
            insert(segment_members), [{"segment": "few", "profile_id": one, "since": NOW - timedelta(days=1)} for one in ids[:3]]
        )

    database.write_now(fill)
    return database


def test_pages_follow_each_other_in_a_stable_order_without_gap_or_repeat(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(outgoing, "PAGE", 7)
    told = []
    begun = []
    count = export(many(50), Wanted("profiles", tmp_path / "p.jsonl"), NOW, {}, begun.append, told.append)
    ids = [orjson.loads(line)["profile_id"] for line in (tmp_path / "p.jsonl").read_bytes().splitlines()]
    assert ids == sorted(set(ids))
    assert (count, len(ids), sum(told), begun) == (50, 50, 50, [50])


def test_a_condition_says_whom_and_columns_say_what(tmp_path) -> None:
    database = many(50)
    path = exported(database, tmp_path / "p.jsonl", where=parse("profile.n >= 8"), columns=["user_id", "traits.n", "traits.no"])
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert len(rows) == 10
    assert {row["traits.n"] for row in rows} == {8, 9}
    assert set(rows[0]) == {"user_id", "traits.n"}
    table = exported(database, tmp_path / "p.parquet", where=parse("profile.n == 8"), columns=["user_id", "traits.n"])
    assert parquet.read_table(table).column_names == ["user_id", "traits.n"]
    assert parquet.read_table(table).num_rows == 5


@pytest.mark.parametrize("text", ["event.price > 1", "score.buy > 0.5"])
def test_a_condition_that_people_at_rest_cannot_answer_is_refused(text) -> None:
    with pytest.raises(UnreadableFile, match="--where"):
        checked_where(parse(text))


def test_a_segment_is_exported_with_since_when_and_an_unknown_one_is_named(tmp_path) -> None:
    database = many(9)
    rows = list(csv.DictReader(io.StringIO(exported(database, tmp_path / "few.csv", segment="few").read_text())))
    assert len(rows) == 3
    assert {row["segment_since"] for row in rows} == {"2026-05-31T12:00:00Z"}
    with pytest.raises(NotFound, match="did you mean `few`"):
        exported(database, tmp_path / "x.csv", segment="fwe")
    assert exported(database, tmp_path / "none.jsonl", segment="few", where=parse("profile.n == 77")).read_bytes() == b""


def test_a_file_appears_whole_and_is_its_owners_alone(tmp_path, monkeypatch) -> None:
    database, path = many(20), tmp_path / "p.jsonl"
    path.write_text("before")
    monkeypatch.setattr(outgoing, "PAGE", 5)

    def broken(count: int) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        export(database, Wanted("profiles", path), NOW, {}, advanced=broken)
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["p.jsonl"]
    exported(database, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes().splitlines()) == 20


def test_standard_output_takes_any_format(capfdbinary) -> None:
    database = many(3)
    exported(database, Path("-"))
    exported(database, Path("-"), format=Format.csv, columns=["user_id"])
    lines = capfdbinary.readouterr().out.splitlines()
    assert [orjson.loads(line)["traits"]["n"] for line in lines[:3]] == [0, 1, 2] or len(lines) == 7
    assert lines[3] == b"user_id"


def test_merged_people_are_exported_once(tmp_path) -> None:
    calls = [
        Envelope(message_id="1", kind="track", name="Seen", anonymous_id="a1", time=NOW, received_at=NOW),
        Envelope(message_id="2", kind="identify", name="identify", user_id="ann", time=NOW, received_at=NOW),
        Envelope(message_id="3", kind="identify", name="identify", user_id="ann", anonymous_id="a1", time=NOW, received_at=NOW),
    ]
    database = lived(calls)
    assert len(database.read_now(lambda c: c.execute(select(profiles)).all())) == 2
    (row,) = exported(database, tmp_path / "p.jsonl").read_bytes().splitlines()
    assert [one["value"] for one in orjson.loads(row)["identifiers"]] == ["a1", "ann"]


def test_what_follows_from_events_is_shown_apart_and_is_no_word_of_the_person(tmp_path) -> None:
    settings_ = load_profile(b'observe: [place, usual_hour]\ncomputed: {views: count("Product Viewed")}\n')
    policy = Policy(settings_)
    said = {"message_id": "m1", "user_id": "ann", "time": NOW - timedelta(days=1), "received_at": NOW}
    call = Envelope(kind="track", name="Product Viewed", context={"timezone": "Europe/Paris"}, **said)
    first, second = store(), store()
    first.write_now(absorb, [InboundRow(1, call)], NOW, rules=policy.rules)
    path = exported(first, tmp_path / "p.jsonl", computed=settings_.expressions)
    (row,) = map(orjson.loads, path.read_bytes().splitlines())
    assert row["observed"] == {"country": "FR", "usual_hour": 14}
    assert row["computed"] == {"views": 1}
    assert row["traits"] == {}
    assert run(second, path, policy=policy).errors == 0
    assert refusals(second) == []
    assert people(second)[0]["traits"] == {"country": "FR"}  # hours are counted by events, and an export of them brings those
    (cells,) = csv.DictReader(io.StringIO(exported(first, tmp_path / "p.csv", computed=settings_.expressions).read_text()))
    assert (cells["observed.usual_hour"], cells["observed.country"], cells["computed.views"]) == ("14", "FR", "1")
    assert run(store(), tmp_path / "p.csv", policy=policy).errors == 0


def test_a_table_has_a_column_for_each_kind_of_id_and_people_known_by_an_address_alone_come_back(tmp_path) -> None:
    first, second = store(), store()
    rows = [{"id": "ann", "external_ids": {"stripe_id": "007", "email": "a@shop.example"}}, {"email": "b@shop.example"}]
    run(first, jsonl(tmp_path / "in.jsonl", rows))
    path = exported(first, tmp_path / "p.csv")
    header = path.read_text().splitlines()[0].split(",")
    assert header[:4] == ["user_id", "anonymous_id", "external.email", "external.stripe_id"]
    run(second, path)
    assert [[one[:2] for one in person["known"]] for person in people(second)] == [
        [one[:2] for one in person["known"]] for person in people(first)
    ]
    events_ = jsonl(tmp_path / "e.jsonl", [{"event": "Seen", "external_ids": {"email": "b@shop.example"}}])
    run(first, events_, Kind.events)
    (event,) = map(orjson.loads, exported(first, tmp_path / "out.jsonl", "events").read_bytes().splitlines())
    assert event["external_ids"] == {"email": "b@shop.example"}
    assert run(second, tmp_path / "out.jsonl", Kind.events).new == 1
    assert len(people(second)) == 2
