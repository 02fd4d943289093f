"""The models of a folder, by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sojourn.errors import NotFound
from sojourn.language.conditions import UTC_CALENDAR, Calendar, Facts, History, tree
from sojourn.language.problems import DefinitionError, Problem, listed, unknown
from sojourn.language.source import Node, read
from sojourn.prediction.logistic import Logistic
from sojourn.prediction.rfm import Rfm
from sojourn.prediction.score import Score

KINDS: dict[str, type[Logistic] | type[Rfm]] = {"logistic": Logistic, "rfm": Rfm}


class Models:
    """Models that a `score` step may ask."""

    def __init__(self, models: Mapping[str, Logistic | Rfm]) -> None:
        self._models = {"rfm": Rfm(), **models}

    @classmethod
    def load(cls, folder: Path) -> Models:
        """Return the models of a folder of definitions, `<folder>/models/*.yaml`, and the built-in `rfm`.

        Raises:
            DefinitionError: a model cannot be read; all problems of all files.
        """
        models: dict[str, Logistic | Rfm] = {}
        problems: list[Problem] = []
        for path in sorted((folder / "models").glob("*.yaml")):
            try:
                models[path.stem] = _read(path.stem, path.as_posix(), path.read_bytes())
            except DefinitionError as error:
                problems += error.problems
        if problems:
            raise DefinitionError(problems)
        return cls(models)

    def names(self) -> frozenset[str]:
        """Return the names that a `score` may bear."""
        return frozenset(self._models)

    def asks(self, name: str) -> list[tree.Node]:
        """Return what a model asks of a person, as trees of the conditions' language; for those who make people up."""
        return self._models[name].asks()

    def score(self, name: str, profile: Mapping[str, Any], history: History, now: datetime, calendar: Calendar = UTC_CALENDAR) -> Score:
        """Return what a model says of a person at a moment; later events do not count.

        Raises:
            NotFound: there is no such model.
        """
        if name not in self._models:
            raise NotFound(unknown("model", name, self._models))
        return self._models[name].score(Facts(now=now, profile=profile, history=history, calendar=calendar))


def _read(name: str, file: str, source: bytes) -> Logistic | Rfm:
    node = read(source, file)
    if not isinstance(node.value, dict):
        raise DefinitionError([Problem(file, 1, 1, "a model needs keys; begin with `model: …`, `kind: …`")])
    kind = node.value.get("kind")
    if kind is None or kind.value not in KINDS:
        line, column = (kind or node).place()
        raise DefinitionError([Problem(file, line, column, f"`kind` must be one of {listed(KINDS)}")])
    try:
        model = KINDS[kind.value].model_validate(node.plain())
    except ValidationError as error:
        raise DefinitionError(_problem(node, file, detail) for detail in error.errors()) from None
    if model.model != name:
        line, column = node.value["model"].place()
        raise DefinitionError([Problem(file, line, column, f"the file is called {name}.yaml; write `model: {name}`")])
    return model


def _problem(node: Node, file: str, detail: Any) -> Problem:
    at, place = node, node.place()
    for part in detail["loc"]:
        listed_here = isinstance(at.value, list) and isinstance(part, int) and part < len(at.value)
        if listed_here or (isinstance(at.value, dict) and part in at.value):
            at = at.value[part]
        place = at.place()
    message = detail["msg"].removeprefix("Value error, ")
    where = ".".join(map(str, detail["loc"]))
    return Problem(file, *place, f"`{where}`: {message[0].lower()}{message[1:]}" if where else message)
