from __future__ import annotations

import math
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from sojourn.customers.resolution.clustering import CHAIN, DECIDED, HUB, cluster, components, inner
from sojourn.customers.resolution.pairs import Pair, ordered

RECORDS = "abcdefgh"
Scores = dict[tuple[str, str], float]


def pairs_of(scores: Scores) -> list[Pair]:
    return [Pair(*ordered(*key), probability, math.log2(probability / (1 - probability))) for key, probability in scores.items()]


def test_a_chain_is_not_merged_and_its_link_waits() -> None:
    scores = {("a", "b"): 0.999, ("b", "c"): 0.998, ("a", "c"): 0.01}
    found = cluster(pairs_of(scores), 0.99, 0.5, scores, 50)
    assert found.members == (("a", "b"),)
    assert [(held.pair.key, held.why) for held in found.held] == [(("b", "c"), CHAIN)]


def test_three_who_all_resemble_each_other_are_merged_though_one_of_their_pairs_is_below_upper() -> None:
    scores = {("a", "b"): 0.999, ("b", "c"): 0.998, ("a", "c"): 0.6}
    found = cluster(pairs_of(scores), 0.99, 0.5, scores, 50)
    assert found.members == (("a", "b", "c"),)
    assert not found.held
    assert [link.key for link in found.links] == [("a", "b"), ("b", "c")]


def test_a_pair_that_was_never_scored_does_not_hold_a_chain_together() -> None:
    scores = {("a", "b"): 0.999, ("b", "c"): 0.998}
    assert cluster(pairs_of(scores), 0.99, 0.5, scores, 50).members == (("a", "b"),)


def test_a_decision_holds_apart_also_by_way_of_others() -> None:
    scores = dict.fromkeys(combinations("abc", 2), 0.999)
    found = cluster(pairs_of(scores), 0.99, 0.5, scores, 50, frozenset({("a", "c")}))
    assert len(found.members) == 1
    assert not {"a", "c"} <= set(found.members[0])
    assert DECIDED in {held.why for held in found.held}


def test_a_hub_is_left_whole_to_review() -> None:
    scores = {("a", other): 0.999 for other in "bcde"}
    found = cluster(pairs_of(scores), 0.99, 0.0, scores, 4)
    assert not found.members
    assert {held.why for held in found.held} == {HUB}
    assert len(found.held) == 4


scored = st.dictionaries(
    st.sampled_from(list(combinations(RECORDS, 2))), st.floats(min_value=0.001, max_value=0.999), min_size=1, max_size=28
)  # fmt: skip
chance = st.floats(min_value=0.01, max_value=0.99)


@given(scores=scored, upper=chance, floor=chance, apart=st.sets(st.sampled_from(list(combinations(RECORDS, 2))), max_size=4))
def test_whatever_the_thresholds_nothing_below_upper_is_a_link_and_no_two_below_the_floor_or_held_apart_are_together(
    scores: Scores, upper: float, floor: float, apart: set[tuple[str, str]]
) -> None:
    pairs = [pair for pair in pairs_of(scores) if pair.key not in apart]
    found = cluster(pairs, upper, floor, scores, 50, frozenset(apart))
    assert all(link.probability >= upper for link in found.links)
    for members in found.members:
        for key in combinations(members, 2):
            assert scores.get(key, 0.0) >= floor
            assert key not in apart
    sure = {pair.key for pair in pairs if pair.probability >= upper}
    label = found.label(RECORDS)
    held = {held.pair.key for held in found.held}
    for one, other in sure:  # a sure pair is followed, or it says why not
        assert label[one] == label[other] or (one, other) in held


@given(scores=scored, upper=chance, floor=chance, order=st.randoms(use_true_random=False))
def test_the_order_in_which_pairs_come_changes_nothing(scores: Scores, upper: float, floor: float, order: object) -> None:
    pairs = pairs_of(scores)
    again = list(pairs)
    order.shuffle(again)  # type: ignore[attr-defined]
    assert cluster(pairs, upper, floor, scores, 50) == cluster(again, upper, floor, scores, 50)


@given(scores=scored, upper=chance)
def test_without_a_floor_clusters_are_the_connected_components(scores: Scores, upper: float) -> None:
    pairs = pairs_of(scores)
    assert set(cluster(pairs, upper, 0.0, {}, 50).members) == set(components(pairs, upper))


@given(scores=scored, upper=chance)
def test_the_links_alone_make_the_clusters(scores: Scores, upper: float) -> None:
    found = cluster(pairs_of(scores), upper, 0.0, {}, 50)
    assert set(components(found.links, 0.0)) == set(found.members)
    assert len(found.links) == sum(len(members) - 1 for members in found.members)


def test_inner_pairs_are_all_pairs_of_a_component_and_none_of_one_too_large() -> None:
    assert inner([("a", "b", "c"), tuple("defgh")], 4) == [("a", "b"), ("a", "c"), ("b", "c")]
