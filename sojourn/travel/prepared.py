"""What an advance came to before anything was written, and how it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from sojourn.content.fetches import Wanted
from sojourn.customers.profiles import Person
from sojourn.delivery.facts import Checked
from sojourn.delivery.freezing import Made
from sojourn.delivery.ledger import SendOrder
from sojourn.delivery.outcomes import Accepted, AlreadySettled, ClaimResult, Outcome, Refused, Suppressed
from sojourn.language.model import Journey, Send, Step
from sojourn.language.outline import send_id
from sojourn.travel.program import blocks, label
from sojourn.travel.registry import Definition
from sojourn.travel.state import Progress, Trail


@dataclass(frozen=True)
class Prepared:
    """What was read and judged before anything is written."""

    entry: Row[Any]
    definition: Definition
    person: Person
    progress: Progress  # up to the effect
    effect: Step | None
    judged: bool  # false where an earlier attempt's decisions were found
    order: SendOrder | None = None
    made: Made | None = None
    checked: Checked | None = None  # what is wrong with it by itself, where that was asked
    problem: str | None = None  # why the message cannot be made
    wanted: tuple[Wanted, ...] = ()  # what other services have to be asked before it can be

    @property
    def journey(self) -> Journey:
        """The definition as its author wrote it."""
        return self.definition.journey


def because_of(outcome: ClaimResult | Outcome) -> str:
    """Return what became of a message, in words."""
    match outcome:
        case Accepted(by=by):
            return f"accepted by {by}"
        case Suppressed(reason=reason):
            return f"not sent: {reason}"
        case AlreadySettled(state=state, reason=reason_or_none):
            return f"{state}: {reason_or_none}" if reason_or_none else state
        case Refused(reason=reason, by=by):
            return f"refused by {by}: {reason}"
    return f"unclear whether {getattr(outcome, 'by', None) or 'its provider'} accepted it"


def content_of(prepared: Prepared) -> str:
    """Return the content that is sent."""
    assert isinstance(prepared.effect, Send)
    return prepared.effect.send


def went(prepared: Prepared, step: Step, because: str, now: datetime, took: str | None = None) -> Progress:
    """Return the progress once the effect is dealt with: on after it, or into a branch of it that has steps."""
    cursor, program = prepared.progress.cursor, prepared.definition.program
    assert cursor is not None
    took = took if took in blocks(step) else None
    line = Trail(cursor=cursor, did=label(step), because=because, took=took, at=now)
    return Progress(
        trail=(*prepared.progress.trail, line),
        cursor=program.after(cursor) if took is None else program.into(cursor, took),
        scores=prepared.progress.scores,
        sent=send_id(step) if isinstance(step, Send) else None,
    )
