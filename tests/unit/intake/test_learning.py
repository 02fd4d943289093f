"""What events tell of a person under the rules of a profile.yaml: traits in one form, device, hour, and moves."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import select

from sojourn.customers import identity, profiles, refused, tallies
from sojourn.customers.declared import rules_of
from sojourn.customers.retention import expire
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.intake.appender import append
from sojourn.intake.emit import emit
from sojourn.intake.envelope import Envelope, read_call
from sojourn.language.loader import load_profile, load_shop
from sojourn.store.database import Database
from sojourn.store.tables import inbound, trait_refusals
from sojourn.store.tables import profiles as profiles_table

pytestmark = pytest.mark.slow

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOW = START + timedelta(days=30)
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148"
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
TABLET = "Mozilla/5.0 (Linux; Android 14; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
SHOP = load_shop("{name: S, sender: {name: S, address: s@shop.example}, postal_address: Here 1, zone: Europe/Berlin}")
PROFILE = """
observe: [usual_device, usual_hour, place]
traits:
  email: {type: text, personal: contact, normalise: email}
  phone: {type: text, personal: contact, normalise: phone, on_refusal: keep_raw}
  source: {type: text, personal: behaviour, merge: first}
  tags: {type: list, personal: behaviour, merge: union}
  best: {type: number, personal: behaviour, merge: max}
  hint: {type: text, personal: none, retention: 10d}
computed: {orders: 'count("Order Completed")'}
"""
RULES = rules_of(load_profile(PROFILE), SHOP)


class People:
    """The log, and people made of it by rules."""

    def __init__(self, rules=RULES):
        self.db, self.rules, self.seq = Database("sqlite://"), rules, 0

    def take(self, *envelopes):
        """Absorb events, and what they bring about."""

        def work(connection):
            append(connection, envelopes)
            while rows := connection.execute(select(inbound).where(inbound.c.seq > self.seq).order_by(inbound.c.seq)).all():
                self.seq = rows[-1].seq
                absorb(connection, [InboundRow.of(row) for row in rows], NOW, rules=self.rules, emit=emit)

        self.db.write_now(work)

    def person(self, external_id="u"):
        return self.db.read_now(lambda c: profiles.load(c, profiles.find(c, external_id)))

    def moves(self):
        query = select(inbound.c.time, inbound.c.body).where(inbound.c.name == "Location Changed").order_by(inbound.c.seq)
        return [
            (int((row.time - START).total_seconds() // 60), row.body["properties"])
            for row in self.db.read_now(lambda c: c.execute(query).all())
        ]

    def refused(self, external_id="u"):
        return [(trait, why) for trait, why, _ in self.db.read_now(lambda c: refused.of_person(c, [str(profiles.find(c, external_id))]))]

    def row(self, external_id="u"):
        return self.db.read_now(
            lambda c: c.execute(select(profiles_table).where(profiles_table.c.id == profiles.find(c, external_id))).one()
        )


@pytest.fixture
def people():
    return People()


def event(message_id, kind="track", at=0, **given):
    ids = {} if {"user_id", "anonymous_id"} & given.keys() else {"user_id": "u"}
    name = given.pop("name", "Product Viewed" if kind == "track" else kind)
    return Envelope(message_id=message_id, kind=kind, name=name, time=START + timedelta(minutes=at), received_at=NOW, **ids, **given)


def says(message_id, at=0, **traits):
    return event(message_id, "identify", at, traits=traits)


def at_place(message_id, at=0, **location):
    return event(message_id, "page", at, context={"location": location})


# -- traits ------------------------------------------------------------------------------------


def test_traits_are_kept_in_their_one_form(people):
    people.take(says("m1", email=" Ada@SHOP.example", phone="030 12345678", tags=["b", "a"], plan="pro"))
    people.take(says("m2", at=1, tags=["c", "a"], best="7", source="ad"), says("m3", at=2, best=3, source="mail"))
    assert people.person().traits == {
        "email": "ada@shop.example", "phone": "+493012345678", "tags": ["a", "b", "c"], "plan": "pro", "best": 7, "source": "ad",
    }  # fmt: skip


def test_a_refused_word_is_kept_with_its_reason_and_without_itself(people):
    people.take(says("m1", email="not an address", phone="call me", orders=5), says("m2", at=1, email="ada@shop.example"))
    people.take(says("m1"))
    assert people.person().traits == {"email": "ada@shop.example", "phone": "call me"}
    assert sorted(people.refused()) == [
        ("email", "not an e-mail address"), ("orders", "computed by Sojourn; nobody can say it"), ("phone", "not a telephone number"),
    ]  # fmt: skip


def test_refusals_follow_a_merge(people):
    people.take(event("m1", "identify", anonymous_id="a", traits={"email": "x"}), event("m2", user_id="u"))
    people.take(event("m3", "identify", at=1, anonymous_id="a", user_id="u"))
    assert people.refused() == [("email", "not an e-mail address")]


def test_undeclared_traits_can_be_dropped():
    dropping = People(rules_of(load_profile("undeclared: drop\ntraits: {plan: {type: text, personal: none}}"), SHOP))
    dropping.take(says("m1", plan="pro", secret="x", consent={"marketing": True}))
    assert dropping.person().traits == {"plan": "pro"}


def test_a_number_is_read_by_the_events_own_country_and_never_by_what_is_known(people):
    people.take(says("m1", country="Austria"), says("m2", at=1, phone="030 12345678"))
    assert people.person().traits["phone"] == "+493012345678", "of the shop's zone"
    people.take(event("m3", "identify", 2, traits={"phone": "01 5880 0"}, context={"timezone": "Europe/Vienna"}))
    assert people.person().traits["phone"] == "+43158800"


def test_a_trait_that_a_journey_sets_is_taken_by_the_same_rules(people):
    people.take(event("m1"))
    person = people.person()
    people.db.write_now(profiles.set_traits, person.id, {"email": "ADA@shop.example", "best": "x"}, START, RULES, "set:e1:3")
    assert people.person().traits["email"] == "ada@shop.example"
    assert people.refused() == [("best", "not a number")]


# -- retention ---------------------------------------------------------------------------------


def expire_all(people, now, page=2):
    after, count, changed = "", 0, []
    while after is not None:
        found = people.db.write_now(expire, now, people.rules, after, page)
        after, count = found.after, count + found.values
        changed += found.profile_ids
    return count, changed


def test_what_is_past_its_retention_is_taken_away_once_and_does_not_come_back(people):
    late = [event(f"m{i}", "identify", i, user_id=f"u{i}", traits={"hint": "x", "plan": "pro"}) for i in range(5)]
    people.take(*(one.model_copy(update={"time": NOW - timedelta(days=9)}) for one in late))
    assert expire_all(people, NOW) == (0, [])
    count, changed = expire_all(people, NOW + timedelta(days=2))
    assert (count, len(changed)) == (5, 5)
    assert expire_all(people, NOW + timedelta(days=2)) == (0, [])
    assert people.person("u3").traits.keys() >= {"plan"}
    assert "hint" not in people.person("u3").traits
    people.take(event("old", "identify", user_id="u3", traits={"hint": "older"}))
    assert "hint" not in people.person("u3").traits, "said 30 days ago"


def test_what_was_taken_away_does_not_come_back_by_an_unmerge(people):
    """The winner's own facts stand beside what it shows; the loser's in its row."""
    for user in "uv":
        said = event(f"m{user}", "identify", user_id=user, traits={"hint": user, "plan": user})
        people.take(said.model_copy(update={"time": NOW - timedelta(days=9)}))
    winner, loser = people.person("u").id, people.person("v").id
    people.db.write_now(identity.merge, loser, winner, "they said so", NOW)
    assert "hint" in people.person("v").traits
    expire_all(people, NOW + timedelta(days=20))
    people.db.write_now(identity.unmerge, loser, "it was wrong", NOW)
    assert [(people.person(user).id, people.person(user).traits) for user in "uv"] == [(winner, {"plan": "u"}), (loser, {"plan": "v"})]


def test_old_refusals_go_too(people):
    people.take(says("m1", email="x"))
    expire_all(people, NOW + timedelta(days=30))
    assert people.refused()
    expire_all(people, NOW + timedelta(days=90))
    assert people.db.read_now(lambda c: c.execute(select(trait_refusals)).all()) == []


# -- device and hour ---------------------------------------------------------------------------


def test_the_usual_device_and_hour_are_those_of_most_events(people):
    people.take(event("m0", context={"userAgent": LAPTOP}, at=120), event("m1", context={"userAgent": PHONE}))
    people.take(event("m2", "page", 5, context={"userAgent": PHONE}), event("m3", context={"userAgent": TABLET}, at=180))
    person = people.person()
    assert (person.traits["usual_device"], person.traits["usual_hour"]) == ("mobile", 13), "in the shop's zone, for none is known"
    people.take(event("m4", "identify", context={"timezone": "America/New_York"}, at=200))
    assert people.person().traits["usual_hour"] == 7


def test_what_a_machine_or_the_engine_does_is_not_counted(people):
    people.take(event("m1", context={"userAgent": ROBOT}), event("m2", "identify", traits={"plan": "x"}))
    profile_id = people.person().id
    people.take(event("m3", name="Email Opened", profile_id=profile_id, properties={"machine": True}))
    people.take(event("m4", name="Segment Entered", profile_id=profile_id), event("m5", name="Email Delivered", profile_id=profile_id))
    assert people.row().tallies == {}
    people.take(event("m6", name="Email Opened", profile_id=profile_id))
    assert people.row().tallies == {"hour": {"01T12": 1}}


def test_an_event_is_counted_once_however_often_it_is_absorbed(people):
    people.take(event("m1", context={"userAgent": PHONE}))
    people.seq = 0
    people.take()
    assert people.row().tallies == {"device": {"mobile": 1}, "hour": {"01T12": 1}}


def test_counts_add_up_on_a_merge_and_can_be_taken_away_again(people):
    people.take(event("m1", anonymous_id="a", context={"userAgent": PHONE}), event("m2", context={"userAgent": LAPTOP}))
    before, other = people.row("u").tallies, people.row("a").tallies
    people.take(event("m3", "identify", 1, user_id="u", anonymous_id="a"))
    after = people.row("u").tallies
    assert after == {"device": {"desktop": 1, "mobile": 1}, "hour": {"01T12": 2}}
    tallies.subtract(after, other)
    assert after == before


def test_summer_time_shifts_no_habit():
    counts = {}
    for month, utc in ((1, 17), (7, 16)):
        tallies.count(counts, tallies.HOUR, tallies.hour_key(datetime(2026, month, 3, utc, 40, tzinfo=UTC)))
    assert tallies.hours(counts, "Europe/Berlin") == {"18": 2}
    assert tallies.hours(counts, "Asia/Kolkata") == {"22": 1, "23": 1}


# -- place -------------------------------------------------------------------------------------


def test_a_place_comes_from_the_payload_the_traits_or_the_zone(people):
    people.take(at_place("m1", city="Munich", region="Bavaria", country="Germany"))
    assert people.person().traits.items() >= {"city": "Munich", "region": "DE-BY", "country": "DE"}.items()
    people.take(
        event("v1", "identify", user_id="v", traits={"address": {"city": "Lyon", "country": "FRA", "state": "Auvergne-Rhône-Alpes"}})
    )
    assert people.person("v").traits.items() >= {"city": "Lyon", "region": "FR-ARA", "country": "FR"}.items()
    people.take(event("w1", user_id="w", context={"timezone": "Asia/Calcutta"}))
    assert people.person("w").traits["country"] == "IN"


def test_what_was_said_stands_before_what_a_zone_lets_guess(people):
    people.take(says("m1", country="Austria"), event("m2", at=5, context={"timezone": "Europe/Berlin"}))
    assert people.person().traits["country"] == "AT"
    people.take(
        event("v1", user_id="v", at=5, context={"timezone": "Europe/Berlin"}),
        event("v2", "identify", user_id="v", traits={"country": "AT"}),
    )
    assert people.person("v").traits["country"] == "AT"
    assert people.moves() == []


def test_a_country_that_is_none_is_refused(people):
    people.take(says("m1", country="Narnia", city="Cair Paravel"))
    assert "country" not in people.person().traits
    assert people.refused() == [("country", "no country that is known")]


def test_who_moves_is_told_of_once(people):
    people.take(at_place("m1", city="Berlin", country="DE"), at_place("m2", 1, city="BERLIN", country="Germany"))
    assert people.moves() == [], "the first known place is no change, and neither is another spelling"
    people.take(at_place("m3", 5, city="Vienna", country="Austria"))
    assert people.moves() == [(5, {"from_city": "BERLIN", "from_country": "DE", "to_city": "Vienna", "to_country": "AT"})]
    people.seq = 0
    people.take()
    assert len(people.moves()) == 1
    people.take(at_place("m4", 3, city="Prague", country="CZ"))
    assert len(people.moves()) == 1, "it is older than what is known"
    people.take(at_place("m5", 9, city="Graz"))
    assert people.moves()[1] == (9, {"from_city": "Vienna", "from_country": "AT", "to_city": "Graz", "to_country": "AT"})


def test_a_new_country_without_a_city_does_not_claim_the_old_city(people):
    people.take(at_place("m1", city="Berlin", country="DE"), at_place("m2", 1, country="FR"))
    assert people.moves() == [(1, {"from_city": "Berlin", "from_country": "DE", "to_country": "FR"})]


def test_two_zones_are_a_move_but_a_guess_put_right_is_none(people):
    people.take(event("m1", context={"timezone": "Europe/Berlin"}), event("m2", at=9, context={"timezone": "America/New_York"}))
    assert people.moves() == [(9, {"from_country": "DE", "to_country": "US"})]
    people.take(says("m3", at=20, country="Canada"))
    assert len(people.moves()) == 1


def test_a_merge_is_no_move_and_a_move_is_told_of_whoever_lives_on(people):
    people.take(
        event("m1", "page", anonymous_id="a", context={"location": {"city": "Rome", "country": "IT"}}),
        at_place("m2", 1, city="Bonn", country="DE"),
    )
    people.take(event("m3", "identify", 2, user_id="u", anonymous_id="a"))
    assert people.moves() == []
    assert people.person().traits["city"] == "Bonn"
    people.take(event("m4", "page", 3, anonymous_id="a", context={"location": {"city": "Rome"}}))
    assert people.moves() == [(3, {"from_city": "Bonn", "from_country": "DE", "to_city": "Rome", "to_country": "DE"})]


def test_the_door_keeps_a_place_within_bounds_and_no_address():
    body = {
        "anonymousId": "a",
        "event": "E",
        "context": {"ip": "1.2.3.4", "location": {"city": "Bonn", "country": "DE" * 60, "latitude": 1}},
    }
    assert read_call("track", orjson.dumps(body), received_at=NOW).envelopes[0].context == {"location": {"city": "Bonn"}}


# -- P5 ----------------------------------------------------------------------------------------

_traits = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(["A@x.example", "b@x.example", "nobody", None]),
        "source": st.sampled_from(["ad", "mail", None]),
        "tags": st.lists(st.sampled_from(["a", "b", "c"]), max_size=2),
        "best": st.sampled_from([1, "2", 3.5, "x"]),
        "country": st.sampled_from(["DE", "Austria", "Narnia"]),
        "address": st.sampled_from([{"city": "Bonn"}, {"city": "Graz", "country": "AT"}]),
    },
)
_contexts = st.fixed_dictionaries(
    {},
    optional={
        "timezone": st.sampled_from(["Europe/Berlin", "America/New_York", "GMT+0100"]),
        "userAgent": st.sampled_from([PHONE, LAPTOP, TABLET, ROBOT]),
        "location": st.sampled_from([{"city": "Bonn", "country": "DE"}, {"country": "FR"}, {"city": "Rome"}]),
    },
)


@st.composite
def _lives(draw):
    line = []
    for i in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["track", "identify", "page"]))
        ids = draw(st.sampled_from([{"user_id": "u"}, {"anonymous_id": "a"}, {"user_id": "u", "anonymous_id": "b"}]))
        given_traits = {"traits": draw(_traits)} if kind == "identify" else {}
        line.append(event(f"m{i}", kind, draw(st.sampled_from([0, 1, 2, 90, 200])), context=draw(_contexts), **ids, **given_traits))
    return [
        *line,
        event("last-a", "identify", 3, user_id="u", anonymous_id="a"),
        event("last-b", "identify", 3, user_id="u", anonymous_id="b"),
    ]


def world(people):
    row = people.row()
    return orjson.dumps([row.traits, row.tallies, row.zone], option=orjson.OPT_SORT_KEYS), sorted(people.refused())


@law(40)
@given(line=_lives(), data=st.data())
def test_duplicate_late_and_reordered_events_give_the_same_traits_counts_and_place(line, data):
    straight, shuffled = People(), People()
    straight.take(*line)
    mixed = data.draw(st.permutations([*line, *data.draw(st.lists(st.sampled_from(line), max_size=3))]))
    while mixed:
        count = data.draw(st.integers(1, len(mixed)))
        shuffled.take(*mixed[:count])
        mixed = mixed[count:]
    assert world(shuffled) == world(straight)
