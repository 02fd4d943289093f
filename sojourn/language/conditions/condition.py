"""A condition: parsed once, asked by closure or by SQL, and explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import ColumnElement

from sojourn.language.conditions.calendar import UTC_CALENDAR, Calendar
from sojourn.language.conditions.closures import Test, compile_test
from sojourn.language.conditions.explain import Explainer, Explanation, compile_explainer, explanation
from sojourn.language.conditions.facts import EventFact, Facts
from sojourn.language.conditions.names import Names, names_of
from sojourn.language.conditions.parser import parse_tree
from sojourn.language.conditions.sql import to_sql
from sojourn.language.conditions.sqlshared import SharedQuestions
from sojourn.language.conditions.sqlturn import to_sql_turn
from sojourn.language.conditions.tree import Listed, Node
from sojourn.language.conditions.turning import Turn, compile_turn

_NONE: Mapping[str, Condition] = {}
_NO_SCORES: Mapping[str, float] = {}
_NOT_ENGAGED: Mapping[str, frozenset[str]] = {}
LOOKAHEAD = 8  # turns that are tried before one is taken that may turn nothing


@dataclass(frozen=True, eq=False)
class Condition:
    """A condition whose every word is understood; made by `parse`.

    Attributes:
        text: as the author wrote it.
        tree: the checked tree.
        names: what it refers to.
        explainer: explains it; `explain` is how to ask.
        turn: gives its next turn; None where time alone changes nothing. `changes_at` is how to ask.
        calendar: how moments are read where it is asked in SQL; a person's own zone counts before its zone. Facts bring their own.
    """

    text: str
    tree: Node = field(repr=False)
    names: Names = field(repr=False)
    explainer: Explainer = field(repr=False)
    turn: Turn | None = field(repr=False)
    _test: Test = field(repr=False)
    calendar: Calendar = field(default=UTC_CALENDAR, repr=False)

    def by(self, calendar: Calendar) -> Condition:
        """Return the same condition with another calendar."""
        return replace(self, calendar=calendar)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.tree == self.tree

    def __hash__(self) -> int:
        return hash(self.text)

    def holds(self, facts: Facts, segments: Mapping[str, Condition] = _NONE) -> bool:
        """Tell whether it holds for facts in hand.

        Args:
            facts: one profile at one moment.
            segments: the conditions of segments; asked where the facts do not say who is a member.

        Raises:
            ConditionError: it names a segment that neither knows, or that is part of its own definition.
        """
        return self._test(facts.event, facts, segments)

    def explain(self, facts: Facts, segments: Mapping[str, Condition] = _NONE) -> Explanation:
        """Return why it holds or does not, each leaf with its value."""
        return explanation(self.explainer, facts, segments)

    def changes_at(self, facts: Facts, segments: Mapping[str, Condition] = _NONE, holds: bool | None = None) -> datetime | None:
        """Return the earliest moment after the facts' now at which it may come out otherwise, if nothing else happens.

        Never later than it does; earlier only where many turns in a row turn nothing. None where it stays as it is.

        Args:
            facts: one profile at one moment.
            segments: the conditions of segments.
            holds: whether it holds at that moment, where that is known already.
        """
        if self.turn is None:
            return None
        moment = self.turn(facts.event, facts, segments)
        if moment is None:
            return None
        if holds is None:
            holds = self._test(facts.event, facts, segments)
        for _ in range(LOOKAHEAD):
            facts = facts.at(moment)
            if self._test(facts.event, facts, segments) is not holds:
                return moment
            following = self.turn(facts.event, facts, segments)
            if following is None:
                return None
            moment = following
        return moment

    def sql(
        self,
        now: datetime,
        segments: Mapping[str, Condition] = _NONE,
        event: EventFact | None = None,
        scores: Mapping[str, float] = _NO_SCORES,
        engaged: Mapping[str, frozenset[str]] = _NOT_ENGAGED,
        shared: SharedQuestions | None = None,
    ) -> ColumnElement[bool]:
        """Return it as SQL about `profiles`: true or false, never NULL; the same answer as `holds`.

        `select(profiles.c.id).where(condition.sql(now), profiles.c.merged_into.is_(None))` sweeps over all.

        Args:
            now: the moment that windows are relative to.
            segments: the conditions of segments; they are expanded in place.
            event: the event under test.
            scores: scores taken earlier in the entry.
            engaged: per send id, what happened to it.
            shared: takes what it asks of the past, to be asked once for all conditions of a query.

        Raises:
            ConditionError: it names a segment that is not given, or that is part of its own definition.
        """
        facts = Facts(now=now, event=event, scores=scores, engaged=engaged, calendar=self.calendar)
        return to_sql(self.tree, facts, segments, shared)

    def sql_turn(
        self, now: datetime, segments: Mapping[str, Condition] = _NONE, shared: SharedQuestions | None = None
    ) -> ColumnElement[int] | None:
        """Return, as SQL about `profiles`, a moment not after its next turn, in microseconds since 1970; `NEVER` where none comes.

        None where time alone never changes it. For a segment's condition: it knows neither an event nor an entry.
        """
        return None if self.turn is None else to_sql_turn(self.tree, Facts(now=now, calendar=self.calendar), segments, shared)


@lru_cache(maxsize=4096)
def parse(text: str) -> Condition:
    """Return the condition that a text says.

    Raises:
        ConditionError: it says none; with the offset of what is wrong and a hint.
    """
    node = parse_tree(text)
    return of_tree(node, text)


def of_tree(node: Node, text: str) -> Condition:
    """Return the condition that a checked tree is, under a text."""
    return Condition(text, node, names_of(node), compile_explainer(node), compile_turn(node), compile_test(node))


def listed(name: str) -> Condition:
    """Return the condition of a segment that is a kept list."""
    return of_tree(Listed(name), f"on the list {name}")


def segment_cycle(segments: Mapping[str, Condition]) -> tuple[str, ...] | None:
    """Return segments that are part of their own definition, as a path from the first back to itself; None where none is."""
    clear: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
        if name in path:
            return (*path[path.index(name) :], name)
        if name in clear or name not in segments:
            return None
        for other in sorted(segments[name].names.segments):
            found = visit(other, (*path, name))
            if found:
                return found
        clear.add(name)
        return None

    return next((found for name in segments if (found := visit(name, ()))), None)
