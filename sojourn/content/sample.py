"""The facts of a content's own `sample`, by which it is checked and previewed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sojourn.content.answers import Answer, Answers, Asks, Filled, answer, by_score
from sojourn.content.calling import MAX_RECOMMENDED
from sojourn.content.facts import RenderFacts
from sojourn.content.fetches import Fetch, samples
from sojourn.content.slots import file_of
from sojourn.errors import RenderError
from sojourn.language.conditions import EventFact, Facts, parse

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)  # a Monday morning, as in the examples of journeys
ROOTS = ("profile", "event", "shop", "with", "score", "segment", "fetched")
ITEMS = tuple(
    {"id": f"sample-{i}", "name": f"Sample item {i}", "url": f"https://shop.example/sample-{i}", "price": 10.0 * i, "in_stock": True,
     "image_url": f"https://shop.example/sample-{i}.png", "category": "samples", "currency": "EUR"}
    for i in range(1, MAX_RECOMMENDED + 1)
)  # fmt: skip
_SHOP = {
    "name": "Sample Shop", "url": "https://shop.example", "currency": "EUR", "locale": "en", "zone": "UTC",
    "postal_address": "1 Sample Street, 10115 Berlin", "reply_to": "hello@shop.example",
    "sender": {"name": "Sample Shop", "address": "hello@shop.example"},
}  # fmt: skip


def sample_of(
    sample: Mapping[str, Any], asks: Asks, shop: Mapping[str, Any] | None = None, fetches: Mapping[str, Fetch] | None = None
) -> RenderFacts:
    """Return facts to render from.

    Args:
        sample: facts by dotted names, `segment.x` and `score.x` among them.
        asks: what the content asks; what the sample leaves open does not hold, and a score that it lacks is 0.
        shop: the shop's; default: a made-up one.
        fetches: what the content asks of other services: what the sample leaves open fell back.
    """
    found: dict[str, dict[str, Any]] = {root: {} for root in ROOTS}
    found["shop"] = dict(shop or _SHOP)
    for dotted, value in sample.items():
        root, _, rest = dotted.partition(".")
        *way, last = rest.split(".")
        place = found.setdefault(root, {})
        for part in way:
            place = place.setdefault(part, {})
        place[last] = value
    scores = {name: float(value) for name, value in found["score"].items()}
    lines = [line for slot in asks.slots.values() for line in slot]
    asked = [*asks.conditions, *(line.if_ for line in lines if line.if_ is not None)]
    named = {name for text in asked for name in parse(text).names.segments}
    segments = {**dict.fromkeys(named, False), **{name: bool(value) for name, value in found["segment"].items()}}
    event = EventFact("Sample", NOW, found["event"])
    facts = Facts(now=NOW, event=event, profile=found["profile"], scores=scores, segments=segments)
    try:
        answers = answer(asks, facts, {}, by_score(lambda model: (scores.get(model, 0.0), "")), _sample_items)
    except RenderError:
        answers = Answers()  # a condition that is not understood: the check says so at its place
    fetched = samples(fetches or {}, found["fetched"])
    return RenderFacts(found["profile"], found["event"], found["shop"], found["with"], scores, answers=answers, now=NOW, fetched=fetched)


def _sample_items(n: int) -> list[tuple[Mapping[str, Any], str]]:
    return [(item, "for the check") for item in ITEMS[:n]]


def everything(facts: RenderFacts, asks: Asks, languages: Sequence[str | None]) -> list[RenderFacts]:
    """Return the facts in each language, with each section held and not, and with each slot filled by each of what may fill it."""
    answered = facts.answers or Answers()
    made = [replace(facts, locale=language) for language in languages]
    for holds in (True, False):
        conditions = dict.fromkeys(asks.conditions, Answer(holds, "for the check"))
        made.append(replace(facts, answers=Answers(conditions, answered.slots, answered.recommended)))
    for slot, lines in asks.slots.items():
        fillings = [
            Filled(file_of(asks.content, slot, i, j), filling.block, "for the check")
            for i, line in enumerate(lines)
            for j, filling in enumerate(line.fillings())
        ]
        for filled in (*fillings, Filled(None, None, "for the check")):
            made.append(replace(facts, answers=replace(answered, slots={**answered.slots, slot: filled})))
    if asks.recommends:
        made += [replace(facts, answers=replace(answered, recommended=items)) for items in ((), (answered.recommended or ())[:1])]
    return made
