"""The shipped stages are live: a person walks through them as time passes, one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.language.stages_model import RFM, STAGE, STAGES
from sojourn.testing import Shop

JOURNEYS = Path(__file__).parents[3] / "journeys"


def standing(shop: Shop) -> list[str]:
    return [stage for stage in STAGES if shop.in_segment("ann", f"{STAGE}{stage}")]


@pytest.mark.parametrize("purchases", [1, 3])
def test_a_person_walks_through_the_stages_one_at_a_time(purchases: int) -> None:
    with Shop(journeys_dir=JOURNEYS) as shop:
        shop.track("ann", "Session Started")
        assert standing(shop) == ["awareness"]
        shop.track("ann", "Product Viewed")
        assert standing(shop) == ["consideration"]
        shop.advance("31d")
        assert standing(shop) == ["awareness"]
        for _ in range(purchases):
            shop.track("ann", "Order Completed", {"revenue": 50})
        assert standing(shop) == ["consideration" if purchases == 1 else "loyalty"]
        assert shop.in_segment("ann", f"{RFM}new_customers") == (purchases == 1)
        shop.advance("160d")
        assert standing(shop) == ["awareness" if purchases == 1 else "at_risk"]
        shop.advance("123d")
        assert standing(shop) == ["dormant"]
        shop.track("ann", "Session Started")
        assert standing(shop) == ["awareness" if purchases == 1 else "at_risk"]
