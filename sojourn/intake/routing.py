"""Decides what an event means for journeys: who enters, who hears of it, who leaves, who reached the goal.

Pure: it is told the event, the definitions in force, the profile's entries and how to ask a
condition; it answers with decisions. Writing them down and calling Temporal is process.py's and the
outbox's work.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sojourn.customers.entry_merging import Walk, superfluous
from sojourn.customers.segments.causes import CAUSE, Cause, moves_nobody
from sojourn.language.asked import SEGMENT_EVENTS, segments_awaited
from sojourn.language.durations import format_duration, parse_duration
from sojourn.language.model import Journey, Wait
from sojourn.travel.listening import ENTER_REQUESTED, Ask, Happened, meet
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.state import CONSENT_WITHDRAWN, LEAVE, WITHDRAWN, Arrived

ENTRY_NAMESPACE = UUID("6f1d3c0e-6a5b-5b0e-9a63-6f6a6f75726e")
_BROUGHT = {Cause.IMPORT: "an import brought the change", Cause.EDIT: "an edit of a definition, a list or an identity made the change"}
_SAFE_KEY = re.compile(r"^[A-Za-z0-9_.-]{1,64}\Z")


@dataclass(frozen=True)
class Entry:
    """An entry of the profile, running or ended."""

    id: str
    journey: str
    version: str
    profile_id: str
    key: str
    workflow_id: str
    started_at: datetime
    delayed_until: datetime | None
    running: bool
    goal_at: datetime | None = None
    subject: str = ""  # the profile that it began under
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Begin:
    """Someone enters a journey."""

    entry: Entry
    trigger: Happened
    delay: timedelta | None
    replaces: Entry | None = None


@dataclass(frozen=True)
class Tell:
    """A running entry hears of the event."""

    entry: Entry
    arrived: Arrived


@dataclass(frozen=True)
class Quit:
    """A running entry leaves, at once."""

    entry: Entry
    outcome: str
    because: str
    arrived: Arrived
    dormant: bool  # its workflow has not begun to run: terminating it is enough


@dataclass(frozen=True)
class Reached:
    """An entry reached its journey's goal."""

    entry: Entry
    value: float | None


@dataclass(frozen=True)
class Refused:
    """A trigger that let nobody in, and why."""

    journey: str
    reason: str


Decision = Begin | Tell | Quit | Reached | Refused


def decide(event: Happened, registry: Registry, entries: Sequence[Entry], ask: Ask, consented: Callable[[str], bool]) -> list[Decision]:
    """Return all that an event means for journeys: for those on them, and for those that it lets in.

    Args:
        event: what happened.
        registry: the definitions in force, and those that the entries stand on.
        entries: the profile's entries, oldest first.
        ask: asks a condition about the event's moment.
        consented: tells whether the person agreed to a purpose at that moment.
    """
    found = _withdraw(event, registry, entries, concern(event, registry, entries, ask), consented)
    ended = {decision.entry.id for decision in found if isinstance(decision, Quit)}
    found.extend(_enter(event, registry, entries, ended, ask, consented))
    return found


def concern(event: Happened, registry: Registry, entries: Sequence[Entry], ask: Ask) -> list[Decision]:
    """Return what an event means for those who are, or were, on a journey."""
    found: list[Decision] = []
    if event.machine or _is_quiet(event):
        return found
    twice = one_too_many(registry, entries)
    for entry in entries:
        definition = registry.versions[entry.version]
        if entry.id in twice or not _concerns(definition.journey, entry, event):
            continue
        goal = definition.journey.goal
        # The earliest in the window counts, in whatever order they come.
        sooner = entry.goal_at is None or event.time < entry.goal_at
        if goal is not None and goal.on == event.name and sooner and _in_window(entry, goal.within, event) and _holds(goal.if_, event, ask):
            found.append(Reached(entry, _number(event, goal.value)))
        if entry.running and (told := _tell(definition, entry, event, ask)) is not None:
            found.append(told)
    return found


def one_too_many(registry: Registry, entries: Sequence[Entry]) -> dict[str, str]:
    """Return which entries there would not be had their person always been one, each with the one in its place.

    They tell nothing of when the journey may be entered again, and reach no goal a second time.
    """
    if len({entry.subject for entry in entries}) < 2:
        return {}
    groups: dict[tuple[str, str], list[Walk]] = {}
    for entry in entries:
        enter = registry.versions[entry.version].journey.enter
        again = None if enter.again_after is None else parse_duration(enter.again_after)
        ended = None if entry.running else entry.ended_at or entry.started_at
        walk = Walk(entry.id, entry.subject, entry.started_at, ended, again, enter.while_running == "restart")
        groups.setdefault((entry.journey, entry.key), []).append(walk)
    found: dict[str, str] = {}
    for walks in groups.values():
        found.update(superfluous(walks))
    return found


def _tell(definition: Definition, entry: Entry, event: Happened, ask: Ask) -> Tell | Quit | None:
    arrived = meet(definition.listeners, entry.id, entry.started_at, event, ask)
    if arrived is None:
        return None
    leaving = next((handle for handle in arrived.meets if handle.startswith(LEAVE)), None)
    if leaving is None:
        return Tell(entry, arrived)
    outcome = definition.program.outcome_of(leaving)
    return Quit(entry, outcome, arrived.because or f"{event.name} came", arrived, _is_dormant(entry, event))


def _withdraw(
    event: Happened, registry: Registry, entries: Sequence[Entry], found: list[Decision], consented: Callable[[str], bool]
) -> list[Decision]:
    """End what stands on a consent that was taken back, unless the journey's own `leave` does so already."""
    if not event.withdrawn:
        return found
    quitting = {decision.entry.id for decision in found if isinstance(decision, Quit)}
    for entry in entries:
        purpose = registry.versions[entry.version].journey.purpose
        if not entry.running or entry.id in quitting or purpose not in event.withdrawn or consented(purpose):
            continue
        because = f"consent to {purpose} was withdrawn"
        arrived = Arrived(id=event.id, entry_id=entry.id, event=event.name, time=event.time, meets=(WITHDRAWN,), because=because)
        # An event arrives once: what else it would have told this entry no longer matters.
        found = [decision for decision in found if not (isinstance(decision, Tell) and decision.entry.id == entry.id)]
        found.append(Quit(entry, CONSENT_WITHDRAWN, because, arrived, _is_dormant(entry, event)))
    return found


def _is_dormant(entry: Entry, event: Happened) -> bool:
    return entry.delayed_until is not None and event.time < entry.delayed_until


def _enter(
    event: Happened, registry: Registry, entries: Sequence[Entry], ended: set[str], ask: Ask, consented: Callable[[str], bool]
) -> Iterable[Decision]:
    twice = one_too_many(registry, entries)
    names = [] if event.machine else registry.triggers.get(event.name, [])
    if event.name == ENTER_REQUESTED:
        names = [str(event.properties.get("journey"))]
    for name in names:
        live = registry.live.get(name)
        if live is None:
            continue
        journey, enter = live.journey, live.journey.enter
        if _of_another_segment(event, enter.if_):
            continue
        if _is_quiet(event):
            yield Refused(name, f"{_BROUGHT[Cause(event.properties[CAUSE])]}; journeys begin on what happens and on time")
            continue
        if enter.if_ is not None and event.name != ENTER_REQUESTED:
            answer = ask(enter.if_, event)
            if not answer.holds:
                yield Refused(name, f"the filter did not hold: {answer.sentence()}")
                continue
        key = key_of(journey, event)
        if key is None:
            yield Refused(name, f"the event has no {enter.key}")
            continue
        if not consented(journey.purpose):
            yield Refused(name, f"no consent for {journey.purpose}")
            continue
        same = [e for e in entries if e.journey == name and e.key == key and e.id not in twice]
        running = next((e for e in reversed(same) if e.running and e.id not in ended), None)
        last = same[-1] if same else None
        if running is not None and enter.while_running == "ignore":
            yield Refused(name, "already on this journey")
            continue
        if running is None and last is not None:
            if enter.again_after is None:
                yield Refused(name, "was on this journey before, and it is once" + (" per key" if enter.key else ""))
                continue
            if event.time < last.started_at + parse_duration(enter.again_after):
                since = format_duration(max(event.time - last.started_at, timedelta()))
                yield Refused(name, f"entered {since} ago, again after {enter.again_after}")
                continue
        yield _begin(live, event, key, running)


def _is_quiet(event: Happened) -> bool:
    """Tell whether an event is a change of a segment that an import or an edit made: it is kept, and moves nobody."""
    return event.name in SEGMENT_EVENTS and moves_nobody(event.properties)


def _of_another_segment(event: Happened, condition: str | None) -> bool:
    """Tell whether someone came into, or left, a segment that a filter does not name: for its journey no trigger at all.

    Else each change of each segment would be kept as a refusal of every journey that listens for one of them.
    """
    if condition is None or event.name not in SEGMENT_EVENTS:
        return False
    named = segments_awaited(condition)
    return bool(named) and event.properties.get("segment") not in named


def _begin(live: Definition, event: Happened, key: str, replaces: Entry | None) -> Begin:
    first = live.journey.steps[0]
    delay = parse_duration(first.wait) if isinstance(first, Wait) else None
    entry = Entry(
        id=str(uuid5(ENTRY_NAMESPACE, f"{len(live.journey.name)}:{live.journey.name}{event.id}")),
        journey=live.journey.name,
        version=live.version,
        profile_id=event.profile_id,
        key=key,
        workflow_id=replaces.workflow_id if replaces else workflow_id(live.journey.name, event.profile_id, key),
        started_at=event.time,
        delayed_until=event.time + delay if delay else None,
        running=True,
        subject=event.profile_id,
    )
    return Begin(entry, event, delay, replaces)


def workflow_id(journey: str, profile_id: str, key: str) -> str:
    """Return `journey:<name>:<profile>[:<key>]`; a key that is not plain is hashed, for ids carry no personal data."""
    if not key:
        return f"journey:{journey}:{profile_id}"
    safe = key if _SAFE_KEY.match(key) else hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"journey:{journey}:{profile_id}:{safe}"


def key_of(journey: Journey, event: Happened) -> str | None:
    """Return an entry's key as the event gives it: empty where the journey has none, None where the event lacks it."""
    if journey.enter.key is None or event.name == ENTER_REQUESTED:
        return ""
    value: Any = event.properties
    for part in journey.enter.key.split(".")[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    return str(value)[:255] if isinstance(value, str | int | float) and value != "" else None


def _concerns(journey: Journey, entry: Entry, event: Happened) -> bool:
    """With a key, an event that carries the key reaches only the entry with that key."""
    if not entry.key:
        return True
    carried = key_of(journey, event)
    return carried is None or carried == entry.key


def _in_window(entry: Entry, within: str, event: Happened) -> bool:
    return entry.started_at <= event.time <= entry.started_at + parse_duration(within)


def _holds(condition: str | None, event: Happened, ask: Ask) -> bool:
    return condition is None or ask(condition, event).holds


def _number(event: Happened, path: str | None) -> float | None:
    value: Any = event.properties
    for part in path.split(".")[1:] if path else ():
        value = value.get(part) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
