"""Finds events that are spelt in two ways, such as `Order completed` beside `Order Completed`: one of them never comes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from sojourn.language.conditions import ConditionError, parse
from sojourn.language.finding import Finding
from sojourn.language.model import Choose, If, Journey, Segment, Wait, WaitFor
from sojourn.language.outline import Way, engagement, walk

_NEAR = 0.9  # of one letter in ten
# Events that the engine itself brings: their spelling is given.
ENGINE = (
    "Email Delivered", "Email Opened", "Email Link Clicked", "Email Bounced", "Email Marked as Spam", "Unsubscribed",
    "Segment Entered", "Segment Exited", "Location Changed", "Subscribed", "Consent Requested", "Consent Confirmed",
    "Preferences Updated",
)  # fmt: skip
CALLS = ("identify", "page", "screen", "group", "alias")  # named by their kind; what is declared is a track call


@dataclass(frozen=True)
class Mention:
    """An event's name where it stands."""

    name: str
    way: Way
    offset: int | None = None


def mentions(definition: Journey | Segment) -> Iterator[Mention]:
    """Return every event that a definition names, its conditions included."""
    if isinstance(definition, Segment):
        yield from _asked(definition.members, ("members",))
        return
    yield from _listened(definition.enter.on, definition.enter.if_, ("enter",))
    for i, leave in enumerate(definition.leave):
        yield from _listened(leave.on, leave.if_, ("leave", i))
    if definition.goal is not None:
        yield from _listened(definition.goal.on, definition.goal.if_, ("goal",))
    for way, step in walk(definition):
        match step:
            case Wait(reset_on=str() as name):
                yield Mention(name, (*way, "reset_on"))
            case WaitFor(wait_for=str() as name):
                yield from _listened(name, step.if_, way, key="wait_for")
            case WaitFor():
                for i, branch in enumerate(step.branches):
                    yield from _listened(branch.on, branch.if_, (*way, "wait_for", i))
            case If():
                yield from _asked(step.if_, (*way, "if"))
            case Choose():
                for i, line in enumerate(step.choose):
                    yield from _asked(line.if_, (*way, "choose", i, "if"))


def misspelt(definitions: Mapping[str, Journey | Segment], declared: Iterable[str] = ()) -> dict[str, list[Finding]]:
    """Return, for each definition by its file, the events that are spelt otherwise than elsewhere.

    The engine's own spelling wins, then one that is declared, else the one that stands most often.
    """
    every = {file: list(mentions(definition)) for file, definition in definitions.items()}
    known = frozenset(declared)
    right = _right_spellings((mention.name for found in every.values() for mention in found), known)
    return {
        file: [
            Finding(
                mention.way, f"the event `{mention.name}` is `{right[_key(mention.name)]}` elsewhere; spell it the same", mention.offset
            )
            for mention in found
            if right[_key(mention.name)] != mention.name and mention.name not in known
        ]
        for file, found in every.items()
    }


def nearly_the_same(name: str, names: Mapping[str, int]) -> str | None:
    """Return the event that one named but seldom may be meant for: of the engine, or named more often; None where none is near.

    For folders that declare no events. What differs by a number only, such as `Step 1 Done`, is meant.
    """
    others = [other for other, count in names.items() if count > names.get(name, 0) and other != name]
    for other in get_close_matches(name, [*ENGINE, *others], 3, _NEAR):
        same = _key(other) == _key(name) or _without_digits(other) == _without_digits(name)
        if not same and abs(len(other) - len(name)) <= 1:
            return other
    return None


def _without_digits(name: str) -> str:
    return "".join(each for each in name if not each.isdigit())


def _right_spellings(names: Iterable[str], declared: Iterable[str]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name in names:
        counts[_key(name)][name] += 1
    given = {_key(name): name for name in (*sorted(declared), *ENGINE)}
    return {key: given.get(key) or found.most_common(1)[0][0] for key, found in counts.items()}


def _key(name: str) -> str:
    return "".join(name.casefold().replace("_", " ").split())


def _listened(name: str, condition: str | None, way: Way, key: str = "on") -> Iterator[Mention]:
    if engagement(name) is None:
        yield Mention(name, (*way, key))
    yield from _asked(condition, (*way, "if"))


def _asked(condition: str | None, way: Way) -> Iterator[Mention]:
    if condition is None:
        return
    try:
        names = parse(condition).names.events
    except ConditionError:
        return  # said by the check of conditions
    for name in sorted(names):
        yield Mention(name, way, max(condition.find(name), 0))
