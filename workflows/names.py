"""Every handle by which Temporal and Sojourn speak of the same thing, named once."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

TASK_QUEUE = "sojourn"

DECIDE = "decide"  # local activity: scores, conditions, splits
SEND = "send"  # activity: the same, up to and including one effect
PROGRESS = "progress"  # query

BROADCAST = "Broadcast"  # workflow type; no journey can be called so
GATHER = "gather_recipients"
SEND_LANE = "send_lane"
FINISH = "finish_broadcast"
BROADCAST_ID = "broadcast:"  # how the workflow ids of broadcasts begin; they end with the broadcast's own id
CHANGED = "changed"  # signal: paused, resumed or stopped

JOURNEY = SearchAttributeKey.for_keyword("SojournJourney")
STEP = SearchAttributeKey.for_keyword("SojournStep")
PROFILE = SearchAttributeKey.for_keyword("SojournProfile")
OUTCOME = SearchAttributeKey.for_keyword("SojournOutcome")
VARIANT = SearchAttributeKey.for_keyword_list("SojournVariant")
SEARCH_ATTRIBUTES: tuple[SearchAttributeKey, ...] = (JOURNEY, STEP, PROFILE, OUTCOME, VARIANT)  # type: ignore[type-arg]

MEMO_ENTRY = "entry"
MEMO_STORE = "store"
