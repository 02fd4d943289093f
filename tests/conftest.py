"""What every test may use: the store under test (see `stores.py`)."""

from __future__ import annotations

import gc
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import stores

from sojourn.store import database as door
from sojourn.testing import plugin

HERE = Path(__file__).parent
SHIPPED = HERE.parent.resolve() / "journeys"
_USES_A_STORE = re.compile(r'"sqlite://"|sojourn\.testing|store_url|no_tables_url|\bstores\b')  # one that names a file is SQLite's


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "store: depends on the kind of store, so it runs on SQLite and on PostgreSQL")
    config.addinivalue_line("markers", "storeless: asks no store, though its neighbours do, and is too long to run twice")
    door.open_store = stores.open_store


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the real ones unread where none is asked for: what they import takes seconds."""
    return True if collection_path == HERE / "real" and "not real" in config.getoption("markexpr") else None


def pytest_collection_finish() -> None:
    """Make once what is the same for all, and go once through what is there."""
    _share()
    _freeze()


def _share() -> None:
    """Build the commands once, and read the shipped contents once: each was most of what a command took."""
    import typer.testing

    from sojourn.content import Contents

    typer.testing._get_command = cache(typer.testing._get_command)
    read = Contents.load.__func__
    once = cache(read)
    Contents.load = classmethod(lambda cls, folder: (once if Path(folder).resolve() == SHIPPED else read)(cls, folder))


def _freeze() -> None:
    """Take what was imported out of the garbage collector's sight: going through it again and again was an eighth of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure() -> None:
    stores.SERVER.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what depends on the store, and put an order on files in which two workers are busy to the end.

    It depends on it by itself, by a helper that its module imports, or by a fixture. Real ones say so themselves.
    """
    for item in items:
        alone = any(item.get_closest_marker(mark) is not None for mark in ("real", "storeless"))
        if not alone and any(_uses_a_store(source) for source in _sources(item)):
            item.add_marker("store")
    items[:] = _in_turns(items)


def _in_turns(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return items with the files that start servers, which wait a lot, evenly among those that reckon; quick files come last.

    With `--dist loadfile --no-loadscope-reorder` workers take files in this order.
    """
    files: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    real = [path for path, inside in files.items() if inside[0].get_closest_marker("real") is not None]
    real.sort(key=lambda path: -max(_limit(item) for item in files[path]))  # who may take long begins early
    rest = sorted((path for path in files if path not in set(real)), key=lambda path: -sum(map(_is_slow, files[path])) / len(files[path]))
    weights = {path: sum(20 if _is_slow(item) else 1 for item in files[path]) for path in rest}
    before, passed = 0.0, 0
    share = 0.85 * sum(weights.values()) / max(len(real), 1)
    ordered: list[Path] = []
    for path in rest:
        while passed < len(real) and before >= passed * share:
            ordered.append(real[passed])
            passed += 1
        ordered.append(path)
        before += weights[path]
    return [item for path in [*ordered, *real[passed:]] for item in files[path]]


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def _limit(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark is not None else 0.0


def _sources(item: pytest.Item) -> Iterator[ModuleType]:
    """Give the module of a test, and those of the fixtures that it asks for: its folder's conftest, or the fixture `shop`."""
    fixtures = set(getattr(item, "fixturenames", ()))
    module = getattr(item, "module", None)
    if module is None:
        return
    yield module
    beside = item.config.pluginmanager.get_plugin(str(item.path.parent / "conftest.py"))
    if beside is not None and fixtures & set(vars(beside)):
        yield beside
    if "shop" in fixtures:
        yield plugin


@cache
def _uses_a_store(module: ModuleType) -> bool:
    path = Path(module.__file__ or "")
    if module is plugin:
        return True
    if HERE not in path.parents or path.parent == HERE:
        return False
    source = path.read_text("utf-8")
    if _USES_A_STORE.search(source):
        return True
    imported = re.findall(r"^\s*(?:from|import) (\w+)", source, re.MULTILINE)
    helpers = [found for name in imported if (found := sys.modules.get(name)) is not None and getattr(found, "__file__", None)]
    return any(_uses_a_store(helper) for helper in helpers if helper is not module)


@pytest.fixture(autouse=True)
def _stores_end_with_their_test() -> Iterator[None]:
    """Take back what a test leased and did not close; what a wider fixture leased stays."""
    before = {id(leased) for leased in stores.SERVER.leases}
    yield
    for leased in list(stores.SERVER.leases):
        if id(leased) not in before:
            leased.close()


@pytest.fixture
def no_tables_url(tmp_path: Path) -> str:
    """The URL of a store without tables, of the kind under test."""
    if stores.STORE == "postgresql":
        return stores.SERVER.empty_url()
    url = f"sqlite:///{tmp_path / 'empty' / 'sojourn.db'}"
    stores.BARE.add(url)
    return url


@pytest.fixture
def store_url(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store with all tables, of the kind under test, for several Databases or processes."""
    if stores.STORE != "postgresql":
        url = f"sqlite:///{tmp_path / 'store' / 'sojourn.db'}"
        made = door.Database(url, durable=False)
        made.read_now(lambda connection: None)  # the file is there, also for a process beside
        made.close_now()
        yield url
        return
    kept = stores.SERVER.take()
    yield kept.url.render_as_string(hide_password=False)
    stores.SERVER.give_back(kept)
