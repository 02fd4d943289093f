"""A page of events into the store: into the history of their people, or, where they are to be lived, into the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from sojourn.bulk.people import Written
from sojourn.bulk.policy import Policy
from sojourn.customers.identity import random_id
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.intake.appender import append, note_violations
from sojourn.intake.envelope import Envelope, Quarantined

# The order of events of one moment is that of `seq`. Those of an import come before all that the log ever holds,
# file by file and in the order of each.
_FIRST = -(2**62)
_ROWS_OF_A_FILE = 2**36


def write_history(
    connection: Connection,
    events: Sequence[tuple[int, Envelope]],
    now: datetime,
    import_id: int,
    policy: Policy,
    new_id: Callable[[], str] = random_id,
) -> Written:
    """Make events part of their people's history; no journey hears of them.

    Args:
        connection: of a writing transaction.
        events: each with its position in the file.
        now: the shop's present moment.
        import_id: of the import.
        policy: how words about people are taken.
        new_id: gives the ids of new profiles.
    """
    base = _FIRST + import_id * _ROWS_OF_A_FILE
    once = {envelope.message_id: (position, envelope) for position, envelope in reversed(events)}  # the first of those with one id
    rows = [InboundRow(base + position, envelope) for position, envelope in sorted(once.values(), key=lambda one: one[0])]
    absorbed = absorb(connection, rows, now, new_id, rules=policy.rules, identity=policy.identity, secret=policy.secret)
    note_violations(connection, [one.envelope for one in absorbed if one.is_new])
    written = Written(profile_ids=list(dict.fromkeys(one.profile_id for one in absorbed)))
    written.new = sum(one.is_new for one in absorbed)
    written.known = len(events) - written.new
    return written


def write_live(connection: Connection, events: Sequence[tuple[int, Envelope]], aside: Sequence[Quarantined] = ()) -> Written:
    """Put events into the log, as if they had just come in; the router makes of them what follows.

    Args:
        connection: of a writing transaction.
        events: each with its position in the file.
        aside: those that their definitions refuse; they go to quarantine.
    """
    fresh = len(append(connection, [envelope for _, envelope in events], aside))
    return Written(new=fresh, known=len(events) - fresh)
