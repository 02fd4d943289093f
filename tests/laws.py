"""Laws that hold for all of many generated cases: `make test` tries a few of them, `make exhaustive` all.

SOJOURN_TEST_EVERY_CASE=1 pytest -m law
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from stores import STORE

T = TypeVar("T")

EVERY_CASE = bool(os.environ.get("SOJOURN_TEST_EVERY_CASE"))
LONG = 1_800.0  # seconds that a law may take with every case


def law(many: int, *, alike: bool = True, **more: Any) -> Callable[[T], T]:
    """Mark a law over generated cases: `make test` tries a few of them, `make exhaustive` all.

    Args:
        many: how many cases.
        alike: its statements are those of the domain, so that on PostgreSQL a part of the cases asks them all. A law about
            statements themselves (conditions in SQL) tries as many on both stores.
        more: settings of hypothesis.
    """
    cases = many if EVERY_CASE else max(many // 4, min(many, 8))
    if alike and STORE == "postgresql":
        cases = max(cases // 4, 5)

    def made(test: T) -> T:
        marked = pytest.mark.law(settings(max_examples=cases, **{"deadline": None, **more})(test))
        return pytest.mark.timeout(LONG)(marked) if EVERY_CASE else marked

    return made
