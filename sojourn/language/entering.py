"""Journeys that begin each other without a wait, and hours in which nothing may ever be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time

from sojourn.language.finding import Findings
from sojourn.language.model import Call, Choose, End, Enter, Journey, Step, Wait, WaitFor, WaitUntil
from sojourn.language.moments import Hours
from sojourn.language.outline import Way, blocks, passes

_DAY = 24 * 60


def check_circles(journeys: Mapping[str, Journey], found: Mapping[str, Findings]) -> None:
    """Find journeys that enter themselves, by themselves or by others, without a wait on the way; said once, of the first of them."""
    at_once = {name: dict(_entered_at_once(journey)) for name, journey in journeys.items()}
    told: set[frozenset[str]] = set()
    for name in sorted(at_once):
        circle = _circle(name, at_once)
        if circle is None or frozenset(circle) in told:
            continue
        told.add(frozenset(circle))
        who = "itself" if len(circle) == 1 else "itself again"
        path = "" if len(circle) == 1 else f" ({' → '.join((*circle, name))})"
        text = f"`{name}` enters {who}{path} without a wait on the way: there is no end to it; put a `wait` before this step"
        found[name].add((*at_once[name][(*circle, name)[1]], "enter"), text)


def _circle(start: str, at_once: Mapping[str, Mapping[str, Way]]) -> tuple[str, ...] | None:
    """Return the shortest way from a journey back to itself; None where there is none."""
    waiting: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop(0)
        for target in at_once.get(path[-1], ()):
            if target == start:
                return path
            if target not in seen:
                seen.add(target)
                waiting.append((*path, target))
    return None


def _entered_at_once(journey: Journey) -> Iterator[tuple[str, Way]]:
    """Return the journeys that a journey can enter before any time has passed, each with the way to the first such step."""
    found: dict[str, Way] = {}
    _walk(journey.steps, ("steps",), found)
    return iter(found.items())


def _walk(steps: tuple[Step, ...], way: Way, found: dict[str, Way]) -> bool:
    """Go through steps as far as no time passes; tell whether that is to their end."""
    for i, step in enumerate(steps):
        if isinstance(step, End):
            return False
        if isinstance(step, Enter):
            found.setdefault(step.enter, (*way, i))
        if isinstance(step, WaitUntil | WaitFor) or (isinstance(step, Wait) and passes(step)):
            return False
        inner = blocks(step, (*way, i))
        ways = [_walk(block, place, found) for place, block in inner]
        past = isinstance(step, Call) or (isinstance(step, Choose) and step.choose[-1].if_ is not None)
        if ways and not any(ways) and not past:
            return False
    return True


def never_open(between: str, quiet: Hours) -> bool:
    """Tell whether hours lie wholly in quiet ones, which are the same every day; both are a person's own, in any zone."""
    try:
        hours = Hours.parse(between)
    except ValueError:
        return False  # said elsewhere
    return _minutes(hours.start, hours.end) <= _minutes(quiet.start, quiet.end)


def minutes_from(start: time, length: int) -> set[int]:
    """Return the minutes of the day from a time on."""
    first = start.hour * 60 + start.minute
    return {(first + minute) % _DAY for minute in range(min(length, _DAY))}


def _minutes(start: time, end: time) -> set[int]:
    first, last = start.hour * 60 + start.minute, end.hour * 60 + end.minute
    return minutes_from(start, (last - first) % _DAY)


def quiet_minutes(quiet: Hours) -> set[int]:
    """Return the minutes of the day that quiet hours cover."""
    return _minutes(quiet.start, quiet.end)


__all__ = ["check_circles", "minutes_from", "never_open", "quiet_minutes"]
