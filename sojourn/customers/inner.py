"""Events that come from inside, about one person: who came into a segment, where someone now is.

Customers do not know intake: whoever composes the program gives a `Tell`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection


class InnerEvent(NamedTuple):
    """An event to be appended to the log; a message id that is known already is no second one."""

    message_id: str
    name: str
    time: datetime
    profile_id: str
    properties: Mapping[str, Any] = MappingProxyType({})


Tell = Callable[[Connection, Sequence[InnerEvent]], None]
"""Appends events to the log, in order, in the transaction at hand."""
