"""What is wrong with the definitions: every problem with its place, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from sojourn.errors import Terminal

MAX_SHOWN = 60


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a definition; lines and columns are counted from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class DefinitionError(Terminal):
    """A checked-in definition is wrong.

    Attributes:
        problems: all problems of all files, sorted by place.
        warnings: sorted by place.
    """

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = sorted(set(problems))
        self.warnings = tuple(sorted(set(warnings)))
        super().__init__("\n".join(map(str, self.problems)))


def shown(text: object) -> str:
    """Return what was found, shortened and on one line, for a message."""
    line = " ".join(str(text).split())
    return f"`{line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + '…'}`"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean …?` for the nearest known name, or nothing where none is near."""
    found = nearest_of(name, known)
    return f"; did you mean `{found}`?" if found is not None else ""


def nearest_of(name: str, known: Iterable[str]) -> str | None:
    """Return the nearest known name; None where none is near."""
    lower = {candidate.lower(): candidate for candidate in sorted(known)}
    found = get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return lower[found[0]] if found else None


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Return names as a readable list, such as `a`, `b`, `c`."""
    every = list(names)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(f"`{name}`" for name in every[:limit]) + more


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for a name that nothing bears."""
    every = sorted(known)
    hint = nearest(name, every)
    there = f"; there are {listed(every)}" if every else f"; there is no {kind} yet"
    return f"unknown {kind} {shown(name)}{hint or there}"
