from collections.abc import Iterator

import pytest
from several import Several, with_ann

from sojourn.store.database import Database


@pytest.fixture
def several(store_url: str) -> Iterator[Several]:
    opened = Several(store_url)
    yield opened
    opened.close()


@pytest.fixture
def ann(several: Several) -> Database:
    return with_ann(several)
