"""What came of many simulated journeys, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sojourn.travel.program import Program, blocks, branch_name
from sojourn.travel.simulation import Person
from sojourn.travel.state import LEAVE, State


@dataclass
class Tally:
    """Counts over people.

    Attributes:
        people: how many walked.
        outcomes: how many ended so.
        contents: how often each content was sent.
        sends: how many people got so many messages.
        branches: how many took a branch, by step's cursor and branch's name; of leaving by `leave` and its number.
        unsent: how often a content was not sent, with the check that said no; so of those that waited.
        shown: of a content's section or slot, how often it was shown, or what filled it.
        days: days from entry to end, all people together.
    """

    people: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    contents: Counter[str] = field(default_factory=Counter)
    sends: Counter[int] = field(default_factory=Counter)
    branches: Counter[tuple[str, str]] = field(default_factory=Counter)
    unsent: Counter[tuple[str, str]] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    shown: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    days: float = 0.0

    def add(self, person: Person, state: State) -> None:
        """Count one walk."""
        self.people += 1
        self.outcomes[state.outcome or ""] += 1
        self.contents.update(person.sent)
        self.sends[len(person.sent)] += 1
        self.unsent.update(person.post.unsent)
        self.held.update(person.post.held)
        self.shown.update(person.post.shown)
        for line in state.trail:
            if line.took is not None:
                self.branches[line.cursor, line.took] += 1
        for arrived in state.arrived:
            left = next((handle for handle in arrived.meets if handle.startswith(LEAVE)), None)
            if left is not None:
                self.branches[LEAVE.rstrip("/"), left.removeprefix(LEAVE)] += 1
                break
        self.days += (state.trail[-1].at - state.entered_at).total_seconds() / 86_400

    def shares(self, program: Program) -> Iterator[tuple[str, list[tuple[str, int]]]]:
        """Return each step that branches, in words, with how many took each of its branches, by the branch's name."""
        if program.journey.leave:
            lines = [(f"{leave.on} as {leave.as_}", self.branches["leave", str(i)]) for i, leave in enumerate(program.journey.leave)]
            yield "leave, at any time", lines
        for cursor, step in program.steps.items():
            if blocks(step):
                yield program.labels[cursor], [(branch_name(step, block), self.branches[cursor, block]) for block in blocks(step)]
