"""Every table, in the order of the road: log, people, segments, journeys, sends; one module for each."""

from __future__ import annotations

from sojourn.store.tables.base import metadata
from sojourn.store.tables.imports import imports
from sojourn.store.tables.journeys import decisions, definitions, entries, outbox, refusals
from sojourn.store.tables.log import cursors, inbound, quarantine
from sojourn.store.tables.ourselves import heartbeats
from sojourn.store.tables.people import consents, events, identifiers, merges, profiles, suppressions
from sojourn.store.tables.segments import segment_members
from sojourn.store.tables.sends import engagements, links, messages, sends, transitions, verdicts

__all__ = [
    "consents",
    "cursors",
    "decisions",
    "definitions",
    "engagements",
    "entries",
    "events",
    "heartbeats",
    "identifiers",
    "imports",
    "inbound",
    "links",
    "merges",
    "messages",
    "metadata",
    "outbox",
    "profiles",
    "quarantine",
    "refusals",
    "segment_members",
    "sends",
    "suppressions",
    "transitions",
    "verdicts",
]
