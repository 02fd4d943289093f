"""Segments decided naively: all that is known of a person by a second, gone through from the beginning each time.

Written without the product's conditions, histories or windows: what it shares with them is the language's page only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DAY = 86_400.0

Rule = tuple[Any, ...]


def written(rule: Rule) -> str:
    """A rule as an author would write it."""
    match rule:
        case ("did", name, within):
            return f'did("{name}"{_within(within)})'
        case ("count", name, within, least):
            return f'count("{name}"{_within(within)}) >= {least}'
        case ("dear", name, within, least):
            return f'count("{name}"{_within(within)}, where="event.price >= 5") >= {least}'
        case ("sum", name, within, least):
            return f'sum("{name}", "price"{_within(within)}) >= {least}'
        case ("net", name, back, within, least):
            return f'sum("{name}", "price", minus="{back}"{_within(within)}) >= {least}'
        case ("kinds", name, within, least):
            return f'distinct("{name}", "price"{_within(within)}) >= {least}'
        case ("last_price", name, price):
            return f'last("{name}", "price") == {price}'
        case ("silent", name, seconds):
            return f'days_since(last("{name}")) >= {seconds} / {DAY}'
        case ("fresh", name, seconds):
            return f'days_since(first("{name}")) < {seconds} / {DAY}'
        case ("trait", value):
            return f'profile.plan == "{value}"'
        case ("in", segment):
            return f"segment.{segment}"
        case ("not", one):
            return f"not ({written(one)})"
        case ("and" | "or" as word, one, other):
            return f"({written(one)}) {word} ({written(other)})"
        case ("two of", *some):
            return f"at_least(2, {', '.join(f'({written(one)})' for one in some)})"
    raise AssertionError(rule)


def _within(seconds: int | None) -> str:
    return "" if seconds is None else f', within="{seconds}s"'


@dataclass
class Happened:
    at: int
    name: str
    price: int
    order: str


@dataclass
class Known:
    """All that is known of one person so far."""

    events: list[Happened] = field(default_factory=list)
    plan: tuple[int, str] | None = None  # since when, and which


def holds(rule: Rule, known: Known, second: int, rules: dict[str, Rule]) -> bool:
    """Whether a rule holds for a person at a second."""
    match rule:
        case ("did", name, within):
            return bool(_of(known, name, within, second))
        case ("count", name, within, least):
            return len(_of(known, name, within, second)) >= least
        case ("dear", name, within, least):
            return len([e for e in _of(known, name, within, second) if e.price >= 5]) >= least
        case ("sum", name, within, least):
            return sum(e.price for e in _of(known, name, within, second)) >= least
        case ("net", name, back, within, least):
            return sum(e.price for e in _of(known, name, within, second)) - sum(e.price for e in _of(known, back, within, second)) >= least
        case ("kinds", name, within, least):
            return len({e.price for e in _of(known, name, within, second)}) >= least
        case ("last_price", name, price):
            found = _of(known, name, None, second)
            return bool(found) and found[-1].price == price
        case ("silent", name, seconds):
            found = _of(known, name, None, second)
            return bool(found) and second - found[-1].at >= seconds
        case ("fresh", name, seconds):
            found = _of(known, name, None, second)
            return bool(found) and second - found[0].at < seconds
        case ("trait", value):
            return known.plan is not None and known.plan[1] == value
        case ("in", segment):
            return holds(rules[segment], known, second, rules)
        case ("not", one):
            return not holds(one, known, second, rules)
        case ("and", one, other):
            return holds(one, known, second, rules) and holds(other, known, second, rules)
        case ("or", one, other):
            return holds(one, known, second, rules) or holds(other, known, second, rules)
        case ("two of", *some):
            return sum(holds(one, known, second, rules) for one in some) >= 2
    raise AssertionError(rule)


def _of(known: Known, name: str, within: int | None, second: int) -> list[Happened]:
    found = [e for e in known.events if e.name == name and e.at <= second and (within is None or e.at > second - within)]
    return sorted(found, key=lambda e: (e.at, e.order))
