"""Events become people: the same people, in whatever order and however often the events come."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import insert, select

from sojourn.customers import consent, profiles
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope, read_call
from sojourn.store.database import Database
from sojourn.store.tables import consents, definitions, entries, events, identifiers, inbound, merges, metadata, refusals, segment_members
from sojourn.store.tables import profiles as profiles_table

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = START + timedelta(days=30)


class Shop:
    """The log and the router's place in it, without routing."""

    def __init__(self):
        self.db = Database("sqlite://")
        self.seq = 0

    def take(self, *envelopes):
        return self.db.write_now(self._take, envelopes)

    def _take(self, connection, envelopes):
        append(connection, envelopes)
        rows = connection.execute(select(inbound).where(inbound.c.seq > self.seq).order_by(inbound.c.seq)).all()
        self.seq = rows[-1].seq if rows else self.seq
        return absorb(connection, [InboundRow.of(row) for row in rows], NOW)

    def again(self):
        """Absorb the whole log once more, as after a crash."""

        def work(connection):
            rows = connection.execute(select(inbound).order_by(inbound.c.seq)).all()
            return absorb(connection, [InboundRow.of(row) for row in rows], NOW)

        return self.db.write_now(work)

    def ask(self, query):
        return self.db.read_now(lambda c: c.execute(query).all())

    def write(self, statement, *more):
        self.db.write_now(lambda c: c.execute(statement, *more))

    def person(self, external_id):
        return self.db.read_now(lambda c: profiles.load(c, profiles.find(c, external_id)))

    def id(self, external_id):
        return self.db.read_now(profiles.find, external_id)

    def standing(self, external_id, purpose="marketing"):
        return self.db.read_now(consent.standing, self.id(external_id), purpose)

    def history(self, external_id):
        query = select(events.c.id).where(events.c.profile_id == self.id(external_id)).order_by(events.c.time, events.c.id)
        return [row.id for row in self.ask(query)]


@pytest.fixture
def shop():
    return Shop()


def event(message_id, kind="track", at=0, name=None, **given):
    time = START + timedelta(minutes=at)
    called = name or (kind if kind != "track" else "Product Viewed")
    return Envelope(message_id=message_id, kind=kind, name=called, time=time, received_at=NOW, **given)


# -- identity ----------------------------------------------------------------------------------


def test_a_visitor_that_identifies_keeps_profile_and_history(shop):
    first = shop.take(event("m1", anonymous_id="a"))[0]
    known = shop.take(event("m2", "identify", at=1, anonymous_id="a", user_id="u"))[0]
    assert first.new_profile
    assert not known.new_profile
    assert known.profile_id == first.profile_id == shop.id("u") == shop.id("a")
    assert known.merges == ()
    assert shop.history("u") == ["m1", "m2"]


def test_a_visitor_that_turns_out_to_be_a_known_user_is_merged_with_all_that_is_theirs(shop):
    shop.take(event("m0", "identify", user_id="u", traits={"plan": "pro"}, at=5), event("m1", anonymous_id="a"))
    loser, winner = shop.id("a"), shop.id("u")
    shop.write(insert(definitions), {"version": "v", "journey": "j", "body": {}, "first_seen": START})
    shop.write(
        insert(entries),
        {
            "id": "e1", "journey": "j", "version": "v", "profile_id": loser, "key": "", "workflow_id": f"journey:j:{loser}",
            "trigger_id": "m1", "trigger": {}, "variants": {}, "started_at": START, "state": "running",
        },
    )  # fmt: skip
    shop.write(insert(refusals), {"id": "r", "journey": "j", "profile_id": loser, "event_id": "m1", "reason": "", "at": START})
    for profile_id, segment in ((loser, "only_loser"), (loser, "both"), (winner, "both")):
        shop.write(insert(segment_members), {"segment": segment, "profile_id": profile_id, "since": START})
    taken = shop.take(event("m2", "identify", at=9, anonymous_id="a", user_id="u", traits={"city": "Bonn"}))[0]
    assert [(m.loser_id, m.winner_id) for m in taken.merges] == [(loser, winner)]
    assert taken.profile_id == winner == shop.id("a")
    assert shop.history("u") == ["m1", "m0", "m2"]
    assert shop.person("u").traits == {"plan": "pro", "city": "Bonn"}
    assert shop.person("u").first_seen == START
    assert [tuple(row) for row in shop.ask(select(entries.c.id, entries.c.profile_id, entries.c.workflow_id))] == [
        ("e1", winner, f"journey:j:{loser}")
    ]
    assert [row.profile_id for row in shop.ask(select(refusals))] == [winner]
    assert sorted((row.segment, row.profile_id) for row in shop.ask(select(segment_members))) == [("both", winner), ("only_loser", winner)]
    assert [(row.loser_id, row.winner_id) for row in shop.ask(select(merges))] == [(loser, winner)]
    assert shop.db.read_now(profiles.canonical, loser) == winner


def test_every_table_with_a_profile_follows_a_merge(shop):
    moved = {table.name for table in metadata.sorted_tables if "profile_id" in table.c}
    assert moved >= {"events", "identifiers", "consents", "entries", "sends", "refusals", "segment_members"}


def test_chains_of_merges_always_name_the_one_that_lives_on(shop):
    shop.take(event("m1", anonymous_id="a"), event("m2", user_id="u1"), event("m3", user_id="u2"))
    a, u1 = shop.id("a"), shop.id("u1")
    shop.take(event("m4", "identify", anonymous_id="a", user_id="u1", at=1))
    shop.take(event("m5", "alias", user_id="u2", previous_id="u1", at=2))
    u2 = shop.id("u2")
    assert {row.id: row.merged_into for row in shop.ask(select(profiles_table))} == {a: u2, u1: u2, u2: None}
    assert {row.profile_id for row in shop.ask(select(identifiers))} == {u2}
    assert shop.history("a") == ["m1", "m2", "m3", "m4", "m5"]


def test_merges_within_one_batch_chain_too(shop):
    taken = shop.take(
        event("m1", anonymous_id="a"),
        event("m2", user_id="u1"),
        event("m3", "identify", anonymous_id="a", user_id="u1"),
        event("m4", "alias", user_id="u2", previous_id="u1"),
    )
    assert {item.profile_id for item in taken} == {shop.id("u2")}
    assert len(taken[2].merges) == len(taken[3].merges) == 1
    assert shop.history("u2") == ["m1", "m2", "m3", "m4"]


def test_two_users_of_one_browser_are_never_one_person(shop):
    shop.take(event("m1", anonymous_id="a"), event("m2", "identify", anonymous_id="a", user_id="u1", at=1))
    taken = shop.take(event("m3", "identify", anonymous_id="a", user_id="u2", at=2), event("m4", anonymous_id="a", at=3))
    assert all(item.merges == () for item in taken)
    assert shop.id("u1") != shop.id("u2")
    assert shop.history("u1") == ["m1", "m2"]
    assert shop.history("u2") == ["m3", "m4"]


def test_a_late_event_does_not_take_a_browser_back(shop):
    shop.take(event("m1", "identify", anonymous_id="a", user_id="u1", at=1), event("m2", "identify", anonymous_id="a", user_id="u2", at=5))
    shop.take(event("m3", anonymous_id="a", user_id="u1", at=3))
    assert shop.id("a") == shop.id("u2")
    assert shop.history("u1") == ["m1", "m3"]


def test_an_alias_may_come_before_the_events_it_speaks_of(shop):
    shop.take(event("m1", "alias", user_id="u", previous_id="old", at=5))
    shop.take(event("m2", anonymous_id="old"), event("m3", user_id="old", at=1))
    assert shop.history("u") == ["m2", "m3", "m1"]


# -- traits, zone, locale, seen ----------------------------------------------------------------


def test_the_latest_said_trait_stands_and_null_removes_one(shop):
    shop.take(event("m1", "identify", user_id="u", traits={"plan": "pro", "city": "Bonn"}, at=9))
    shop.take(
        event("m2", "identify", user_id="u", traits={"plan": "old", "name": "Ann"}, at=3),
        event("m3", "identify", user_id="u", traits={"city": None}, at=10),
    )
    assert shop.person("u").traits == {"plan": "pro", "name": "Ann"}


def test_zone_and_locale_come_from_the_context_or_from_traits(shop):
    shop.take(event("m1", user_id="u", context={"timezone": "Europe/Berlin", "locale": "de-DE"}, at=1))
    shop.take(event("m2", "identify", user_id="v", traits={"timezone": "Asia/Tokyo", "locale": "ja"}))
    assert (shop.person("u").zone, shop.person("u").locale) == ("Europe/Berlin", "de-DE")
    assert (shop.person("v").zone, shop.person("v").locale) == ("Asia/Tokyo", "ja")


@pytest.mark.parametrize(
    ("said", "zone"), [("Mars/Olympus", None), ("GMT+0100", "Etc/GMT-1"), ("GMT-0800", "Etc/GMT+8"), ("GMT+0530", None), ("GMT+9900", None)]
)
def test_a_zone_is_one_of_the_worlds_or_a_whole_offset(shop, said, zone):
    shop.take(event("m1", user_id="u", context={"timezone": said}))
    assert shop.person("u").zone == zone


def test_an_offset_never_displaces_a_place(shop):
    shop.take(
        event("m1", user_id="u", context={"timezone": "Europe/Berlin"}), event("m2", user_id="u", context={"timezone": "GMT+0100"}, at=5)
    )
    shop.take(
        event("m3", user_id="v", context={"timezone": "GMT+0100"}, at=5), event("m4", user_id="v", context={"timezone": "Europe/Berlin"})
    )
    assert shop.person("u").zone == shop.person("v").zone == "Europe/Berlin"


def test_first_and_last_seen_are_of_event_time(shop):
    shop.take(event("m1", user_id="u", at=5), event("m2", user_id="u", at=1), event("m3", user_id="u", at=3))
    assert shop.person("u").first_seen == START + timedelta(minutes=1)
    assert shop.person("u").last_seen == START + timedelta(minutes=5)


# -- consent -----------------------------------------------------------------------------------


def test_consent_is_heard_from_events_traits_and_context(shop):
    shop.take(
        event("m1", name="Subscribed", user_id="a", properties={"wording": "v3"}),
        event("m2", name="Unsubscribed", user_id="b", properties={"purpose": "digest", "send_key": "k"}),
        event("m3", "identify", user_id="c", traits={"consent": {"marketing": True, "odd": "yes"}, "city": "Bonn"}),
        event("m4", "page", user_id="d", context={"consent": {"categoryPreferences": {"marketing": False}}}),
    )
    granted = shop.standing("a")
    assert (granted.granted, granted.source, granted.wording, granted.at) == (True, "event Subscribed", "v3", START)
    assert shop.standing("b") is None
    assert shop.standing("b", "digest").granted is False
    assert shop.standing("c").granted is True
    assert shop.standing("c", "odd") is None
    assert shop.person("c").traits == {"city": "Bonn"}
    assert (shop.standing("d").granted, shop.standing("d").source) == (False, "context.consent")


def test_the_latest_word_stands_whatever_came_last(shop):
    shop.take(event("m1", name="Unsubscribed", user_id="u", at=5), event("m2", name="Subscribed", user_id="u", at=3))
    assert shop.standing("u").granted is False
    shop.take(event("m3", name="Subscribed", user_id="u", at=6))
    assert shop.standing("u").granted is True


def test_a_no_beats_the_banner_of_the_page_it_was_said_on(shop):
    shop.take(event("m1", name="Unsubscribed", user_id="u", context={"consent": {"categoryPreferences": {"marketing": True}}}))
    assert shop.standing("u").granted is False


def test_consent_follows_a_merge(shop):
    shop.take(event("m1", name="Subscribed", anonymous_id="a", at=1), event("m2", name="Unsubscribed", user_id="u"))
    shop.take(event("m3", "identify", anonymous_id="a", user_id="u", at=2))
    assert shop.standing("u").granted is True


# -- the log of a person -----------------------------------------------------------------------


def test_engagement_keeps_its_send_and_whether_a_machine_did_it(shop):
    shop.take(event("m1", name="Email Opened", user_id="u", properties={"send_key": "k", "machine": True}))
    row = shop.ask(select(events))[0]
    assert (row.send_key, row.machine, row.seq) == ("k", True, 1)


def test_absorbing_again_changes_nothing_and_says_so(shop):
    first = shop.take(
        event("m1", anonymous_id="a"),
        event("m2", "identify", anonymous_id="a", user_id="u", traits={"x": 1}),
        event("m3", name="Subscribed", user_id="u"),
    )
    before = {t.name: sorted(map(repr, shop.ask(select(t)))) for t in metadata.sorted_tables}
    again = shop.again()
    assert {t.name: sorted(map(repr, shop.ask(select(t)))) for t in metadata.sorted_tables} == before
    assert [item.is_new for item in first] == [True] * 3
    assert [item.is_new for item in again] == [False] * 3
    assert [item.profile_id for item in again] == [item.profile_id for item in first]


def test_a_batch_and_one_at_a_time_come_to_the_same(shop):
    line = [
        event(f"m{i}", "identify" if i % 3 == 0 else "track", at=i, user_id=f"u{i % 2}" if i % 3 == 0 else None, anonymous_id=f"a{i % 2}")
        for i in range(12)
    ]
    other = Shop()
    shop.take(*line)
    for one in line:
        other.take(one)
    assert world(shop, "u0", "u1") == world(other, "u0", "u1")


def test_a_journeys_trait_stands_against_earlier_said_and_yields_to_later(shop):
    shop.take(event("m1", "identify", user_id="u", traits={"stage": "new"}, at=1))
    shop.db.write_now(profiles.set_traits, shop.id("u"), {"stage": "nudged"}, START + timedelta(minutes=5))
    shop.take(event("m2", "identify", user_id="u", traits={"stage": "late"}, at=3))
    assert shop.person("u").traits == {"stage": "nudged"}
    shop.take(event("m3", "identify", user_id="u", traits={"stage": "bought"}, at=8))
    assert shop.person("u").traits == {"stage": "bought"}


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [1, 2, 3, 0], [2, 1, 3, 0]])
def test_a_banners_no_stands_since_its_first_though_its_browser_was_known_before_its_person(shop, order):
    no = {"consent": {"categoryPreferences": {"marketing": False}}}
    line = [
        event("m1", at=0, user_id="u", anonymous_id="a", context=no),
        event("m2", at=1, anonymous_id="a", context=no),
        event("m3", "identify", at=3, user_id="u", anonymous_id="b"),
        event("m4", "identify", at=3, user_id="u", anonymous_id="a"),
    ]
    shop.take(*(line[place] for place in order))
    assert shop.standing("u").at == START


# -- P5 ----------------------------------------------------------------------------------------


def world(shop, *users):
    """What is known of people, without the ids that differ from life to life."""
    found = {}
    for user in users:
        if shop.id(user) is None:
            continue
        person = shop.person(user)
        stands = {purpose: (c.granted, c.at, c.source) for purpose in ("marketing", "digest") if (c := shop.standing(user, purpose))}
        seen = (person.first_seen, person.last_seen)
        found[user] = (
            orjson.dumps(person.traits, option=orjson.OPT_SORT_KEYS),
            person.zone,
            person.locale,
            seen,
            stands,
            shop.history(user),
        )
    return found


_values = st.sampled_from(["a", "b", 1, 2.5, True, None, [1]])
_preferences = st.dictionaries(st.sampled_from(["marketing", "digest"]), st.booleans(), min_size=1)
_contexts = st.fixed_dictionaries(
    {},
    optional={
        "timezone": st.sampled_from(["Europe/Berlin", "Asia/Tokyo", "GMT+0100", "nowhere"]),
        "locale": st.sampled_from(["de", "en"]),
        "consent": _preferences.map(lambda p: {"categoryPreferences": p}),
    },
)


@st.composite
def _lives(draw):
    """Events of two people, each with two browsers of their own; some carry both ids, some one."""
    line = []
    for i in range(draw(st.integers(1, 9))):
        user = draw(st.sampled_from(["u1", "u2"]))
        anonymous = f"{user}-{draw(st.sampled_from('ab'))}"
        kind = draw(st.sampled_from(["track", "identify", "page", "alias"]))
        ids = draw(st.sampled_from([{"user_id": user}, {"anonymous_id": anonymous}, {"user_id": user, "anonymous_id": anonymous}]))
        given = {"context": draw(_contexts)}
        if kind == "alias":
            ids, given["previous_id"] = {"user_id": user}, anonymous
        if kind == "identify":
            given["traits"] = draw(st.dictionaries(st.sampled_from(["plan", "city", "consent"]), _values | _preferences, max_size=2))
        name = draw(st.sampled_from(["Product Viewed", "Subscribed", "Unsubscribed"])) if kind == "track" else None
        line.append(event(f"m{i}", kind, at=draw(st.integers(0, 6)), name=name, **ids, **given))
    # In the end each says who owns which browser, so that every order can come to the same.
    return line + [event(f"last-{u}-{b}", "identify", user_id=u, anonymous_id=f"{u}-{b}", at=3) for u in ("u1", "u2") for b in "ab"]


@pytest.mark.slow
@law(12)
@given(line=_lives(), data=st.data())
def test_duplicate_late_and_reordered_events_give_the_same_people(line, data):
    straight, shuffled = Shop(), Shop()
    straight.take(*line)
    mixed = data.draw(st.permutations([*line, *data.draw(st.lists(st.sampled_from(line), max_size=3))]))
    while mixed:
        count = data.draw(st.integers(1, len(mixed)))
        shuffled.take(*mixed[:count])
        mixed = mixed[count:]
    assert world(shuffled, "u1", "u2") == world(straight, "u1", "u2")
    assert world(shuffled, "u1-a") == {"u1-a": world(shuffled, "u1")["u1"]}
    straight.db.close_now()
    shuffled.db.close_now()


def test_a_segment_call_goes_all_the_way(shop):
    visit = {"type": "track", "messageId": "m1", "anonymousId": "a", "event": "E"}
    sign_in = {"type": "identify", "messageId": "m2", "anonymousId": "a", "userId": "u", "traits": {"email": "x@y.example"}}
    body = orjson.dumps({"batch": [visit, sign_in]})
    shop.take(*read_call("batch", body, received_at=NOW).envelopes)
    assert shop.person("u").traits == {"email": "x@y.example"}
    assert shop.ask(select(consents)) == []
