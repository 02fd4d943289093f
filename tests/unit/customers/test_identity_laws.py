"""Identity under any stream: order, repetition, batches, limits, merges and unmerges."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).parent))
from identity_shop import People, event

from sojourn.customers.identity import Merged
from sojourn.language.identity_rules import IdentityRules
from sojourn.store import tables as t

pytestmark = pytest.mark.slow

_traits = st.dictionaries(st.sampled_from(["plan", "city"]), st.sampled_from(["a", "b", 1, None]), max_size=2)
_contexts = st.fixed_dictionaries(
    {}, optional={"timezone": st.sampled_from(["Europe/Berlin", "Asia/Tokyo", "GMT+0100"]), "locale": st.sampled_from(["de", "en"])}
)
_names = st.sampled_from(["Product Viewed", "Subscribed", "Unsubscribed"])


@st.composite
def _event(draw, message_id, people, *, aliases=True):
    """An event that names one person, of this list of people's letters, by any of their identifiers."""
    p = draw(st.sampled_from(people))
    user, browser = f"{p}-user", f"{p}-{draw(st.sampled_from('xy'))}"
    second = f"{p}-second"
    kind = draw(st.sampled_from(["track", "identify", "page", *(["alias"] if aliases else [])]))
    given = {"context": draw(_contexts), "at": draw(st.integers(0, 6))}
    if kind == "alias":
        return event(message_id, kind, user_id=user, previous_id=draw(st.sampled_from([browser, second])), **given)
    ids = draw(st.sampled_from([{"user_id": user}, {"anonymous_id": browser}, {"user_id": user, "anonymous_id": browser}, {}]))
    if aliases and draw(st.integers(0, 4)) == 0:
        ids = {"user_id": second, "anonymous_id": browser}
    crm = f"{p}-crm" if not ids or draw(st.booleans()) else None
    if kind == "identify":
        said = draw(st.sampled_from([{}, {"email": f"{p}@Shop.example"}, {"phone": f"+4917112345{'AB'.find(p[0]) + 60}"}]))
        given["traits"] = {**draw(_traits), **said}
    if kind == "track":
        given["name"] = draw(_names)
    return event(message_id, kind, crm=crm, **ids, **given)


@st.composite
def _lives(draw, most=9):
    """Events of two people; in the end each says outright which names are theirs, so that every order can come to the same."""
    line = [draw(_event(f"m{i}", ["A", "B"])) for i in range(draw(st.integers(1, most)))]
    for p in "AB":
        line += [event(f"last-{p}-{b}", "identify", user_id=f"{p}-user", anonymous_id=f"{p}-{b}", crm=f"{p}-crm", at=3) for b in "xy"]
        line.append(event(f"last-{p}", "alias", user_id=f"{p}-user", previous_id=f"{p}-second", at=3))
        line.append(event(f"told-{p}", "identify", user_id=f"{p}-user", traits={"email": f"{p}@shop.example"}, at=3))
    return line


def _pieces(data, line):
    while line:
        count = data.draw(st.integers(1, len(line)))
        yield line[:count]
        line = line[count:]


@law(40)
@given(line=_lives(), data=st.data())
def test_duplicate_late_and_reordered_events_give_the_same_people_whatever_joins_them(line, data):
    straight, shuffled = People(), People()
    straight.take(*line)
    mixed = data.draw(st.permutations([*line, *data.draw(st.lists(st.sampled_from(line), max_size=3))]))
    for piece in _pieces(data, mixed):
        shuffled.take(*piece)
    assert shuffled.world() == straight.world()
    straight.check()
    shuffled.check()


TIGHT = IdentityRules(
    kinds={"anonymous_id": {"limit": 2, "shared_after": 2}, "email": {"limit": 2, "shared_after": 2}, "phone": {"limit": 1}},
    others={"limit": 1, "shared_after": 2},
    users_by_alias=2,
    blocked=("nobody@*", "user-9"),
)
"""Limits so tight that every stream runs into them."""


@st.composite
def _anything(draw, message_id):
    """An event that names anybody by anything."""
    one = st.integers(0, 4)
    user, browser = f"user-{draw(st.sampled_from([0, 1, 2, 3, 9]))}", f"browser-{draw(one)}"
    if draw(st.integers(0, 5)) == 0:
        return event(message_id, "alias", user_id=user, previous_id=draw(st.sampled_from([f"user-{draw(one)}", f"browser-{draw(one)}"])))
    ids = draw(st.sampled_from([{"user_id": user}, {"anonymous_id": browser}, {"user_id": user, "anonymous_id": browser}, {}]))
    crm = f"crm-{draw(one)}" if not ids or draw(st.booleans()) else None
    address = draw(st.sampled_from(["p0@shop.example", "p1@shop.example", "p2@shop.example", "nobody@shop.example"]))
    traits = {"email": address, "phone": f"+49171123456{draw(one)}"} if draw(st.booleans()) else {}
    return event(message_id, "identify", crm=crm, at=draw(st.integers(0, 9)), traits=traits, **ids)


_streams = st.integers(1, 25).flatmap(lambda many: st.tuples(*(_anything(f"m{i}") for i in range(many))))


@law(40)
@given(line=_streams, data=st.data())
def test_no_hub_grows_past_the_limits_whatever_the_stream(line, data):
    people = People(TIGHT)
    for piece in _pieces(data, line):
        people.take(*piece)
        ids = sorted(row.id for row in people.ask(select(t.profiles.c.id)))
        loser, winner = data.draw(st.sampled_from(ids)), data.draw(st.sampled_from(ids))
        people.merge(loser, winner)
    people.check()
    many = Counter((row.profile_id, row.kind) for row in people.ask(select(t.identifiers)))
    for (_, kind), count in many.items():
        assert count <= (TIGHT.users_by_alias if kind == "user_id" else TIGHT.rule(kind).limit), kind
    blocked = [row for row in people.ask(select(t.identifiers)) if row.value in ("nobody@shop.example", "user-9")]
    assert all(row.kind.startswith("nobody:") for row in blocked)
    assert len(people.ask(select(t.events))) == len(line)  # whatever was refused, no event was


@law(25)
@given(line=_streams, data=st.data())
def test_a_batch_cut_anywhere_gives_the_same_people(line, data):
    whole, cut = People(TIGHT), People(TIGHT)
    whole.take(*line)
    for piece in _pieces(data, line):
        cut.take(*piece)
    assert cut.world() == whole.world()
    assert Counter(cut.refused()) == Counter(whole.refused())


@law(20)
@given(line=_streams)
def test_absorbing_twice_changes_nothing_even_where_limits_and_conflicts_were_met(line):
    people = People(TIGHT)
    first = people.take(*line)
    before = people.everything()
    again = people.again()
    assert people.everything() == before
    assert [item.profile_id for item in again] == [item.profile_id for item in first]
    assert not any(item.is_new for item in again)


# -- apart again -------------------------------------------------------------------------------

_of_both = st.sampled_from([["A"], ["B"]])


@st.composite
def _mixed(draw, message_id):
    """An event of one person, or one that takes the two for one: the same browser, address or id as the other's."""
    if draw(st.integers(0, 2)):
        return draw(_event(message_id, draw(_of_both), aliases=False))
    at = draw(st.integers(0, 6))
    browser = draw(st.sampled_from(["A-x", "B-x", "A-new", "C-x"]))
    return draw(
        st.sampled_from(
            [
                event(message_id, "identify", at=at, anonymous_id=browser, crm=draw(st.sampled_from(["A-crm", "B-crm"]))),
                event(message_id, "identify", at=at, user_id="A-user", anonymous_id="B-x"),
                event(message_id, "identify", at=at, user_id="B-user", anonymous_id="A-x"),
                event(message_id, "identify", at=at, user_id="B-user", traits={"email": "a@shop.example"}),
                event(message_id, "alias", at=at, user_id="A-user", previous_id="B-user"),
            ]
        )
    )


@st.composite
def _stretch(draw, name, one):
    return [draw(one(f"{name}{i}")) for i in range(draw(st.integers(0, 6)))]


BEGIN = [
    event("begin-A", "identify", user_id="A-user", anonymous_id="A-x", traits={"plan": "pro", "email": "A@shop.example"}),
    event("begin-B", "identify", user_id="B-user", anonymous_id="B-x", traits={"city": "Bonn", "email": "B@shop.example"}),
]


@law(60)
@given(data=st.data(), known=st.booleans())
def test_a_merge_undone_equals_two_who_were_always_kept_apart(data, known):
    """Whatever came before the merge, while it held, and after it was undone, duplicates too."""
    before = data.draw(_stretch("before", lambda m: _event(m, ["A", "B"], aliases=False)))
    during, after = data.draw(_stretch("during", _mixed)), data.draw(_stretch("after", _mixed))
    repeated = data.draw(st.lists(st.sampled_from([*BEGIN, *before, *during]), max_size=3))
    merged, apart = People(), People()
    begin = BEGIN if known else [event("begin-a", anonymous_id="A-x"), event("begin-A", user_id="A-user"), BEGIN[1]]
    for people in (merged, apart):
        people.take(*begin, *before)
    lost = merged.id("B-user")
    assert isinstance(merged.merge("B-user", "A-user"), Merged)
    assert apart.apart("B-user", "A-user")
    for people in (merged, apart):
        people.take(*during)
    merged.check()
    assert merged.id("A-user") == merged.id("B-user")
    merged.unmerge(lost)
    for people in (merged, apart):
        people.check()
    assert merged.world() == apart.world()
    for people in (merged, apart):
        people.take(*repeated, *after)
    assert merged.world() == apart.world()
    merged.check()


@law(30)
@given(line=_streams, data=st.data())
def test_whatever_is_merged_and_undone_everything_stays_with_someone_who_lives_on(line, data):
    people = People()
    for piece in _pieces(data, line):
        people.take(*piece)
        rows = people.ask(select(t.profiles.c.id, t.profiles.c.merged_into).order_by(t.profiles.c.id))
        gone = [row.id for row in rows if row.merged_into]
        if gone and data.draw(st.booleans()):
            people.unmerge(data.draw(st.sampled_from(gone)))
        else:
            one, other = (data.draw(st.sampled_from([row.id for row in rows])) for _ in range(2))
            people.merge(one, other, force=data.draw(st.booleans()))
        people.check()
    while gone := [row.id for row in people.ask(select(t.profiles.c.id).where(t.profiles.c.merged_into.is_not(None)))]:
        people.unmerge(gone[0])
        people.check()
    assert people.ask(select(t.profiles).where(t.profiles.c.own.is_not(None))) == []
    assert len(people.ask(select(t.events))) == len(line)
