"""Reads what a shop runs on: a folder of definitions, definitions given by hand, or both."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from sojourn.content import Contents
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.definitions import Definitions
from sojourn.language.loader import SHOP_FILE, load
from sojourn.language.model import Journey, Model, Segment
from sojourn.language.problems import DefinitionError, Problem
from sojourn.language.shop import ShopSettings
from sojourn.prediction import Models

TEST_SHOP = """\
name: Test Shop
url: https://shop.example
sender: {name: Test Shop, address: hello@shop.example}
postal_address: Test Shop, 1 Sample Street, 10115 Berlin, Germany
zone: UTC
"""  # no quiet hours, no caps
KEPT = 8  # folders that are read once for many shops
T = TypeVar("T")


@dataclass(frozen=True)
class Checked:
    """Definitions that can be run."""

    definitions: Definitions
    contents: Contents
    models: Models


@dataclass(frozen=True)
class Given:
    """What a shop is given to run on.

    Args:
        folder: of definitions; one without a shop.yaml gets the test shop.
        journeys: more of them, as YAML or as models.
        segments: more of them, as YAML or as models.
        contents: more of them, as MJML by their names; also `blocks/x`, `theme.yaml` and the like.
        settings: the shop's, instead of the folder's shop.yaml.
        broadcast: one more of them, as YAML or as a model.
    """

    folder: Path | None
    journeys: tuple[str | Journey, ...] = ()
    segments: tuple[str | Segment, ...] = ()
    contents: Mapping[str, str] = field(default_factory=dict)
    settings: str | ShopSettings | None = None
    broadcast: str | Broadcast | None = None


def read_definitions(given: Given) -> Checked:
    """Return the definitions of a folder and those given beside it; read again only where something was changed.

    Raises:
        DefinitionError: with every problem of all of them.
    """
    folder = given.folder
    if folder is not None and not folder.is_dir():
        raise DefinitionError([Problem(str(folder), 1, 1, "no such folder; name the one that holds your journeys")])
    files = {f"given_journey_{i}.yaml": (f"journeys[{i}]", _text(one)) for i, one in enumerate(given.journeys)}
    files |= {f"segments/given_segment_{i}.yaml": (f"segments[{i}]", _text(one)) for i, one in enumerate(given.segments)}
    for name, text in given.contents.items():
        files[f"content/{name if name.endswith(('.yaml', '.txt', '.mjml', '.html')) else f'{name}.mjml'}"] = (f"contents[{name!r}]", text)
    if given.settings is not None:
        files[SHOP_FILE] = ("settings", _text(given.settings))
    if given.broadcast is not None:
        files["broadcasts/given_broadcast.yaml"] = ("broadcast", _text(given.broadcast))
    return _read(folder, _stamp(folder) if folder else (), tuple((name, *rest) for name, rest in files.items()))


def _text(given: str | Model) -> str:
    """Return a definition as YAML; a model's JSON is that too."""
    return given if isinstance(given, str) else given.model_dump_json(by_alias=True, exclude_defaults=True)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what tells one state of a folder from another."""
    found = ((path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file())
    return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in found)


@lru_cache(maxsize=KEPT)
def _read(folder: Path | None, stamp: tuple[object, ...], given: tuple[tuple[str, str, str], ...]) -> Checked:
    if folder is not None and not given and (folder / SHOP_FILE).is_file():
        return _load(folder)
    with TemporaryDirectory(prefix="sojourn-") as made:
        whole = Path(made)
        if folder is not None:
            shutil.copytree(folder, whole, dirs_exist_ok=True)
        if not (whole / SHOP_FILE).exists():
            (whole / SHOP_FILE).write_text(TEST_SHOP)
        for name, _, text in given:
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            (whole / name).write_text(text)
        names = {str(whole / name): called for name, called, _ in given}
        try:
            return _load(whole)
        except DefinitionError as error:
            raise DefinitionError(
                replace(problem, file=names.get(problem.file) or problem.file.replace(made, str(folder))) for problem in error.problems
            ) from None


def _load(folder: Path) -> Checked:
    problems: list[Problem] = []
    definitions = _try(load, folder, problems)
    contents = _try(Contents.load, folder, problems)
    models = _try(Models.load, folder, problems)
    if definitions is None or contents is None or models is None:
        raise DefinitionError(problems)
    return Checked(definitions, contents, models)


def _try(read: Callable[[Path], T], folder: Path, problems: list[Problem]) -> T | None:
    try:
        return read(folder)
    except DefinitionError as error:
        problems += error.problems
        return None
