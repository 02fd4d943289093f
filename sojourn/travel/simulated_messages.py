"""What the gate and a content's sections would make of a made-up person's message: the live rules, over facts in hand.

Of the gate there are topics, caps, quiet hours and `send_between`. Everyone has agreed and can be reached; there are no
other journeys, so none goes first and none counts against a cap; no brake is on, and nobody is in a holdout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from sojourn.content import Contents, answer, by_score
from sojourn.content.answers import Filled
from sojourn.delivery.facts import jitter
from sojourn.delivery.gate import CapUse, ConsentFact, GateFacts, TopicFact, Verdict, judge
from sojourn.delivery.rules import Cap, GateRules, rules_of
from sojourn.language.conditions import Condition, Facts
from sojourn.language.model import Journey, Send
from sojourn.language.shop import ShopSettings
from sojourn.prediction import Models

LEFT_OUT = "consent, suppression, holdouts, brakes and other journeys' messages"
AGREED = ConsentFact("made up", True)
_WHAT_STANDS_THERE = "what stands there"


@dataclass(frozen=True)
class Got:
    """A message that someone got."""

    at: datetime
    topic: str | None


@dataclass
class Post:
    """What one person got and wants; it grows as they walk.

    Attributes:
        topics: what they chose: topic and whether they want it.
        got: their messages, oldest first.
        made: when each message that waits was made, by its cursor.
        unsent: contents that were not sent, each with the check that said no.
        held: contents that waited, each with the check that held it.
        shown: content, section or slot, and what came of it, of each message.
    """

    topics: Mapping[str, bool] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    made: dict[str, datetime] = field(default_factory=dict)
    unsent: list[tuple[str, str]] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    shown: list[tuple[str, str, str]] = field(default_factory=list)


class SimulatedMessages:
    """Judges messages of one journey.

    Args:
        shop: its settings.
        journey: whose messages.
        segments: every segment's condition.
        contents: whose sections are chosen; None: sections are left out.
        models: which choose what fills a slot.
    """

    def __init__(
        self, shop: ShopSettings, journey: Journey, segments: Mapping[str, Condition], contents: Contents | None, models: Models
    ) -> None:
        self._shop, self._journey = shop, journey
        self._segments, self._contents, self._models = segments, contents, models
        self._rules: dict[str | None, GateRules] = {}

    def judge(self, post: Post, step: Send, cursor: str, subject: str, zone: ZoneInfo, now: datetime) -> Verdict:
        """Return what the gate says of a message, and note it.

        Args:
            post: of the person.
            step: the send.
            cursor: where it stands.
            subject: who the person is.
            zone: theirs.
            now: the moment.
        """
        about = step.topic or self._journey.topic
        rules = self._rules.get(about) or self._rules.setdefault(about, rules_of(self._shop, self._journey, "", step.topic))
        caps = [cap for cap in rules.caps if cap.concerns(self._journey.purpose, about, self._journey.name)]
        facts = GateFacts(
            now=now,
            purpose=self._journey.purpose,
            zone=zone,
            consent=AGREED,
            topic=self._topic(rules, post),
            caps=[self._use(cap, post, zone, now) for cap in caps],
            hours=rules.hours,
            planned=post.made.setdefault(cursor, now),
            jitter=jitter(f"{subject}:{cursor}", rules.release_over),
        )
        verdict = judge(facts)
        check = verdict.reason.partition(":")[0]
        if verdict.allowed:
            post.got.append(Got(now, about))
        else:
            (post.unsent if verdict.until is None else post.held).append((step.send, check))
        return verdict

    def show(self, post: Post, content: str, facts: Facts) -> None:
        """Note which sections of a content are shown to someone, and what fills its slots.

        Args:
            post: of the person.
            content: its name.
            facts: of the person at the moment of sending.
        """
        asks = self._contents.asks(content) if self._contents is not None else None
        if asks is None or not (asks.conditions or asks.slots):
            return

        def score(model: str) -> tuple[float, str]:
            if model in facts.scores:
                return facts.scores[model], ""
            found = self._models.score(model, facts.profile, facts.history, facts.now, facts.calendar)
            return found.value, found.because

        answers = answer(asks, facts, self._segments, by_score(score))
        post.shown += [(content, f"section if {text}", "shown" if said.holds else "left out") for text, said in answers.conditions.items()]
        post.shown += [(content, f"slot {slot}", _line(filled)) for slot, filled in answers.slots.items()]

    @staticmethod
    def _topic(rules: GateRules, post: Post) -> TopicFact | None:
        if rules.topic is None:
            return None
        chosen = post.topics.get(rules.topic.name)
        return TopicFact(rules.topic.name, rules.topic.default if chosen is None else chosen, chosen is not None)

    def _use(self, cap: Cap, post: Post, zone: ZoneInfo, now: datetime) -> CapUse:
        since, (purpose, journey) = cap.since(now, zone), (self._journey.purpose, self._journey.name)
        counted = [got.at for got in reversed(post.got) if got.at > since and cap.concerns(purpose, got.topic, journey)]
        return CapUse(cap.most, cap.window, len(counted), cap.named, cap.frees(now, zone, counted), cap.hold_up_to)


def _line(filled: Filled) -> str:
    """Return which line of a slot fills it, in words: a file of a slot is called by its line and its place in it."""
    if filled.file is None:
        return _WHAT_STANDS_THERE
    line, place = map(int, PurePosixPath(filled.file).stem.split("."))
    return f"line {line + 1}" + (f", choice {place + 1}" if place else "") + (f": {filled.block}" if filled.block else "")


__all__ = ["LEFT_OUT", "Post", "SimulatedMessages"]
