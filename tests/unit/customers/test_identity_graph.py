"""Identifiers of any kind: whose an event is, what joins, what is refused, and what a merge by hand does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select

sys.path.insert(0, str(Path(__file__).parent))
from identity_shop import LATER, NOW, START, People, event

from sojourn.customers import identity_history, profiles
from sojourn.customers.identifying import email_key, external_ids, phone_key
from sojourn.customers.identity import Merged, Refused
from sojourn.customers.identity_pool import tables_of_people
from sojourn.errors import NotFound
from sojourn.intake.envelope import read_call
from sojourn.language.identity_rules import IdentityRules, is_placeholder
from sojourn.store import tables as t


@pytest.fixture
def people():
    return People()


def known(message_id, user, email, at=0, **given):
    return event(message_id, "identify", user_id=user, traits={"email": email, **given}, at=at)


def test_one_person_is_found_by_any_identifier(people):
    people.take(
        event("m", "identify", user_id="u", anonymous_id="a", crm="7", traits={"email": "Ann@Shop.example", "phone": "+49 171 1234568"})
    )
    references = ("u", "a", "7", "crm_id:7", "ann@shop.example", "ANN@shop.example", "+491711234568", "email:ann@shop.example", "user_id:u")
    assert {people.id(reference) for reference in references} == {people.id("u")}
    assert people.id("u") is not None
    assert people.id("phone:u") is None


def test_a_visitor_who_says_a_known_address_is_that_person(people):
    people.take(known("m1", "u", "ann@shop.example"), event("m2", anonymous_id="a"))
    taken = people.take(event("m3", "identify", anonymous_id="a", traits={"email": "ANN@shop.example"}))[0]
    assert [merge.winner_id for merge in taken.merges] == [people.id("u")]
    assert people.history("u") == ["m1", "m2", "m3"]


def test_an_address_never_joins_two_known_users_and_stays_with_whoever_said_it_first(people):
    people.take(known("m1", "u1", "ann@shop.example", at=5), known("m2", "u2", "ann@shop.example", at=9, city="Bonn"))
    assert people.id("u1") != people.id("u2")
    assert people.id("ann@shop.example") == people.id("u1")
    assert people.refused() == [("email", "ann@shop.example", "two_users")]
    assert people.person("u2").traits["city"] == "Bonn"
    people.take(known("m3", "u2", "ann@shop.example", at=1))
    assert people.id("ann@shop.example") == people.id("u2")


def test_an_event_may_name_nothing_but_an_external_id(people):
    named = b'[{"type": "crm_id", "id": 7, "collection": "users", "encoding": "none"}]'
    call = b'{"type": "track", "messageId": "m2", "event": "Paid", "context": {"externalIds": ' + named + b"}}"
    people.take(event("m1", user_id="u", crm="7"), *read_call("track", call, received_at=NOW).envelopes)
    assert people.history("u") == ["m1", "m2"]


@pytest.mark.parametrize(
    "given", ["x", 3, [3], [{"type": "crm_id"}], [{"type": "Ü", "id": "1"}], [{"type": "crm_id", "id": ""}],
              [{"type": "crm_id", "id": "1", "encoding": "sha256"}], [{"type": "crm_id", "id": "1", "collection": "accounts"}],
              [{"type": "email", "id": "no address"}], [{"type": "nobody:email", "id": "x"}]],
)  # fmt: skip
def test_what_is_no_external_id_is_left_out(given):
    assert external_ids(given) == []


def test_external_ids_are_bounded_and_written_alike():
    assert len(external_ids([{"type": "crm_id", "id": str(i)} for i in range(99)])) == 20
    assert external_ids([{"type": "ios.idfa", "id": " 7 "}, {"type": "Email", "id": "A@B.example"}]) == [
        {"type": "ios_idfa", "id": "7"},
        {"type": "email", "id": "a@b.example"},
    ]


def test_addresses_and_numbers_are_compared_in_one_form():
    assert email_key("  \uff21NN@Shop.Example ") == "ann@shop.example"
    assert email_key("not one") is None
    assert phone_key("+49 (0)171 / 1234568") == phone_key("0171 1234568", "DE") == "+491711234568"
    assert phone_key("0171 1234568") is None


@pytest.mark.parametrize(
    ("kind", "value", "blocked"),
    [("user_id", "null", True), ("user_id", "00000000", True), ("anonymous_id", "00000000-0000-0000-0000-000000000000", True),
     ("email", "null@shop.example", True), ("email", "test@example.com", True), ("phone", "+49111111111", True),
     ("phone", "+491234567890", True),
     ("user_id", "17511", False), ("email", "ann@shop.example", False), ("phone", "+491711234568", False), ("user_id", "test", False)],
)  # fmt: skip
def test_placeholders_are_nobodys(kind, value, blocked):
    assert is_placeholder(kind, value) is blocked


def test_a_placeholder_joins_nobody_and_leads_to_nobody(people):
    people.take(known("m1", "u1", "null@shop.example"), known("m2", "u2", "null@shop.example"))
    people.take(
        event("m3", "identify", user_id="null", anonymous_id="a", traits={"email": "ann@shop.example"}), event("m4", user_id="null")
    )
    assert people.id("u1") != people.id("u2")
    assert people.id("null@shop.example") is None
    assert people.history("a") == ["m3"]
    assert people.history("null") == ["m4"]
    assert people.names("null") == {("nobody:user_id", "null")}


def test_a_device_of_too_many_is_held_to_be_shared_and_keeps_its_own_events():
    people = People(IdentityRules(kinds={"anonymous_id": {"shared_after": 3}}))
    people.take(*(event(f"m{i}", "identify", user_id=f"u{i}", anonymous_id="kiosk", at=i) for i in range(4)))
    people.take(event("visit", anonymous_id="kiosk", at=9), event("u9", user_id="u9", anonymous_id="kiosk", at=10))
    assert people.history("kiosk") == ["visit"]
    assert people.id("kiosk") not in {people.id(f"u{i}") for i in (*range(4), 9)}


def test_one_identifier_too_many_is_left_out_and_recorded():
    people = People(IdentityRules(kinds={"email": {"limit": 1}}))
    people.take(known("m1", "u", "a@shop.example"), known("m2", "u", "b@shop.example", at=1))
    assert people.names("u") == {("user_id", "u"), ("email", "a@shop.example")}
    assert people.refused() == [("email", "b@shop.example", "too_many")]
    assert people.person("u").traits["email"] == "b@shop.example"


def test_a_merge_by_hand_joins_two_users_within_the_limits_or_by_force():
    people = People(IdentityRules(kinds={"email": {"limit": 1}}))
    people.take(known("m1", "u1", "a@shop.example"), known("m2", "u2", "b@shop.example"))
    assert people.merge("u1", "u2") == Refused("too_many")
    done = people.merge("u1", "u2", force=True)
    assert isinstance(done, Merged)
    assert people.id("u1") == people.id("u2") == done.profile_id
    assert people.merge("u1", "u2") == Refused("already_one")
    ids = people.db.read_now(identity_history.same_person, done.profile_id)
    assert [(one.kind, one.because) for one in people.db.read_now(identity_history.merges_of, ids)] == [("hand", "they wrote to us")]


def test_who_was_taken_apart_is_joined_by_hand_alone(people):
    people.take(event("m1", anonymous_id="a"), event("m2", user_id="u"))
    people.take(event("m3", "identify", user_id="u", anonymous_id="a", at=1))
    (lost,) = [row.loser_id for row in people.ask(select(t.merges))]
    people.unmerge(lost)
    people.take(event("m4", "identify", user_id="u", anonymous_id="a", at=2))
    assert people.id("a") == lost != people.id("u")
    assert people.history("a") == ["m1"]
    assert people.merge("a", "u", kind="resolution") == Refused("separated")
    assert isinstance(people.merge("a", "u"), Merged)
    assert people.history("u") == ["m1", "m2", "m3", "m4"]
    assert [row.ended_at for row in people.ask(select(t.separations))] == [LATER]


def test_what_was_never_merged_cannot_be_taken_apart(people):
    people.take(event("m1", user_id="u"))
    with pytest.raises(NotFound, match="identity show"):
        people.unmerge(people.id("u"))


def test_entries_sends_refusals_and_memberships_go_back_with_a_profile(people):
    people.take(event("m1", user_id="u1"), event("m2", user_id="u2"))
    lost, winner = people.id("u1"), people.id("u2")

    def settle(connection):
        connection.execute(insert(t.definitions).values(version="v", journey="j", body={}, first_seen=START))
        for entry, owner, trigger in (("e1", lost, "m1"), ("e2", winner, "m2")):
            connection.execute(
                insert(t.entries).values(
                    id=entry, journey="j", version="v", profile_id=owner, subject=owner, key="", workflow_id=entry, trigger_id=trigger,
                    trigger={}, variants={}, started_at=START, state="running",
                )
            )  # fmt: skip
            connection.execute(
                insert(t.sends).values(
                    key=entry, entry_id=entry, profile_id=owner, journey="j", step="1", send_id="s", content="c", purpose="marketing",
                    state="planned", created_at=START,
                )
            )  # fmt: skip
            connection.execute(insert(t.refusals).values(id=entry, journey="k", profile_id=owner, event_id=trigger, reason="", at=START))
        for segment, owner in (("only", lost), ("both", lost), ("both", winner)):
            connection.execute(insert(t.segment_members).values(segment=segment, profile_id=owner, since=START))

    people.db.write_now(settle)

    def owners():
        tables = (t.entries, t.sends, t.refusals)
        found = [[row.profile_id for row in people.ask(select(table).order_by(next(iter(table.primary_key))))] for table in tables]
        return found, sorted((row.segment, row.profile_id) for row in people.ask(select(t.segment_members)))

    before = owners()
    people.merge("u1", "u2")
    assert owners()[0] == [[winner, winner]] * 3
    assert people.db.read_now(profiles.origin, winner, "e1") == lost
    people.db.write_now(profiles.set_traits, lost, {"stage": "nudged"}, LATER)
    assert people.person("u2").traits == {"stage": "nudged"}
    people.unmerge(lost)
    assert owners() == before
    assert people.person("u1").traits == {"stage": "nudged"}
    assert people.person("u2").traits == {}


def test_every_table_of_people_is_known_to_go_back():
    """A new table with `profile_id` needs a column `origin_id`, or a way to go back in `identity_repair`, or is derived anew."""
    goes_back = {"entries", "sends", "refusals"}
    # An event from inside says whose it is by the name that it was given; one that waits to be told is told of whoever that is then.
    stays = {"inbound", "segment_releases"}
    for table in tables_of_people():
        derived = "profile_id" in table.primary_key.columns
        assert "origin_id" in table.c or derived or table.name in goes_back | stays, table.name


def test_a_profile_that_lost_twice_comes_back_alone_or_with_those_that_came_with_it(people):
    people.take(event("m1", user_id="u1"), event("m2", user_id="u2"), event("m3", user_id="u3"))
    one, two, three = (people.id(f"u{i}") for i in (1, 2, 3))
    people.merge("u1", "u2")
    people.merge("u2", "u3")
    people.unmerge(two)
    assert people.id("u1") == people.id("u2") == two
    assert people.id("u3") == three
    people.unmerge(one)
    assert (people.id("u1"), people.id("u2")) == (one, two)
    people.check()


def test_a_trait_set_while_merged_survives_a_later_event(people):
    people.take(event("m1", user_id="u1"), event("m2", user_id="u2"))
    people.merge("u1", "u2")
    people.db.write_now(profiles.set_traits, people.id("u2"), {"stage": "x"}, LATER)
    people.check()
    people.take(event("m3", "identify", user_id="u1", traits={"stage": "early"}))
    assert people.person("u1").traits == {"stage": "x"}
    people.check()
