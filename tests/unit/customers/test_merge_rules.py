"""Each merge rule comes to the same whatever the order, the grouping and the repetition of words (P5)."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.customers.declared import Declared, Rules
from sojourn.customers.merging import MAX_UNION, MERGES, rank
from sojourn.customers.normalise import TYPES
from sojourn.customers.traits import Profile

START = datetime(2026, 1, 5, tzinfo=UTC)
RULES = sorted(MERGES)
_scalars = st.one_of(st.booleans(), st.integers(-2, 2), st.sampled_from([1.0, 0.5, "a", "b", "2026-01-01"]))
_values = st.one_of(_scalars, st.none(), st.lists(_scalars, max_size=3), st.dictionaries(st.sampled_from("xy"), _scalars, max_size=2))
_states = st.tuples(st.integers(1, 4), _values)


def same(one, other):
    return (one[0], rank(one[1])) == (other[0], rank(other[1]))


@pytest.mark.parametrize("rule", RULES)
@given(a=_states, b=_states, c=_states)
def test_a_rule_is_commutative_associative_and_idempotent(rule, a, b, c):
    merge = MERGES[rule]
    assert same(merge(a, b), merge(b, a))
    assert same(merge(merge(a, b), c), merge(a, merge(b, c)))
    once = merge(a, a)
    assert same(merge(once, a), once)
    assert same(merge(merge(a, b), b), merge(a, b))


@pytest.mark.parametrize(
    ("rule", "words", "stands"),
    [
        ("latest", [(1, "a"), (3, "b"), (2, "c")], "b"),
        ("first", [(2, "a"), (1, "b"), (3, "c")], "b"),
        ("max", [(1, 3), (2, 10), (3, 9)], 10),
        ("min", [(1, 3), (2, 10), (3, 9)], 3),
        ("min", [(1, "2026-02-01"), (2, "2026-01-31")], "2026-01-31"),
        ("any", [(1, True), (2, False)], True),
        ("any", [(1, False), (2, False)], False),
        ("all", [(1, True), (2, False)], False),
        ("all", [(1, True), (2, True)], True),
        ("union", [(1, ["b", "a"]), (2, ["c", "a"])], ["a", "b", "c"]),
    ],
)
def test_a_rule_says_which_word_stands(rule, words, stands):
    assert reduce(MERGES[rule], words)[1] == stands


def test_a_union_is_bounded_and_still_the_same_in_every_order():
    many = [(1, [f"{i:04}" for i in range(start, start + 400)]) for start in (0, 300, 600)]
    forward, backward = reduce(MERGES["union"], many), reduce(MERGES["union"], reversed(many))
    assert forward == backward
    assert len(forward[1]) == MAX_UNION


# -- on profiles -------------------------------------------------------------------------------

TRAITS = {"latest": "text", "first": "text", "max": "number", "min": "number", "any": "boolean", "all": "boolean", "union": "list"}
DECLARED = Rules({rule: Declared(TYPES[kind], rule) for rule, kind in TRAITS.items()})
_said = st.fixed_dictionaries(
    {},
    optional={
        "latest": st.sampled_from(["a", "b", None]),
        "first": st.sampled_from(["a", "b", None]),
        "max": st.sampled_from([1, 2.5, "3", "x", None]),
        "min": st.sampled_from([1, 2.5, "3", "x"]),
        "any": st.sampled_from([True, False, "yes"]),
        "all": st.sampled_from([True, False, "no"]),
        "union": st.lists(st.sampled_from([1, 1.0, True, "a"]), max_size=2),
        "other": st.sampled_from([1, 1.0, True, "a"]),
    },
)
_words = st.lists(st.tuples(st.integers(0, 3), _said), min_size=1, max_size=7)


def heard(words):
    profile = Profile("p", START, START)
    for minute, traits in words:
        profile.hear(DECLARED.take(traits).values, START + timedelta(minutes=minute), DECLARED)
    return profile


def known(profile):
    return {name: rank(value) for name, value in profile.traits.items()}, profile.times.get("traits", {})


@given(words=_words, data=st.data())
def test_words_come_to_the_same_in_every_order_however_often_they_are_said(words, data):
    again = data.draw(st.lists(st.sampled_from(words), max_size=3))
    mixed = data.draw(st.permutations([*words, *again]))
    assert known(heard(mixed)) == known(heard(words))


@given(words=_words, data=st.data())
def test_profiles_that_turn_out_to_be_one_know_what_one_would_have_known(words, data):
    owner = [data.draw(st.booleans()) for _ in words]
    mine = heard([word for word, is_mine in zip(words, owner, strict=True) if is_mine])
    theirs = heard([word for word, is_mine in zip(words, owner, strict=True) if not is_mine])
    winner, loser = data.draw(st.sampled_from([(mine, theirs), (theirs, mine)]))
    winner.absorb(loser)
    assert known(winner) == known(heard(words))
