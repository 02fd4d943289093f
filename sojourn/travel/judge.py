"""Judges the steps between two waits: scores, conditions, choices and splits, with a because for each.

Pure: what it needs of the outside are Facts, and a function that scores. It stops at the first step
that is not judged but done (send, set, enter) or waited for, and says where that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sojourn.language.conditions import Condition, Facts, parse
from sojourn.language.durations import parse_duration
from sojourn.language.model import Choose, If, Score, Split, WaitUntil
from sojourn.language.moments import next_local
from sojourn.language.outline import send_id
from sojourn.travel.program import Program
from sojourn.travel.state import Trail

Scorer = Callable[[str], tuple[float, str]]
"""Gives a model's score and its because."""

BUCKETS = 1_000_000


@dataclass(frozen=True)
class Judged:
    """What judging came to: the trail, the scores taken, and the step where it stopped."""

    trail: tuple[Trail, ...]
    scores: Mapping[str, float]
    cursor: str | None
    until: datetime | None = None


def judge(
    program: Program,
    cursor: str | None,
    facts: Facts,
    score: Scorer,
    *,
    subject: str,
    zone: ZoneInfo,
    segments: Mapping[str, Condition],
    because: bool = True,
) -> Judged:
    """Walk the pure steps from a cursor on.

    Args:
        program: the journey.
        cursor: where to begin.
        facts: of the person and the entry, at the present moment.
        score: asks a model.
        subject: whom a split's hash sticks to (the profile's id at entry).
        zone: the person's time zone, for `wait_until`.
        segments: every segment's condition by name.
        because: whether to say why a condition holds; it takes a little longer.
    """
    trail: list[Trail] = []
    scores = dict(facts.scores)
    until: datetime | None = None

    def ask(condition: str) -> tuple[bool, str]:
        parsed = parse(condition)
        if not because:
            return parsed.holds(facts, segments), ""
        answer = parsed.explain(facts, segments)
        return answer.holds, answer.sentence()

    def note(at: str, did: str, why: str, took: str | None = None) -> str | None:
        trail.append(Trail(cursor=at, did=did, because=why, took=took, at=facts.now))
        return program.into(at, took) if took else program.after(at)

    while cursor is not None and until is None:
        step = program.steps[cursor]
        match step:
            case Score():
                scores[step.score], why = score(step.score)
                facts = replace(facts, scores=scores)  # a score taken on the way is a fact of the steps after it
                cursor = note(cursor, f"{program.labels[cursor]} = {scores[step.score]:.2f}", why)
            case If():
                holds, why = ask(step.if_)
                word, took = ("yes", "then") if holds else ("no", "else")
                cursor = note(cursor, f"{program.labels[cursor]}: {word}", why, took)
            case Choose():
                for i, choice in enumerate(step.choose):
                    if choice.if_ is None:
                        cursor = note(cursor, "choose: otherwise", "no line before it held", f"c{i}")
                        break
                    holds, why = ask(choice.if_)
                    if holds:
                        cursor = note(cursor, f"choose: {choice.if_}", why, f"c{i}")
                        break
                else:
                    cursor = note(cursor, "choose: none", "no line held")
            case Split():
                arm = assign(subject, f"{program.journey.name}/{step.id or cursor}", step.split)
                cursor = note(cursor, f"{program.labels[cursor]}: {arm}", "by hash of the profile", arm)
            case WaitUntil():
                until = next_local(step.wait_until, facts.now, zone)
                if step.up_to is not None:
                    until = min(until, facts.now + parse_duration(step.up_to))
                cursor = note(cursor, program.labels[cursor], f"{until.astimezone(zone):%a %d %b %H:%M} {zone.key}")
            case _:
                break
    return Judged(tuple(trail), scores, cursor, until)


def assign(subject: str, experiment: str, shares: Mapping[str, int]) -> str:
    """Return the arm a subject falls into: sticky, by SHA-256, in proportion to the shares."""
    total = sum(shares.values())
    digest = hashlib.sha256(f"{len(subject)}:{subject}{experiment}".encode()).digest()
    place = int.from_bytes(digest[:8]) % (total * BUCKETS) / BUCKETS
    for arm, share in shares.items():
        place -= share
        if place < 0:
            return arm
    return list(shares)[-1]


def assignments(program: Program, subject: str) -> dict[str, str]:
    """Return the variant of every send of a journey that has several, by send id; fixed when an entry begins."""
    name = program.journey.name
    return {send_id(step): assign(subject, f"{name}/{send_id(step)}", step.variants) for _, step in program.sends() if step.variants}


def in_holdout(program: Program, subject: str) -> bool:
    """Tell whether a subject is among the share that walks the journey in shadow."""
    if program.journey.holdout is None:
        return False
    share = round(float(program.journey.holdout.rstrip("%")) * 100)
    return assign(subject, f"{program.journey.name}/holdout", {"out": share, "in": 10_000 - share}) == "out"
