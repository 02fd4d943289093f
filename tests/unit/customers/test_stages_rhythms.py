"""Stages fitted to shops of any rhythm: quick, slow, and all at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pytest
from stages_world import BOUGHT, DAY, FILE, GROCERY, MODEL, NOW, Lives, conditions, in_sql, stored

from sojourn.customers.stages.conditions import segments
from sojourn.customers.stages.files import stage_files
from sojourn.customers.stages.fit import Fitted, fit, measure
from sojourn.errors import Terminal
from sojourn.language.durations import parse_duration
from sojourn.language.loader import load_segment, load_stages
from sojourn.language.stages_model import STAGE, STAGES, StagesModel


def grocery(count: int = 250, every: float = 5.0, seed: int = 3) -> Lives:
    """Return households that shop every few days, half a year long; a tenth of them left at some time."""
    chance = np.random.default_rng(seed)
    lives: Lives = {}
    for i in range(count):
        gap = every * float(chance.lognormal(0, 0.6))
        begun, ended = 180 - float(chance.uniform(0, 60)), float(chance.uniform(10, 150)) if i % 10 == 0 else 0.0
        ages = np.arange(begun, ended, -gap) - chance.uniform(0, min(gap, 1.0))
        life = [(BOUGHT, NOW - max(float(age), 0.01) * DAY, {"revenue": round(float(chance.lognormal(3, 0.8)), 2)}) for age in ages]
        life += [("Product Viewed", NOW - float(age) * DAY, {}) for age in chance.uniform(0, 60, 2)]
        lives[f"h{i:04}"] = sorted(life, key=lambda each: each[1])
    return lives


def consistent(lives: Lives, fitted: Fitted, at: datetime = NOW) -> dict[str, set[str]]:
    """Hold that windows are in order and everyone is in exactly one stage; return the members."""
    assert fitted.recent_days < fitted.dormant_days
    assert parse_duration(fitted.interest_within) / DAY < fitted.dormant_days
    members = in_sql(stored(lives), conditions(MODEL, fitted), at)
    stages = [who for stage in STAGES for who in members[f"{STAGE}{stage}"]]
    assert sorted(stages) == sorted(lives)
    for name, text in stage_files(MODEL, fitted, segments(MODEL, fitted)).items():
        load_segment(text, name)
    return members


@pytest.mark.parametrize("every", [0.4, 2.0, 5.0, 9.0, 40.0])
def test_the_shipped_file_fits_a_shop_of_any_rhythm(every: float) -> None:
    lives = grocery(every=every)
    fitted = fit(MODEL, stored(lives).read_now(measure, MODEL, NOW), NOW)
    consistent(lives, fitted)
    # What a slow shop is told to write, and what is written for it, stays as it is.
    assert bool(fitted.adapted) == (fitted.interest_within != "30d") == (fitted.dormant_days <= 30)


def test_a_quick_shop_is_told_which_of_its_settings_gave_way() -> None:
    fitted = fit(MODEL, stored(grocery()).read_now(measure, MODEL, NOW), NOW)
    (sentence,) = fitted.adapted
    assert f"a sign of interest counts for {fitted.interest_within[:-1]} days" in sentence
    assert "`interest_within: 30d`" in sentence
    assert all("# Adapted: " in text for text in stage_files(MODEL, fitted, segments(MODEL, fitted)).values())


def test_customers_who_all_bought_on_one_day_are_fitted_too() -> None:
    lives: Lives = {f"p{i:03}": [(BOUGHT, NOW - 3 * DAY, {"revenue": 5.0 + i})] for i in range(240)}
    fitted = fit(MODEL, stored(lives).read_now(measure, MODEL, NOW), NOW)
    assert (fitted.recent_days, fitted.dormant_days, fitted.interest_within) == (3.0, 6.0, "3d")
    consistent(lives, fitted)


@pytest.mark.parametrize(("after", "wanted"), [("20d", "interest_within: 10d"), ("2d", "dormant: {after: ")])
def test_a_dormancy_that_contradicts_the_file_is_refused_with_the_line_to_write(after: str, wanted: str) -> None:
    def asked(**lines: str) -> StagesModel:
        text = FILE.decode().replace("dormant: {quantile: 0.8}", f"dormant: {{after: {lines['dormant']}}}")
        return load_stages(text.replace("interest_within: 30d", f"interest_within: {lines.get('interest', '30d')}").encode())

    customers = stored(grocery()).read_now(measure, MODEL, NOW)
    with pytest.raises(Terminal) as refused:
        fit(asked(dormant=after), customers, NOW)
    assert wanted in str(refused.value)
    # Whoever writes what it says is served.
    line = re.search(r"`interest_within: (\S+)`|`dormant: \{after: (\S+)\}`", str(refused.value))
    assert line is not None
    told = asked(dormant=after, interest=line[1]) if line[1] else asked(dormant=line[2])
    assert fit(told, customers, NOW).adapted == ()


@pytest.mark.skipif(not GROCERY.exists(), reason="the Complete Journey transactions are not here")
def test_real_households_of_a_grocery_are_fitted_by_the_shipped_file() -> None:
    import duckdb

    baskets = (
        "SELECT household_id, transaction_timestamp AS sold_at, sum(sales_value) FROM read_parquet(?) WHERE household_id % 6 = 0"
        " GROUP BY household_id, basket_id, transaction_timestamp ORDER BY sold_at, basket_id"
    )
    lives: Lives = {}
    with duckdb.connect() as raw:
        for who, sold_at, worth in raw.execute(baskets, [str(GROCERY)]).fetchall():
            lives.setdefault(str(who), []).append((BOUGHT, sold_at.replace(tzinfo=UTC), {"revenue": round(worth, 2)}))
    at = max(life[-1][1] for life in lives.values())
    fitted = fit(MODEL, stored(lives).read_now(measure, MODEL, at), at)
    assert fitted.people > 300
    assert fitted.dormant_days < 30
    assert fitted.adapted
    members = consistent(lives, fitted, at)
    assert all(members[f"{STAGE}{stage}"] for stage in ("loyalty", "at_risk", "dormant"))
