"""The pytest plugin: a fixture ``shop`` over the team's own journeys.

pytest imports this module in every run of every project that has Sojourn installed, so it imports nothing of Sojourn
until a test asks for the fixture. The fixture is a plain one: sync and async tests use it alike, with any plugin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sojourn.testing import Shop

INI = "sojourn_journeys"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the ini option that says where the journeys are."""
    parser.addini(INI, "the folder of journeys that the fixture `shop` runs", default="journeys")


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A shop in virtual time over the folder of `sojourn_journeys`, from Monday 2026-01-05 09:00 UTC on."""
    from sojourn.testing import Shop

    with Shop(journeys_dir=request.config.rootpath / str(request.config.getini(INI))) as opened:
        yield opened
