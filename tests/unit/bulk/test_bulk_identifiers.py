"""Rows name people by any identifier, by the shop's own rules, in this process or in one beside it."""

import pytest
from bulk_world import NOW, jsonl, people, refusals, run, small_pages, store, work

from sojourn.bulk import reading
from sojourn.bulk.mapping import Kind
from sojourn.bulk.policy import Policy, of_texts
from sojourn.bulk.problems import UnreadableFile
from sojourn.bulk.reading import ReaderDied
from sojourn.language.loader import load_profile

pytestmark = pytest.mark.slow

PROFILE = b"""
undeclared: drop
traits:
  email: {type: text, personal: contact, normalise: email}
  age: {type: number, personal: none, merge: max}
"""


def known(database) -> list[list[tuple[str, str]]]:
    return [[(kind, value) for kind, value, *_ in one["known"]] for one in people(database)]


def test_a_column_of_a_crm_is_an_identifier(tmp_path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,crm,external.Loyalty-No,email,phone\nann,cus_1,007,Ann@Shop.example,+49 30 1234560\n,cus_1,,,\n")
    database = store()
    told = run(database, path, mapped={"crm": "external.stripe_id"})
    assert (told.new, told.known) == (1, 1)
    assert known(database) == [
        [("email", "ann@shop.example"), ("loyalty_no", "007"), ("phone", "+49301234560"), ("stripe_id", "cus_1"), ("user_id", "ann")]
    ]


@pytest.mark.parametrize("given", [{"stripe_id": "c1", "loyalty": ["1", 2]}, [{"type": "stripe_id", "id": "c1"}]])
def test_external_ids_come_as_an_object_or_as_a_call_has_them(tmp_path, given) -> None:
    database = store()
    run(database, jsonl(tmp_path / "p.jsonl", [{"user_id": "ann", "external_ids": given}]))
    assert ("stripe_id", "c1") in known(database)[0]


def test_an_address_is_enough_and_finds_whom_it_belongs_to(tmp_path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("email,city\nann@shop.example,Rome\nANN@shop.example,\nbob@shop.example,Oslo\nno address,Bonn\n")
    database = store()
    told = run(database, path)
    assert (told.new, told.known, told.errors) == (2, 1, 1)
    assert known(database) == [[("email", "ann@shop.example")], [("email", "bob@shop.example")]]
    assert "needs a user_id" in (tmp_path / "p.csv.errors.csv").read_text()


def test_a_kind_that_is_none_and_an_id_that_is_no_text_are_refused(tmp_path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,crm\nann,1\n")
    with pytest.raises(UnreadableFile, match="a kind of id"):
        run(store(), path, mapped={"crm": "external.9"})
    bad = [{"id": "a", "external_ids": {"crm": {"x": 1}}}, {"id": "b", "external_ids": 5}, {"id": "c", "external_ids": {"crm": ["1"] * 21}}]
    assert run(store(), jsonl(tmp_path / "p.jsonl", bad)).errors == 3


def test_the_shops_profile_says_what_is_kept_and_what_it_refuses_is_recorded(tmp_path) -> None:
    database = store()
    rows = [{"id": "ann", "email": "ann@shop.example", "age": 3, "shoe": 40}, {"id": "ann", "age": 2}, {"id": "bob", "email": "nowhere"}]
    run(database, jsonl(tmp_path / "p.jsonl", rows), policy=Policy(load_profile(PROFILE)))
    ann, bob = people(database)
    assert (ann["traits"], bob["traits"]) == ({"email": "ann@shop.example", "age": 3}, {})
    assert ann["times"]["rules"] == {"age": "max"}
    (refused,) = refusals(database)
    assert "'email'" in refused
    assert "nowhere" not in refused


def test_a_consent_that_is_kept_already_is_left_as_it_is(tmp_path) -> None:
    kept = {"id": "5e0f6d7e-1b1a-5f0e-9d7a-71756172616e", "purpose": "news", "granted": True, "at": "2026-01-01T00:00:00Z"}
    database = store()
    for who in ("ann", "bob"):
        run(database, jsonl(tmp_path / f"{who}.jsonl", [{"id": who, "consents": [kept]}, {"id": f"{who}2"}]))
    assert [len(one["consents"]) for one in people(database)] == [1, 0, 0, 0]


def test_a_policy_travels_as_texts() -> None:
    policy = Policy(load_profile(PROFILE))
    assert of_texts(*policy.texts()).profile == policy.profile


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_process_beside_reads_the_same_as_this_one(tmp_path, monkeypatch, ending) -> None:
    small_pages(monkeypatch, 300)
    path = tmp_path / f"p{ending}"
    rows = [{"id": f"u{i % 600}", "email": f"u{i}@shop.example", "zone": "Mars" if i % 97 == 5 else "Europe/Paris"} for i in range(1300)]
    if ending == ".csv":
        path.write_text("id,email,zone\n" + "".join(",".join(row.values()) + "\n" for row in rows))
    else:
        jsonl(path, rows)
    policy = Policy(load_profile(PROFILE))
    here, beside = store(), store()
    one = run(here, path, policy=policy, errors=tmp_path / "here.csv", as_of=NOW)
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    other = run(beside, path, policy=policy, errors=tmp_path / "beside.csv", as_of=NOW)
    assert (one.rows, one.errors, one.new) == (other.rows, other.errors, other.new) == (1300, 14, 600)
    assert people(here) == people(beside)
    assert (tmp_path / "here.csv").read_text() == (tmp_path / "beside.csv").read_text()


def test_what_the_process_beside_cannot_read_ends_the_import_here(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(reading, "LARGE_PACKED_FILE", 1)
    path = tmp_path / "p.csv.gz"
    import gzip

    path.write_bytes(gzip.compress(b"id,city\n" + b"".join(b"u%d,Rome\n" % i for i in range(20_000)))[:-2000])
    database = store()
    with pytest.raises(UnreadableFile, match="cannot be read past line"):
        run(database, path)


def test_a_process_beside_that_dies_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(reading, "LARGE_FILE", 1)
    monkeypatch.setattr(reading.sys, "executable", "/bin/false")
    with pytest.raises(ReaderDied, match="goes on where it was"):
        work(store(), jsonl(tmp_path / "p.jsonl", [{"id": "ann"}]), Kind.profiles).run()
