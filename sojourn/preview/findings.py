"""What is said of a message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much it matters."""

    PROBLEM = "problem"  # mend it before it goes out
    HINT = "hint"  # worth improving


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a message, or worth improving.

    Attributes:
        about: in a word or two, such as `alt text`.
    """

    level: Level
    about: str
    message: str
