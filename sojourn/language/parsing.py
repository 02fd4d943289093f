"""Reads one file of definitions, or many of a kind, into models; what is wrong is gathered, with its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from sojourn.language.broadcast_checks import as_written
from sojourn.language.finding import Finding
from sojourn.language.model import Model
from sojourn.language.problems import DefinitionError, Problem
from sojourn.language.salvage import salvage
from sojourn.language.source import Node, read_leniently
from sojourn.language.wording import problems_of

_M = TypeVar("_M", bound=Model)
Parsed = tuple[str, Node, _M]


@dataclass
class Read(Generic[_M]):
    """The files of one kind.

    Attributes:
        good: those that are definitions.
        broken: what is left of those that are none, for checks of their conditions.
    """

    good: list[Parsed[_M]] = field(default_factory=list)
    broken: list[Parsed[_M]] = field(default_factory=list)

    @property
    def all(self) -> list[Parsed[_M]]:
        """Both."""
        return [*self.good, *self.broken]


def load_text(text: str | bytes, file: str, model: type[_M], check: Callable[[_M], list[Finding]] = lambda _: []) -> _M:
    """Return the definition that a YAML text holds.

    Raises:
        DefinitionError: with every problem.
    """
    _, root, definition = parse_text(text, file, model)
    problems, _ = placed(check(definition), root, file)
    if problems:
        raise DefinitionError(problems)
    return definition


def parse_text(text: str | bytes, file: str, model: type[_M]) -> Parsed[_M]:
    """Return what a YAML text holds, of the right shape.

    Raises:
        DefinitionError: with every problem of its shape.
    """
    problems: list[Problem] = []
    found = Read[_M]()
    _parse(text, file, model, found, problems)
    if problems:
        raise DefinitionError(problems)
    return found.good[0]


def _parse(text: str | bytes, file: str, model: type[_M], found: Read[_M], problems: list[Problem]) -> None:
    root, twice = read_leniently(text, file)
    problems += twice
    if not isinstance(root.value, dict):
        empty = "empty" if root.value is None else "not a mapping"
        problems.append(Problem(file, root.line, root.column, f"{empty}; begin with `{next(iter(model.model_fields))}: …`"))
        return
    try:
        # JSON in strict mode: lists are taken for tuples, and nothing else is taken for what it is not.
        definition = model.model_validate_json(json.dumps(root.plain()), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        problems += problems_of(error, root, file, model)
        left = salvage(root, model)
        if left is not None:
            found.broken.append((file, left[1], left[0]))
        return
    (found.broken if twice else found.good).append((file, root, definition))


def read_all(paths: Iterable[Path], model: type[_M], problems: list[Problem]) -> Read[_M]:
    """Return the definitions of files, and add to the problems what is wrong with their shape."""
    found = Read[_M]()
    for path in paths:
        file = str(path)
        try:
            _parse(path.read_bytes(), file, model, found, problems)
        except DefinitionError as error:
            problems += error.problems
        except OSError as error:
            problems.append(Problem(file, 1, 1, f"cannot be read: {error.strerror}"))
    return found


def placed(findings: Iterable[Finding], root: Node, file: str) -> tuple[list[Problem], list[Problem]]:
    """Return findings with their places: mistakes, and warnings."""
    every = list(findings)
    if isinstance(root.value, dict) and "broadcast" in root.value:
        every = as_written(every)
    problems = [finding.problem(root, file) for finding in every if not finding.warning]
    return problems, [finding.problem(root, file) for finding in every if finding.warning]


def by_name(parsed: list[Parsed[_M]], kind: str, problems: list[Problem]) -> dict[str, _M]:
    """Return definitions by their names; a second one of a name is a problem."""
    found: dict[str, tuple[str, int, _M]] = {}
    for file, root, definition in parsed:
        name, node = getattr(definition, kind), root.value[kind]
        if name in found:
            first, line, _ = found[name]
            text = f"a second {kind} called `{name}`; the first is in {Path(first).name}:{line}; rename one"
            problems.append(Problem(file, node.line, node.column, text))
        else:
            found[name] = (file, node.line, definition)
    return {name: definition for name, (_, _, definition) in found.items()}


def yaml_files(folder: Path) -> list[Path]:
    """Return the definitions in a folder; what editors leave there, hidden, is none."""
    return sorted(path for suffix in ("*.yaml", "*.yml") for path in folder.glob(suffix) if not path.name.startswith("."))


__all__ = ["Parsed", "Read", "by_name", "load_text", "parse_text", "placed", "read_all", "yaml_files"]
