"""The role `all`, whose worker keeps to itself what it saw end until a file is there: `python late_endings.py FILE`.

It looks at what has closed at its start only, so that for an hour nothing but its own word tells how a workflow ended.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sojourn.launch import load_worker

worker: Any = load_worker()
MAY_TELL = Path(sys.argv[1])
AN_HOUR = 3600.0


class LateObserver(worker.EndingObserver):  # type: ignore[misc]
    """Gives what it saw once it may."""

    def take(self) -> list[Any]:
        return list(super().take()) if MAY_TELL.exists() else []


if __name__ == "__main__":
    worker.EndingObserver, worker.CLOSED_EVERY = LateObserver, AN_HOUR
    worker.run("all")
