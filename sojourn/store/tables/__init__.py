"""Every table, in the order of the road: log, people, segments, journeys, sends; one module for each."""

from __future__ import annotations

from sojourn.store.tables.base import metadata
from sojourn.store.tables.brakes import brakes, incidents
from sojourn.store.tables.broadcasts import broadcast_recipients, broadcasts
from sojourn.store.tables.carriers import carrier_days, carrier_slots, notices
from sojourn.store.tables.clusterings import clusterings
from sojourn.store.tables.imports import imports
from sojourn.store.tables.journeys import calls, decisions, definitions, entries, outbox, refusals
from sojourn.store.tables.log import cursors, inbound, quarantine
from sojourn.store.tables.ourselves import doubts, heartbeats, leases, store_facts
from sojourn.store.tables.people import (
    address_refusals,
    consents,
    events,
    identifiers,
    merges,
    preferences,
    profiles,
    refused_merges,
    separations,
    suppressions,
)
from sojourn.store.tables.refused_traits import trait_refusals
from sojourn.store.tables.resolution import merge_candidates
from sojourn.store.tables.segments import segment_builds, segment_due, segment_judged, segment_members, segment_releases
from sojourn.store.tables.sends import engagements, links, live_parts, messages, sends, transitions, verdicts
from sojourn.store.tables.violations import violations

__all__ = [
    "address_refusals",
    "brakes",
    "broadcast_recipients",
    "broadcasts",
    "calls",
    "carrier_days",
    "carrier_slots",
    "clusterings",
    "consents",
    "cursors",
    "decisions",
    "definitions",
    "doubts",
    "engagements",
    "entries",
    "events",
    "heartbeats",
    "identifiers",
    "imports",
    "inbound",
    "incidents",
    "leases",
    "links",
    "live_parts",
    "merge_candidates",
    "merges",
    "messages",
    "metadata",
    "notices",
    "outbox",
    "preferences",
    "profiles",
    "quarantine",
    "refusals",
    "refused_merges",
    "segment_builds",
    "segment_due",
    "segment_judged",
    "segment_members",
    "segment_releases",
    "sends",
    "separations",
    "store_facts",
    "suppressions",
    "trait_refusals",
    "transitions",
    "verdicts",
    "violations",
]
