"""What can be wrong with a file as a whole, and with one row of it.

A file that cannot be read ends the command; a bad row is set aside with its line, and its neighbours
go on. Neither text repeats what stands in the file: it is about people.
"""

from __future__ import annotations

from sojourn.errors import Terminal


class UnreadableFile(Terminal):
    """A file cannot be imported; the message says why and what to do."""


class BadRow(Terminal):
    """A row cannot be taken; the reason says what was expected of which column."""
