"""What must hold within a journey beyond its shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sojourn.language.asked import Asked
from sojourn.language.entering import never_open
from sojourn.language.examples import check_examples
from sojourn.language.finding import Finding, Findings, Known
from sojourn.language.flow import Before, Flow
from sojourn.language.model import Journey, Send
from sojourn.language.moments import Hours
from sojourn.language.outline import HEARD_AS, Way, calls, engagement, scores, sends, walk
from sojourn.language.problems import shown, unknown
from sojourn.language.shop import TRANSACTIONAL, ShopSettings
from sojourn.language.shop_checks import HOLD
from sojourn.language.words import check_duration, check_event_name, check_reward


def check_journey(journey: Journey, known: Known) -> list[Finding]:
    """Return all that is wrong with a journey.

    Args:
        journey: its model, from YAML or built in Python.
        known: names that exist beside it; those that are None are not checked.
    """
    found = Findings()
    names = frozenset(sends(journey))
    asked = Asked(known.segments, Before(names, frozenset(scores(journey)), frozenset(calls(journey))), found)
    _check_head(journey, known, found)
    _check_listened(journey, known, found)
    asked.head(journey)
    Flow(known, found, asked.step).check(journey)
    for way, step in walk(journey):
        if isinstance(step, Send) and step.reward is not None:
            check_reward(step.reward, (*way, "reward"), names, found)
        if isinstance(step, Send) and step.topic is not None:
            _check_topic(step.topic, (*way, "topic"), journey, known, found)
    check_examples(journey, known, found)
    return found.all


def _check_head(journey: Journey, known: Known, found: Findings) -> None:
    if known.purposes is not None and journey.purpose not in known.purposes:
        found.add(("purpose",), unknown("purpose", journey.purpose, known.purposes) + " (purposes stand in shop.yaml under `consent`)")
    if journey.enter.again_after is not None:
        check_duration(journey.enter.again_after, ("enter", "again_after"), found)
    if journey.goal is not None:
        check_duration(journey.goal.within, ("goal", "within"), found)
    if journey.holdout is not None and float(journey.holdout.rstrip("%")) == 0:
        found.add(("holdout",), "a holdout of nobody; write a share above 0%, or leave it out")
    if journey.topic is not None:
        _check_topic(journey.topic, ("topic",), journey, known, found)
    if journey.when_capped is not None and journey.when_capped.startswith(HOLD):
        check_duration(journey.when_capped.removeprefix(HOLD), ("when_capped",), found)
    if journey.send_between is not None:
        try:
            Hours.parse(journey.send_between)
        except ValueError as error:
            found.add(("send_between",), str(error))


def check_variants(journey: Journey, contents: Mapping[str, Collection[str]], found: Findings) -> None:
    """Find variants that a `send` divides people into and its content does not describe.

    Args:
        journey: its model.
        contents: the variants of each content; of one that is not in it nothing is said.
        found: takes what is wrong.
    """
    for way, step in walk(journey):
        if not isinstance(step, Send) or step.send not in contents:
            continue
        known = contents[step.send]
        for name in step.variants or ():
            if name not in known:
                found.add((*way, "variants", name), f"{unknown('variant', name, known)} (of the content `{step.send}`)", at_key=True)


def check_hours(journey: Journey, shop: ShopSettings) -> list[Finding]:
    """Return what is wrong with the hours of a journey beside the quiet ones of its shop."""
    found, quiet = Findings(), shop.quiet()
    if journey.send_between is None or quiet is None or journey.purpose == TRANSACTIONAL:
        return []
    if never_open(journey.send_between, quiet):
        text = f"{shown(journey.send_between)} lies wholly in the quiet hours of shop.yaml ({shop.quiet_hours})"
        found.add(("send_between",), f"{text}, so nothing is ever sent; move one of the two")
    return found.all


def _check_listened(journey: Journey, known: Known, found: Findings) -> None:
    declared = known.events or ()
    heads: list[tuple[str, Way]] = [(journey.enter.on, ("enter", "on"))]
    heads += [(leave.on, ("leave", i, "on")) for i, leave in enumerate(journey.leave)]
    heads += [(journey.goal.on, ("goal", "on"))] if journey.goal is not None else []
    for name, way in heads:
        engaged = engagement(name) if " " not in name else None
        if engaged is not None and name not in declared:
            event = f'`{HEARD_AS[engaged[1]]}` with `if: event.send_id == "{engaged[0]}"`'
            found.add(way, f"{shown(name)} can be waited for, but `{way[0]}` hears events only; write {event}")
        else:
            check_event_name(name, way, declared, found)


def _check_topic(topic: str, way: Way, journey: Journey, known: Known, found: Findings) -> None:
    if known.topics is None:
        return
    if topic not in known.topics:
        found.add(way, unknown("topic", topic, known.topics) + " (topics stand in shop.yaml under `topics`)")
    elif known.topics[topic] != journey.purpose:
        found.add(way, f"topic `{topic}` is of the purpose `{known.topics[topic]}`, but this journey's is `{journey.purpose}`")
