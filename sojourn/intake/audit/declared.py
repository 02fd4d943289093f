"""Compares what was declared, asked for and seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sojourn.intake.audit.noted import Note, Period
from sojourn.intake.audit.rhythm import Heard
from sojourn.language.definitions import Definitions
from sojourn.language.events.model import EventDefinition
from sojourn.language.model import Journey, Segment
from sojourn.language.spelling import ENGINE, mentions

STALE = timedelta(days=30)


def note_declared(definitions: Definitions, found: Mapping[str, Heard], period: Period, stale: timedelta = STALE) -> list[Note]:
    """Return what is declared or asked for and does not come, and what comes and is not declared, as notes.

    Args:
        definitions: the team's.
        found: what came, by name.
        period: what is looked at.
        stale: how long an event may be silent.
    """
    asking: list[Journey | Segment] = [*definitions.journeys.values(), *definitions.segments.values()]
    asked = {mention.name for each in asking for mention in mentions(each)}
    notes = []
    for name in sorted((asked | definitions.events.keys()) - set(ENGINE)):
        one = found.get(name)
        by = "a journey or a segment asks for it" if name in asked else "it is declared"
        if one is None:
            notes.append(Note("stale", name, f"{by}, and it never came", "send it, or take it out of the definitions", count=0))
        elif period.until - one.last > stale:
            notes.append(Note("stale", name, f"{by}, and it last came {one.last:%Y-%m-%d}", "ask who sent it whether it still should come"))
    for name, one in sorted(found.items()):
        definition = definitions.events.get(name)
        if definition is None and one.count and name not in ENGINE:
            what, advice = f"{one.count} came, and nothing declares it", f'draft it: sojourn events infer "{name}"'
            notes.append(Note("undeclared", name, what, advice, count=one.count))
        elif definition is not None and one.count:
            notes += _deprecated(definition, one.count)
    return notes


def _deprecated(definition: EventDefinition, count: int) -> list[Note]:
    if definition.deprecated is None:
        return []
    return [Note("deprecated", definition.event, f"{count} came, though it is deprecated", definition.deprecated, count=count)]
