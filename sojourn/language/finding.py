"""What a check finds: a sentence, and the way to where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sojourn.language.outline import Way
from sojourn.language.problems import Problem
from sojourn.language.source import Node


@dataclass(frozen=True)
class Finding:
    """One thing that a check found wrong.

    Attributes:
        way: where, such as `("steps", 3, "then", 0, "send")`.
        offset: the character of the text found there that is meant.
        at_key: the key of that name is meant, not its value.
        warning: whether it is a warning, and no mistake.
    """

    way: Way
    message: str
    offset: int | None = None
    at_key: bool = False
    warning: bool = False

    def problem(self, root: Node, file: str) -> Problem:
        """Return it as a problem with its place in a file."""
        node, place = root, root.place()
        for part in self.way:
            inner = node.value
            if isinstance(inner, dict) and part in inner:
                place, node = node.keys[str(part)], inner[part]
            elif isinstance(inner, list) and isinstance(part, int) and part < len(inner):
                node = inner[part]
                place = node.place()
            else:
                return Problem(file, *place, self.message)
        return Problem(file, *(place if self.at_key else node.place(self.offset)), self.message)


@dataclass(frozen=True)
class Known:
    """Names that exist beside a definition; None where they are not known and so not checked."""

    contents: frozenset[str] | None = None
    models: frozenset[str] | None = None
    segments: frozenset[str] | None = None
    journeys: frozenset[str] | None = None
    purposes: frozenset[str] | None = None
    topics: Mapping[str, str] | None = None  # each with its purpose
    hosts: frozenset[str] | None = None  # that may be asked
    pictures: frozenset[str] | None = None  # hosts whose pictures an event may bring in, the shop's own first among them
    home: str = ""  # the shop's own host
    events: frozenset[str] | None = None  # that are declared


NOTHING_KNOWN = Known()


@dataclass
class Findings:
    """Gathers findings."""

    all: list[Finding] = field(default_factory=list)

    def add(self, way: Way, message: str, offset: int | None = None, at_key: bool = False) -> None:
        """Keep a finding."""
        self.all.append(Finding(way, message, offset, at_key))

    def warn(self, way: Way, message: str, offset: int | None = None, at_key: bool = False) -> None:
        """Keep a finding that is no mistake."""
        self.all.append(Finding(way, message, offset, at_key, warning=True))
