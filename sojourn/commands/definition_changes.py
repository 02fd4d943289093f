"""Which files of definitions were changed since a start, which reads them once."""

from __future__ import annotations

from pathlib import Path

from sojourn.clock import monotonic

LOOK_EVERY_S = 2.0
SUFFIXES = frozenset({".yaml", ".yml", ".json", ".csv", ".mjml", ".txt", ".html"})

_Stamp = tuple[int, int]


class DefinitionChanges:
    """The files of a folder as they were, against as they are.

    Args:
        folder: of definitions; files of other kinds in it count for nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = self._stamps()
        self._looked_at = monotonic()

    def fresh(self) -> list[str]:
        """Return the files that came, went or were edited since this was last asked; looks every two seconds only."""
        now = monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return []
        self._looked_at, before = now, self._known
        self._known = self._stamps()
        names = before.keys() | self._known.keys()
        return sorted(name for name in names if before.get(name) != self._known.get(name))

    def _stamps(self) -> dict[str, _Stamp]:
        found = {}
        for path in self._folder.rglob("*"):
            if path.suffix in SUFFIXES and not path.name.startswith("."):
                try:
                    status = path.stat()
                except FileNotFoundError:  # an editor has just put another in its place
                    continue
                found[str(path.relative_to(self._folder.parent))] = (status.st_mtime_ns, status.st_size)
        return found
