"""What must hold within a shop.yaml beyond its shape."""

from __future__ import annotations

from collections.abc import Collection

from sojourn.language.finding import Finding, Findings
from sojourn.language.problems import unknown
from sojourn.language.shop import TRANSACTIONAL, ShopSettings
from sojourn.language.words import check_duration

HOLD = "hold up to "


def check_shop(shop: ShopSettings, journeys: Collection[str] | None = None) -> list[Finding]:
    """Return all that is wrong with a shop's settings.

    Args:
        shop: its model.
        journeys: those that exist; None where they are not known and so not checked.
    """
    found = Findings()
    for name, topic in shop.topics.items():
        if topic.purpose == TRANSACTIONAL:
            found.add(("topics", name, "purpose"), "nobody can opt out of transactional messages; give the topic another purpose")
        elif topic.purpose not in shop.consent:
            found.add(("topics", name, "purpose"), unknown("purpose", topic.purpose, shop.consent) + " (purposes stand under `consent`)")
    for i, cap in enumerate(shop.caps):
        way = ("caps", i)
        if cap.purpose == TRANSACTIONAL:
            found.add((*way, "purpose"), "transactional messages are exempt from caps")
        elif cap.purpose is not None and cap.purpose not in shop.consent:
            found.add((*way, "purpose"), unknown("purpose", cap.purpose, shop.consent) + " (purposes stand under `consent`)")
        if cap.topic is not None and cap.topic not in shop.topics:
            found.add((*way, "topic"), unknown("topic", cap.topic, shop.topics) + " (topics stand under `topics`)")
        if cap.journey is not None and journeys is not None and cap.journey not in journeys:
            found.add((*way, "journey"), unknown("journey", cap.journey, journeys))
        if cap.when_capped.startswith(HOLD):
            check_duration(cap.when_capped.removeprefix(HOLD), (*way, "when_capped"), found)
    return found.all
