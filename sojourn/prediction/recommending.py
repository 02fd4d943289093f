"""Which items to show a person: a protocol that models can fill, and the rules that a team writes.

Pure and deterministic: the same history at the same moment gives the same items, each with its because.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sojourn.language.catalog_model import Catalog, Item, Match, RecommendationSettings
from sojourn.language.conditions import Facts
from sojourn.language.durations import format_duration, parse_duration

LONGEST = timedelta(days=3650)


@dataclass(frozen=True)
class Suggestion:
    """An item, and why it is shown."""

    item: Item
    because: str


class Recommender(Protocol):
    """Chooses items for a person."""

    def recommend(self, facts: Facts, n: int) -> tuple[Suggestion, ...]:
        """Return at most `n` items, best first; none that was just bought, none out of stock, none twice.

        Args:
            facts: of the person, at the moment that is asked about.
            n: how many at most.
        """
        ...


@dataclass(frozen=True)
class ByRules:
    """Recommends by the rules of `recommendations.yaml`, then from its best sellers.

    Args:
        catalog: what is sold.
        settings: the rules.
    """

    catalog: Catalog
    settings: RecommendationSettings

    def recommend(self, facts: Facts, n: int) -> tuple[Suggestion, ...]:
        """Return at most `n` items, best first."""
        bought = bought_when(facts, self.settings.on)
        fresh = facts.now - parse_duration(self.settings.not_again_for)
        closed = {item for item, when in bought.items() if when > fresh}
        found: dict[str, Suggestion] = {}
        for item, because in self._candidates(bought, facts.now):
            if len(found) >= n:
                break
            if item.id not in found and item.id not in closed and item.available:
                found[item.id] = Suggestion(item, because)
        return tuple(found.values())

    def _candidates(self, bought: Mapping[str, datetime], now: datetime) -> Iterator[tuple[Item, str]]:
        """Give what might be shown, best first: of the rules in their order, those met by the latest purchase; then best sellers."""
        items = self.catalog.items
        latest = sorted(((when, name) for name, when in bought.items() if name in items), reverse=True)
        for rule in self.settings.rules:
            since = now - parse_duration(rule.within)
            met = next(((when, name) for when, name in latest if when > since and rule.bought.means(items[name])), None)
            if met is None:
                continue
            because = f"bought {items[met[1]].name} {_ago(now - met[0])}; the rule for {rule.bought}"
            if isinstance(rule.then, Match):
                yield from ((item, because) for item in items.values() if rule.then.means(item))
            else:
                yield from ((items[name], because) for name in rule.then if name in items)
        yield from ((items[name], "a best seller") for name in self.settings.best_sellers if name in items)


def bought_when(facts: Facts, event: str) -> dict[str, datetime]:
    """Return what a person bought, by the item's id, and when it was last."""
    found: dict[str, datetime] = {}
    for told in facts.history.events(event, facts.now - LONGEST, facts.now):  # oldest first
        found.update(dict.fromkeys(items_of(told.properties), told.time))
    if facts.event is not None and facts.event.name == event:
        for name in items_of(facts.event.properties):
            found[name] = max(facts.event.time, found.get(name, facts.event.time))
    return found


def items_of(properties: Mapping[str, Any]) -> list[str]:
    """Return the ids of the items that an event names: in `products`, or itself."""
    products = properties.get("products")
    lines = [properties, *(products if isinstance(products, list | tuple) else [])]
    named = [line.get("product_id") for line in lines if isinstance(line, Mapping)]
    return [str(name) for name in named if isinstance(name, str | int) and not isinstance(name, bool)]


def _ago(time: timedelta) -> str:
    whole = timedelta(days=time.days) if time.days else timedelta(hours=time.seconds // 3600)
    return f"{format_duration(whole)} ago" if whole else "just now"
