"""How far an import is, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sojourn.bulk.lived import Lived


@dataclass
class Told:
    """How far an import is.

    Attributes:
        rows: rows settled in all.
        new: rows of this run that made a person or an event.
        known: rows of this run about what was known.
        errors: rows refused in all.
        resumed: rows that an earlier run had settled.
        finished: whether all of it is done.
        read: bytes of the file read.
        refused: how often each trait of the people of this run was not taken, such as an e-mail that is none.
        refused_first: by the trait, the line of the file in which one was first not taken.
        consenting: people of this run of whom a row says a consent, be it yes or no.
        lived: of a rehearsal, the events that would come in as new (`--live`).
    """

    rows: int = 0
    new: int = 0
    known: int = 0
    errors: int = 0
    resumed: int = 0
    finished: bool = False
    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    refused_first: dict[str, int] = field(default_factory=dict)
    consenting: int = 0
    lived: Lived = field(default_factory=Lived)
