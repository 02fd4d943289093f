"""What must hold within a journey beyond its shape."""

from __future__ import annotations

from sojourn.language.asked import Asked
from sojourn.language.examples import check_examples
from sojourn.language.finding import Finding, Findings, Known
from sojourn.language.flow import Before, Flow
from sojourn.language.model import Journey, Send
from sojourn.language.moments import Hours
from sojourn.language.outline import Way, calls, scores, sends, walk
from sojourn.language.problems import unknown
from sojourn.language.shop_checks import HOLD
from sojourn.language.words import check_duration, check_reward


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


def _check_topic(topic: str, way: Way, journey: Journey, known: Known, found: Findings) -> None:
    if known.topics is None:
        return
    if topic not in known.topics:
        found.add(way, unknown("topic", topic, known.topics) + " (topics stand in shop.yaml under `topics`)")
    elif known.topics[topic] != journey.purpose:
        found.add(way, f"topic `{topic}` is of the purpose `{known.topics[topic]}`, but this journey's is `{journey.purpose}`")
