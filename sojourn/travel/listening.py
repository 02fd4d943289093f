"""Matches an event with what a running entry listens for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sojourn.language.conditions import Explanation
from sojourn.travel.program import KINDS, Listener
from sojourn.travel.state import Arrived

ENTER_REQUESTED = "Enter Requested"  # what a journey's `enter` step emits


@dataclass(frozen=True)
class Happened:
    """An event as routing sees it: attributed to a profile."""

    id: str
    name: str
    profile_id: str
    time: datetime
    properties: Mapping[str, Any]
    send_entry_id: str | None = None  # of engagement: the entry whose message it was
    send_id: str | None = None
    machine: bool = False  # a robot opened or clicked
    withdrawn: frozenset[str] = frozenset()  # purposes that it takes consent back from
    trace: str | None = None  # W3C traceparent of its receipt, where tracing is on


def is_machine(name: str, properties: Mapping[str, Any]) -> bool:
    """Tell whether an event is engagement by a robot; of other events `machine` is a property like any other."""
    return name in KINDS and properties.get("machine") is True


Ask = Callable[[str, Happened], Explanation]
"""Asks a condition about the profile at the event's moment, the event included."""


def meet(listeners: Iterable[Listener], entry_id: str, started_at: datetime, event: Happened, ask: Ask) -> Arrived | None:
    """Return the event as it arrives at an entry, with all that it meets there; None where nothing listens for it.

    What happened before the entry began does not arrive, nor does engagement by a machine.
    """
    if event.machine:
        return None
    if event.time < started_at and event.send_entry_id is None:
        return None
    meets: list[str] = []
    because = ""
    for listener in listeners:
        if listener.event != event.name:
            continue
        if listener.send_id is not None and (event.send_entry_id != entry_id or event.send_id != listener.send_id):
            continue
        if listener.condition is not None:
            answer = ask(listener.condition, event)
            if not answer.holds:
                continue
            because = f"{event.name}: {answer.sentence()}"
        meets.append(listener.handle)
    if not meets:
        return None
    return Arrived(id=event.id, entry_id=entry_id, event=event.name, time=event.time, meets=tuple(meets), because=because)
