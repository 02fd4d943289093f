"""Where the columns of a file go, and what is refused of its rows, with line and reason."""

import csv
from datetime import timedelta

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from bulk_world import NOW, jsonl, people, rows, run, store, table, work

from sojourn.bulk.importing import listed
from sojourn.bulk.mapping import Kind
from sojourn.bulk.problems import UnreadableFile

# -- what is refused ------------------------------------------------------------------------------------


def test_bad_rows_are_told_with_line_and_reason_and_good_ones_go_on(tmp_path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid,city,consent.marketing,zone,time\n1,"Pa\nris",yes,Europe/Paris,2026-01-05\n2,x,maybe,,\n3,x,,Mars,\n,x,,,\n'
        b"5,x\n6,x,,,yesterday\n7,\xff,,,\n8,a\0b,,,\n\n9,ok,,,\n"
        + b"y" * 300
        + b",x,,,\n"
        + b"11,"
        + b"z" * 200_000
        + b',,,\n12,ok,,,\n13,"x"y,,,\n'
    )
    database = store()
    told = run(database, path)
    errors = list(csv.reader((tmp_path / "p.csv.errors.csv").open()))
    assert errors[0] == ["line", "reason"]
    assert [(int(line), reason.split(";")[0]) for line, reason in errors[1:]] == [
        (4, "a consent must be true or false"),
        (5, "zone must be a time zone, such as Europe/Paris"),
        (6, "needs a user_id or an anonymous_id"),
        (7, "has 2 cells"),
        (8, "time must be a moment in ISO 8601, such as 2026-01-05T09:00:00Z"),
        (9, "is not UTF-8"),
        (10, "holds a NUL character"),
        (13, "user_id is longer than 255 characters"),
        (14, errors[9][1].split(";")[0]),
        (16, errors[10][1]),
    ]
    assert "field larger" in errors[9][1] or "longer than" in errors[9][1]
    assert errors[10][1].startswith("is not CSV")
    assert (told.new, told.errors, told.rows) == (3, 10, 13)
    assert (tmp_path / "p.csv.errors.csv").stat().st_mode & 0o777 == 0o600


def test_what_intake_refuses_in_json_is_refused_here(tmp_path) -> None:
    path = tmp_path / "p.jsonl"
    lines = [
        '{"id":"a","id":"b"}',
        '{"id":"a","x":NaN}',
        "[1]",
        "{",
        '{"id":"a","x":"\\u0000"}',
        '{"id":{"a":1}}',
        '{"id":"c","traits":[]}',
        '{"id":"d"}',
    ]
    path.write_text("\n".join([*lines, '{"id":"e","x":"' + "y" * 40_000 + '"}', '{"id":"f","x":' + "[" * 60 + "]" * 60 + "}"]))
    database = store()
    told = run(database, path)
    told_lines = [int(row[0]) for row in list(csv.reader((tmp_path / "p.jsonl.errors.csv").open()))[1:]]
    assert told_lines == [1, 2, 3, 4, 5, 6, 7, 9, 10]
    assert (told.new, told.errors) == (1, 9)


def test_the_errors_file_repeats_no_values_unless_it_is_asked_to(tmp_path) -> None:
    path = jsonl(tmp_path / "p.jsonl", [{"id": "ann", "email": "ann@secret.example", "zone": "Mars"}])
    run(store(), path)
    assert "secret" not in (tmp_path / "p.jsonl.errors.csv").read_text()
    run(store(), path, errors=tmp_path / "all.csv", error_rows=True)
    assert "secret" in (tmp_path / "all.csv").read_text()


@pytest.mark.parametrize(
    ("header", "given", "said"),
    [
        ("name,city", {}, "no column tells whose a row is"),
        ("id,city", {"mapped": {"ctiy": "town"}}, "did you mean `city`"),
        ("id,city", {"types": {"city": "txet"}}, "did you mean `text`"),
        ("id,city,town", {"mapped": {"town": "city", "city": "city"}}, "two columns go to traits.city"),
        ("id,id", {}, "two columns have the name 'id'"),
        ("", {}, "first line must name the columns"),
    ],
)
def test_a_wrong_mapping_ends_before_the_first_row_with_what_to_write(tmp_path, header, given, said) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"{header}\n1,x,y\n")
    database = store()
    with pytest.raises(UnreadableFile, match=said):
        run(database, path, **given)
    assert people(database) == []


@pytest.mark.parametrize("name", ["p.parquet", "p.csv.gz", "p.xls", "gone.csv"])
def test_a_file_that_is_not_what_it_should_be_is_refused_with_a_sentence(tmp_path, name) -> None:
    if name != "gone.csv":
        (tmp_path / name).write_bytes(b"id\n1\n")
    with pytest.raises(UnreadableFile, match=name):
        run(store(), tmp_path / name)


# -- columns ---------------------------------------------------------------------------------------------


def test_columns_go_where_their_names_tell_and_where_the_command_line_says(tmp_path) -> None:
    path = table(
        tmp_path / "p.csv",
        [["7", "a@x.example", "Ann", "007", "12.5", "75001", "Paris", "fr-FR", "2025-05-05", "x"]],
        ["Customer ID", "E-Mail", "first", "code", "spent", "address.zip", "address.city", "Locale", "firstSeen", "junk"],
    )
    database = store()
    work_ = work(database, path, mapped={"first": "first_name", "junk": "-"}, types={"address.zip": "text"})
    assert {column: str(target) for column, target in work_.layout().targets.items()} == {
        "Customer ID": "user_id", "E-Mail": "traits.email", "first": "traits.first_name", "code": "traits.code", "spent": "traits.spent",
        "address.zip": "traits.address.zip", "address.city": "traits.address.city", "Locale": "locale",
        "firstSeen": "first_seen", "junk": "left out",
    }  # fmt: skip
    work_.run()
    (ann,) = people(database)
    assert ann["traits"] == {
        "email": "a@x.example", "first_name": "Ann", "code": "007", "spent": 12.5, "address": {"zip": "75001", "city": "Paris"},
    }  # fmt: skip
    assert ann["locale"] == "fr-FR"
    assert ann["seen"][0].isoformat() == "2025-05-05T00:00:00+00:00"


def test_a_rehearsal_says_what_would_happen_and_writes_nothing(tmp_path) -> None:
    database = store()
    run(database, jsonl(tmp_path / "a.jsonl", [{"id": "u1"}]))
    before = people(database)
    bad = []
    told = work(database, table(tmp_path / "p.csv", [*rows(4), ["", "", "", "", "", ""]])).rehearse(
        lambda row, reason: bad.append(row.line)
    )
    assert (told.rows, told.new, told.known, told.errors, bad) == (5, 3, 1, 1, [6])
    assert people(database) == before
    assert len(database.read_now(listed)) == 1
    assert not (tmp_path / "p.csv.errors.csv").exists()


def test_what_a_row_dates_in_the_future_happened_when_the_import_began(tmp_path) -> None:
    database = store()
    run(database, jsonl(tmp_path / "p.jsonl", [{"id": "ann", "city": "Rome", "time": (NOW + timedelta(days=9)).isoformat()}]))
    assert people(database)[0]["seen"] == (NOW, NOW)


def test_a_row_of_parquet_keeps_its_types(tmp_path) -> None:
    path = tmp_path / "p.parquet"
    rows_ = [
        {"user_id": "7", "born": NOW.date(), "spent": 12.5, "orders": 3, "vip": None, "tags": ["a", "b"], "time": NOW - timedelta(days=1)}
    ]
    parquet.write_table(arrow.Table.from_pylist(rows_), path)
    database = store()
    run(database, path)
    (person_,) = people(database)
    assert person_["traits"] == {"born": "2026-06-01", "spent": 12.5, "orders": 3, "tags": ["a", "b"]}
    assert person_["seen"][0] == NOW - timedelta(days=1)


def test_kind_tells_people_from_events(tmp_path) -> None:
    path = jsonl(tmp_path / "p.jsonl", [{"id": "ann"}])
    assert work(store(), path, Kind.profiles).fingerprint != work(store(), path, Kind.events).fingerprint


# -- nothing of a file is lost in silence ----------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_the_rows_of_a_file_with_a_stray_quotation_mark_add_up(tmp_path, end: str) -> None:
    lines = [f"u{i},Ann {i},u{i}@shop.example" for i in range(300)]
    lines[9], lines[150], lines[299] = 'u9,"Ann,u9@shop.example', 'u150,"A"nn,u150@shop.example', 'u299,Ann,"u299@shop.example'
    path = tmp_path / "p.csv"
    path.write_text(end.join(["id,name,email", *lines]), newline="")
    database = store()
    rehearsed = work(database, path).rehearse()
    told = run(database, path)
    assert (told.new, told.errors, told.rows) == (297, 3, 300)
    assert (rehearsed.new, rehearsed.errors, rehearsed.rows) == (297, 3, 300)
    errors = list(csv.reader((tmp_path / "p.csv.errors.csv").open()))
    assert [int(line) for line, _ in errors[1:]] == [11, 152, 301]


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "u1"}\r\n{"id": "u2"}\r\n')
    assert (run(store(), path).new, people(store())) == (2, [])
    for name, text in (("w.jsonl", '{"id": "u1"}\n'), ("w.csv", "id,name\nu1,Ann\n")):
        (tmp_path / name).write_bytes(text.encode("utf-16"))
        with pytest.raises(UnreadableFile, match="save the file as UTF-8"):
            run(store(), tmp_path / name)


def test_a_rehearsal_counts_as_the_import_then_does(tmp_path) -> None:
    database = store()
    run(database, jsonl(tmp_path / "before.jsonl", [{"id": "u1", "email": "ann@shop.example"}, {"email": "bob@shop.example"}]))
    said = [
        {"id": "u1", "city": "Rome"},  # known
        {"id": "u2", "email": "ann@shop.example"},  # a user of their own, whatever the address
        {"id": "u3", "email": "bob@shop.example"},  # whoever had only that address
        {"id": "u4", "email": "eve@shop.example"},
        {"id": "u4", "email": "eve@shop.example"},  # the row before
        {"email": "eve@shop.example"},
        {"id": "u5", "email": "no address", "phone": "12"},
        {"anonymous_id": "a1"},
        {"anonymous_id": "a1", "id": "u6"},
        {"id": "u7", "anonymous_id": "a1"},
    ]
    path = jsonl(tmp_path / "p.jsonl", said)
    rehearsed = work(database, path).rehearse()
    told = run(database, path)
    assert (rehearsed.new, rehearsed.known, rehearsed.errors) == (told.new, told.known, told.errors)
    assert told.refused == rehearsed.refused


def test_an_event_whose_id_comes_again_is_counted_once(tmp_path) -> None:
    rows = [{"user_id": "u1", "event": "Order Completed", "time": "2026-01-05T09:00:00Z", "message_id": f"m{i % 3}"} for i in range(7)]
    path = jsonl(tmp_path / "e.jsonl", rows)
    database = store()
    rehearsed = work(database, path, Kind.events).rehearse()
    told = run(database, path, Kind.events)
    assert (told.new, told.known) == (rehearsed.new, rehearsed.known) == (3, 4)
    again = jsonl(tmp_path / "again.jsonl", [*rows, {**rows[0], "message_id": "m9"}])
    rehearsed = work(database, again, Kind.events).rehearse()
    told = run(database, again, Kind.events)
    assert (told.new, told.known) == (rehearsed.new, rehearsed.known) == (1, 7)
