"""How a child process tells the supervisor that it does its work by now."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SOJOURN_READY_FILE"


def say_ready() -> None:
    """Tell the supervisor, if there is one, that this process does its work by now."""
    path = os.environ.get(VARIABLE)
    if path:
        Path(path).write_text(str(os.getpid()))


def ready_file(folder: Path, part: str) -> Path:
    """Return the file by which a part is to say so, not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}.ready"
    path.unlink(missing_ok=True)
    return path
