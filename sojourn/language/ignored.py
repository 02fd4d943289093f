"""Files in a folder of definitions that nothing reads: a wrong ending, a wrong folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sojourn.language.problems import Problem, listed, nearest

FOLDERS = ("segments", "broadcasts", "personas", "events", "models", "content")
_DEFINITIONS = (".yaml",)
_CONTENTS = (".mjml", ".txt", ".yaml")  # `.amp.html` beside
_KEPT = (".md", ".rst", ".py", ".pyc", ".gitkeep")  # notes, and tests that stand beside
_LEFT_BY_EDITORS = ("~", ".swp", ".swo", ".bak", ".orig", ".tmp", "#")
_MEANT = {".yml": ".yaml", ".html": ".mjml", ".htm": ".mjml", ".json": ".yaml", ".jinja": ".mjml", ".j2": ".mjml", ".text": ".txt"}
_AT_THE_TOP = {".csv": "catalog.csv", ".jsonl": "catalog.jsonl"}


def ignored_files(folder: Path) -> list[Problem]:
    """Return, as warnings, the files that nothing reads; what is hidden, or left by an editor, is meant not to be."""
    found = []
    for path in _files(folder):
        parts = path.relative_to(folder).parts
        about = _about(parts)
        if about is not None:
            found.append(Problem(str(path), 1, 1, f"is not read: {about}"))
    return sorted(found)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith((".", "#", "__pycache__")) for part in parts)
        if not hidden and path.is_file() and not path.name.endswith((*_KEPT, *_LEFT_BY_EDITORS)):
            yield path


def _about(parts: tuple[str, ...]) -> str | None:
    name, suffix = parts[-1], Path(parts[-1]).suffix
    if len(parts) == 1:
        if suffix in (".yaml", ".yml") or name in _AT_THE_TOP.values():
            return None
        if suffix in _AT_THE_TOP:
            return f"beside the journeys stands {_AT_THE_TOP[suffix]} only{nearest(name, _AT_THE_TOP.values())}"
        return f"journeys end in `.yaml`, and contents stand in content/{_meant(name)}"
    top = parts[0]
    if top not in FOLDERS:
        near = nearest(top, FOLDERS)
        return f"no definitions stand in `{top}/`{near or f'; the folders are {listed(FOLDERS)}'}"
    if top == "content":
        read = suffix in _CONTENTS or name.endswith(".amp.html")
        return None if read else f"what stands in content/ ends in `.mjml`, `.txt`, `.yaml` or `.amp.html`{_meant(name)}"
    if len(parts) > 2:
        return f"definitions stand in {top}/ itself; move it there"
    if suffix == ".yaml" or (suffix == ".yml" and top != "models"):
        return None
    return f"what stands in {top}/ ends in `.yaml`{_meant(name)}"


def _meant(name: str) -> str:
    path = Path(name)
    return f"; rename it to {path.stem}{_MEANT[path.suffix]}" if path.suffix in _MEANT else ""


__all__ = ["ignored_files"]
