"""The pytest plugin: a fixture ``shop`` over the team's own journeys.

pytest imports this module in every run of every project that has Sojourn installed, so it imports nothing of Sojourn
until a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sojourn.testing import Shop

#: A Monday morning: after quiet hours everywhere in Europe, with the week ahead.
FIXTURE_START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the ini option that says where the journeys are."""
    parser.addini("sojourn_journeys", "the folder of journeys that the fixture `shop` runs", default="journeys")


@pytest.fixture
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    """A shop in virtual time over the folder of `sojourn_journeys`, starting Monday 2026-01-05 09:00 UTC."""
    from sojourn.testing import Shop

    folder = Path(str(request.config.getini("sojourn_journeys")))
    async with Shop(journeys_dir=request.config.rootpath / folder, start=FIXTURE_START) as opened:
        yield opened
