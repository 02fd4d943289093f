"""Checks of single words of a definition: durations, shares, a send's options."""

from __future__ import annotations

import re
from collections.abc import Collection

from sojourn.language.durations import parse_duration
from sojourn.language.finding import Findings
from sojourn.language.model import Send
from sojourn.language.outline import ENGAGEMENTS, Way
from sojourn.language.problems import listed, nearest, shown

WHOLE = 100  # what shares add up to
NOT_YET = "not yet: "
BEST_TIME = "best_time"
_MEMBERSHIP = re.compile(r"^(not\s+)?segment\.(\w+)$")
_CONDITION = re.compile(
    r"^(not\s+)?(segment|profile|event|score|call)\.\w|==|!=|<=|>=|^now\s*[<>]|\s[<>]\s|^(did|count|sum|distinct|first|last|days_since|at_least)\("
)
_REWARD = re.compile(r"^([a-z][a-z0-9_]*)\.([a-z]+) within (.+)$")


def check_event_name(name: str, way: Way, declared: Collection[str], found: Findings) -> None:
    """Check that what stands for an event's name is not a condition, and no pattern of names.

    Args:
        name: as written.
        way: where.
        declared: names of events that events/ declares; whatever is one of them is a name.
        found: takes what is wrong.
    """
    if name in declared:
        return
    member = _MEMBERSHIP.match(name)
    if member is not None:
        moved = "Segment Exited" if member[1] else "Segment Entered"
        found.add(way, f'{shown(name)} is a membership, and no event; write `{moved}` with `if: event.segment == "{member[2]}"`')
    elif _CONDITION.search(name):
        found.add(way, f"{shown(name)} is a condition, and no event's name; name the event that can make it true, and ask it in `if`")
    elif "*" in name or name.endswith("%"):
        found.add(way, f"{shown(name)} is no event's name: each is named whole, and `*` stands for nothing; list the events one by one")


def check_duration(text: str, way: Way, found: Findings) -> None:
    """Check that a text is a duration."""
    try:
        parse_duration(text)
    except ValueError as error:
        found.add(way, str(error))


def check_shares(shares: dict[str, int], way: Way, found: Findings) -> None:
    """Check that shares divide people."""
    for name, share in shares.items():
        if share < 0:
            found.add((*way, name), f"a share cannot be less than nothing; write 0 or more for `{name}`")
    total = sum(shares.values())
    if total <= 0:
        found.add(way, "the shares add up to nothing; give at least one arm a share above 0", at_key=True)
    elif total != WHOLE and min(shares.values()) >= 0:
        taken = " and ".join(f"{share / total * WHOLE:.4g}" for share in shares.values())
        found.warn(way, f"the shares add up to {total}, not to {WHOLE}; they are taken as {taken}: write them so", at_key=True)


def check_send(step: Send, way: Way, found: Findings) -> None:
    """Check how a send's options go together."""
    if step.to == BEST_TIME:
        found.add((*way, "to"), NOT_YET + "`best_time` needs the send-time model; leave `to` out for now")
    if step.choose == "bandit":
        found.add((*way, "choose"), NOT_YET + "a bandit is understood but cannot be walked; write `choose: experiment` for now")
    if step.variants is None:
        for key, value in (("choose", step.choose), ("reward", step.reward), ("horizon", step.horizon)):
            if value is not None:
                found.add((*way, key), f"`{key}` without `variants` chooses nothing; add `variants` or leave it out", at_key=True)
    else:
        check_shares(step.variants, (*way, "variants"), found)
        if step.choose is None:
            found.add((*way, "variants"), "variants need `choose: experiment`", at_key=True)
    if step.horizon is not None:
        check_duration(step.horizon, (*way, "horizon"), found)


def check_reward(text: str, way: Way, sends: frozenset[str], found: Findings) -> None:
    """Check a reward such as `reminder.clicked within 48h`."""
    match = _REWARD.match(text)
    if match is None:
        found.add(way, f"{shown(text)} is not a reward; write what the send should bring and how soon, such as reminder.clicked within 48h")
        return
    send, kind, within = match.groups()
    if send not in sends:
        found.add(way, f"no send is called {shown(send)}{nearest(send, sends) or '; a reward names a send of this journey'}")
    if kind not in ENGAGEMENTS:
        found.add(way, f"{shown(kind)} is nothing a send can have done; it can be {listed(ENGAGEMENTS)}", offset=match.start(2))
    check_duration(within, way, found)
