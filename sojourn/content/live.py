"""What a message shows as it is when it is opened: a plain description, kept with the message under a number.

{"kind": "countdown", "until": "2026-12-24T00:00:00+00:00"}
{"kind": "stock", "items": ["linen-throw"]}
{"kind": "recommend", "n": 3}
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sojourn.errors import RenderError

MAX_NAMED = 12  # items of one list
MAX_PARTS = 20  # live parts of one message
MAX_ID = 100

Spec = dict[str, Any]


def countdown(until: Any) -> Spec:
    """Return what counts down to a moment.

    Raises:
        RenderError: it is no moment.
    """
    try:
        moment = datetime.fromisoformat(until) if isinstance(until, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise RenderError("a countdown needs a moment with its zone, such as 2026-12-24T00:00:00+01:00")
    return {"kind": "countdown", "until": moment.astimezone(UTC).isoformat()}


def stock(items: list[Any]) -> Spec:
    """Return what tells of items as they are.

    Raises:
        RenderError: one is not the id of an item.
    """
    if not all(isinstance(item, str) and 0 < len(item) <= MAX_ID for item in items):
        raise RenderError("what is in stock is asked by an item's id, such as event.product_id")
    return {"kind": "stock", "items": items}


def recommended(n: int) -> Spec:
    """Return what shows items for the person."""
    return {"kind": "recommend", "n": n}
