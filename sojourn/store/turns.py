"""Lets whoever writes go first.

On SQLite one transaction at a time may write, and all other processes wait for it. What it does between its statements it
does by Python's one interpreter, which a thread that renders would take from it for milliseconds at each of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

LONGEST = 0.5  # seconds that one who reads stands back at a time
_KEY = "sojourn.turns"


class Turns:
    """Who of one process's threads writes just now."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Have those who give way stand back."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def known_to(self, connection: Connection) -> None:
        """Let `give_way` find the turns of a connection."""
        connection.info[_KEY] = self

    def wait(self) -> None:
        """Wait until nobody writes, but not for long."""
        self._free.wait(LONGEST)


def give_way(connection: Connection) -> None:
    """Stand back from what takes the processor while another thread writes; to be called between two pieces of work."""
    turns = connection.info.get(_KEY)
    if turns is not None:
        turns.wait()


__all__ = ["Turns", "give_way"]
