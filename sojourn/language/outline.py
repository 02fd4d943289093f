"""A journey's steps by their way in the file, such as `("steps", 3, "then", 0)`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sojourn.language.durations import parse_duration
from sojourn.language.model import Call, Choose, End, If, Journey, Score, Send, Split, Step, Wait, WaitFor

Way = tuple[str | int, ...]
COMPLETED = "completed"
ENGAGEMENTS = ("delivered", "opened", "clicked", "bounced", "complained")
HEARD_AS = {  # the events by which engagement comes
    "delivered": "Email Delivered", "opened": "Email Opened", "clicked": "Email Link Clicked", "bounced": "Email Bounced",
    "complained": "Email Marked as Spam",
}  # fmt: skip


def send_id(step: Send) -> str:
    """Return the name by which later steps speak of a send."""
    return step.id or step.send


def blocks(step: Step, way: Way) -> list[tuple[Way, tuple[Step, ...]]]:
    """Return a step's branches with their way; a branch that is not written is empty."""
    match step:
        case If():
            return [((*way, "then"), step.then), ((*way, "else"), step.else_)]
        case WaitFor(wait_for=str()):
            return [((*way, "then"), step.then), ((*way, "else"), step.else_)]
        case WaitFor():
            lines = [((*way, "wait_for", i, "then"), branch.then) for i, branch in enumerate(step.branches)]
            return [*lines, ((*way, "else"), step.else_)]
        case Choose():
            return [((*way, "choose", i, "then"), choice.then) for i, choice in enumerate(step.choose)]
        case Call() if step.on_failure:
            return [((*way, "on_failure"), step.on_failure)]
        case Split():
            return [((*way, "arms", arm), step.arms.get(arm, ())) for arm in step.split]
    return []


def walk(journey: Journey) -> Iterator[tuple[Way, Step]]:
    """Return every step with its way, in the order of the definition."""
    yield from _walk(journey.steps, ("steps",))


def _walk(steps: tuple[Step, ...], way: Way) -> Iterator[tuple[Way, Step]]:
    for i, step in enumerate(steps):
        yield (*way, i), step
        for inner, block in blocks(step, (*way, i)):
            yield from _walk(block, inner)


def sends(journey: Journey) -> dict[str, Send]:
    """Return a journey's sends by id."""
    return {send_id(step): step for _, step in walk(journey) if isinstance(step, Send)}


def scores(journey: Journey) -> set[str]:
    """Return the models that a journey asks."""
    return {step.score for _, step in walk(journey) if isinstance(step, Score)}


def calls(journey: Journey) -> set[str]:
    """Return the names that answers are kept under."""
    return {step.keep for _, step in walk(journey) if isinstance(step, Call) and step.keep is not None}


def outcomes(journey: Journey) -> list[str]:
    """Return the outcomes that a journey names: of its `end` steps, then of its `leave` lines."""
    ends = [step.end for _, step in walk(journey) if isinstance(step, End)]
    return list(dict.fromkeys([*ends, *(leave.as_ for leave in journey.leave)]))


def always_ends(step: Step) -> bool:
    """Tell whether no way leads past a step."""
    if isinstance(step, End):
        return True
    if isinstance(step, Choose) and step.choose[-1].if_ is not None:
        return False  # where no line holds, the journey goes on
    if isinstance(step, Call):
        return False  # where it is answered, the journey goes on
    inner = [block for _, block in blocks(step, ())]
    return bool(inner) and all(any(always_ends(each) for each in block) for block in inner)


def passes(step: Wait) -> bool:
    """Tell whether a wait takes any time; of one that is no duration, which is said elsewhere, it is taken for granted."""
    try:
        return parse_duration(step.wait) > timedelta(0)
    except ValueError:
        return True


def engagement(name: str) -> tuple[str, str] | None:
    """Return send id and kind of a name such as `reminder.clicked`; None for the name of an event."""
    send, _, kind = name.rpartition(".")
    return (send, kind) if send and kind in ENGAGEMENTS else None
