"""Scores and their becauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import NotFound
from sojourn.language.conditions import EventFact, Facts, ListHistory, NoHistory
from sojourn.language.conditions.tree import to_text
from sojourn.language.problems import DefinitionError
from sojourn.prediction import Models
from sojourn.prediction.rfm import Rfm

JOURNEYS = Path(__file__).parents[3] / "journeys"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def history(*events: tuple[str, timedelta, dict[str, object]]) -> ListHistory:
    return ListHistory(sorted((EventFact(name, NOW - ago, properties) for name, ago, properties in events), key=lambda e: e.time))


def order(ago: timedelta, revenue: float = 50) -> tuple[str, timedelta, dict[str, object]]:
    return ("Order Completed", ago, {"revenue": revenue})


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load(JOURNEYS)


def test_rfm_is_there_without_a_file() -> None:
    assert Models({}).names() == {"rfm"}


def test_nothing_known_scores_the_intercept_alone(models: Models) -> None:
    score = models.score("purchase_propensity", {}, NoHistory(), NOW)
    assert score.value == pytest.approx(0.1978, abs=1e-4)  # 1 / (1 + e^1.4)
    assert score.because == "nothing known that speaks for or against"


def test_the_because_names_what_weighs_most_first(models: Models) -> None:
    past = history(("Checkout Started", timedelta(hours=1), {}), ("Product Added", timedelta(hours=1), {}), order(timedelta(days=30)))
    score = models.score("purchase_propensity", {}, past, NOW)
    assert score.value == pytest.approx(0.5744, abs=1e-4)  # logit -1.4 + 1.1 + 0.35 + 0.25
    assert score.because == "raised by began a checkout today (1), orders within a year (1), items added today (1)"


def test_what_speaks_against_is_told_as_such(models: Models) -> None:
    score = models.score("purchase_propensity", {}, history(("Product Removed", timedelta(hours=1), {})), NOW)
    assert score.because == "lowered by items taken out again today (1)"


def test_a_feature_counts_no_more_than_its_cap(models: Models) -> None:
    some = history(*[("Product Viewed", timedelta(minutes=i + 1), {}) for i in range(10)])
    many = history(*[("Product Viewed", timedelta(minutes=i + 1), {}) for i in range(90)])
    assert models.score("purchase_propensity", {}, some, NOW).value == models.score("purchase_propensity", {}, many, NOW).value


def test_events_after_the_moment_do_not_count(models: Models) -> None:
    future = history(order(timedelta(hours=-1)), ("Checkout Started", timedelta(hours=-1), {}))
    for name in models.names():
        assert models.score(name, {}, future, NOW) == models.score(name, {}, NoHistory(), NOW)


def test_rfm_gives_five_points_of_each_to_the_best_and_one_to_the_least(models: Models) -> None:
    best = models.score("rfm", {}, history(*[order(timedelta(days=i + 1), 200) for i in range(8)]), NOW)
    assert best.value == 1.0
    assert best.because.startswith("R5 F5 M5: 8 orders worth 1600")
    assert models.score("rfm", {}, history(order(timedelta(days=700), 10)), NOW).value == 0.0
    assert models.score("rfm", {}, NoHistory(), NOW).because == "no order within 730d"


def test_rfm_takes_off_what_was_given_back() -> None:
    past = history(
        order(timedelta(days=3), 1100),
        ("Order Refunded", timedelta(days=1), {"total": 700.5}),
        ("Order Refunded", timedelta(days=800), {"total": 9}),
    )
    facts = Facts(now=NOW, history=past)
    assert Rfm().score(facts).because.startswith("R5 F1 M5: 1 order worth 1100")
    net = Rfm(minus="Order Refunded")
    assert net.score(facts).because.startswith("R5 F1 M3: 1 order worth 399.5")
    assert [to_text(each) for each in net.asks()] == ['sum("Order Completed", "revenue", minus="Order Refunded", within="730d")']


@pytest.mark.parametrize(("days", "points"), [(30, 5), (30.01, 4), (60, 4), (61, 3), (120, 3), (240, 2), (241, 1)])
def test_rfm_recency_is_by_its_cut_points(models: Models, days: float, points: int) -> None:
    assert f"R{points} " in models.score("rfm", {}, history(order(timedelta(days=days))), NOW).because


@given(st.lists(st.tuples(st.integers(0, 900), st.floats(0, 5000)), max_size=12), st.integers(0, 900), st.floats(0, 5000))
def test_one_more_order_never_lowers_rfm(orders: list[tuple[int, float]], days: int, revenue: float) -> None:
    before = history(*[order(timedelta(days=d), r) for d, r in orders])
    after = history(*[order(timedelta(days=d), r) for d, r in [*orders, (days, revenue)]])
    assert 0 <= Rfm().score(Facts(now=NOW, history=before)).value <= Rfm().score(Facts(now=NOW, history=after)).value <= 1


def test_an_unknown_model_is_named_with_the_nearest(models: Models) -> None:
    with pytest.raises(NotFound, match="did you mean `purchase_propensity`"):
        models.score("purchase_propensty", {}, NoHistory(), NOW)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model: m\nkind: magic\n", "m.yaml:2:7: `kind` must be one of `logistic`, `rfm`"),
        ("model: n\nkind: rfm\n", "m.yaml:1:8: the file is called m.yaml; write `model: m`"),
        ("model: m\nkind: rfm\nrecency: [9d, 8d, 7d, 6d]\n", "`recency`: cut points must rise"),
        ("- 1\n", "a model needs keys"),
        (
            'model: m\nkind: logistic\ndescription: d\nintercept: 0\nfeatures:\n  - {value: count("A", withn="1h"), weight: 1, label: a}\n',
            "m.yaml:6",
        ),
    ],
)
def test_a_broken_model_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.yaml").write_text(text)
    with pytest.raises(DefinitionError) as error:
        Models.load(tmp_path)
    assert told in str(error.value)
