"""Conditions: one grammar, one parser, one checked tree, asked by closure or by SQL.

What `==`, missing values and windows mean is defined in `values.py`.
"""

from sojourn.language.conditions.calendar import UTC_CALENDAR, Calendar
from sojourn.language.conditions.condition import Condition, listed, of_tree, parse, segment_cycle
from sojourn.language.conditions.explain import Explanation, Leaf
from sojourn.language.conditions.facts import EventFact, Facts, History, ListHistory, NoHistory
from sojourn.language.conditions.grammar import ConditionError
from sojourn.language.conditions.names import Names

__all__ = [
    "UTC_CALENDAR", "Calendar", "Condition", "ConditionError", "EventFact", "Explanation", "Facts", "History", "Leaf", "ListHistory",
    "Names", "NoHistory", "listed", "of_tree", "parse", "segment_cycle",
]  # fmt: skip
