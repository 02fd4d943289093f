from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.customers.resolution.evaluating import b_cubed, pairwise, tuning_part

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=14)


@given(labels=labels, share=st.integers(0, 4))
def test_pairwise_agrees_with_counting_every_pair_also_where_only_a_part_is_judged(labels: list[tuple[int, int]], share: int) -> None:
    found = {str(number): f"c{cluster}" for number, (cluster, _) in enumerate(labels)}
    truth = {str(number): f"p{owner}" for number, (_, owner) in enumerate(labels)}
    judged = {record for record, owner in truth.items() if int(owner[1:]) <= share}
    touching = [key for key in combinations(sorted(truth), 2) if judged & set(key)]
    together = {key for key in touching if found[key[0]] == found[key[1]]}
    belong = {key for key in touching if truth[key[0]] == truth[key[1]]}
    score = pairwise(found, truth, judged)
    assert score.precision == pytest.approx(len(together & belong) / len(together) if together else 1.0)
    assert score.recall == pytest.approx(len(together & belong) / len(belong) if belong else 1.0)


def test_b_cubed_gives_the_figures_of_a_known_example() -> None:
    truth = {"1": "x", "2": "x", "3": "x", "4": "y", "5": "y"}
    found = {"1": "a", "2": "a", "3": "b", "4": "b", "5": "b"}
    score = b_cubed(found, truth)
    assert score.precision == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3) / 5)
    assert score.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)


def test_a_perfect_answer_scores_one_and_one_alone_each_has_no_recall() -> None:
    truth = {"1": "x", "2": "x", "3": "y"}
    assert pairwise(truth, truth).f1 == 1.0 == b_cubed(truth, truth).f1
    alone = {record: record for record in truth}
    assert pairwise(alone, truth).recall == 0.0


def test_the_part_to_tune_on_keeps_each_person_whole_and_is_about_its_share() -> None:
    truth = {f"{person}-{copy}": f"q{person}" for person in range(2_000) for copy in range(3)}
    part = tuning_part(truth, 0.3)
    assert 0.27 < len(part) / len(truth) < 0.33
    assert all((f"{person}-0" in part) == (f"{person}-1" in part) == (f"{person}-2" in part) for person in range(2_000))
    assert not tuning_part(truth, 0.0)
