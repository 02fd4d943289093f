"""What a message needs to know before it is rendered: conditions, what fills slots, items, and what other services say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sojourn.content import Answers, Contents, RenderFacts, answer, by_score
from sojourn.content.fetches import Fetched, Wanted
from sojourn.errors import SojournError
from sojourn.language.conditions import Condition, Facts
from sojourn.outbound import Outbound, Question
from sojourn.prediction import Models
from sojourn.prediction.recommending import Recommender

MAX_ROUNDS = 3  # of asking: what was judged may come to another content meanwhile


@dataclass(frozen=True)
class Heard:
    """What other services said, for one content."""

    content: str
    answers: Mapping[str, Fetched]


def answers_for(
    contents: Contents, content: str, facts: Facts, segments: Mapping[str, Condition], models: Models, recommender: Recommender
) -> Answers:
    """Return what a content asks about a person, answered: a score that was taken on the way stands."""

    def score(model: str) -> tuple[float, str]:
        if model in facts.scores:
            return facts.scores[model], "taken on the way"
        found = models.score(model, facts.profile, facts.history, facts.now, facts.calendar)
        return found.value, found.because

    def recommend(n: int) -> list[tuple[Mapping[str, object], str]]:
        return [(found.item.spoken_of(), found.because) for found in recommender.recommend(facts, n)]

    return answer(contents.asks(content), facts, segments, by_score(score), recommend)


@dataclass(frozen=True)
class Speaking:
    """What every message speaks of, and who answers what its content asks.

    Attributes:
        computed: the computed traits, by name.
        shop: the shop's facts, as plain data.
    """

    contents: Contents
    models: Models
    recommender: Recommender
    segments: Mapping[str, Condition]
    computed: Collection[str]
    shop: Mapping[str, Any]

    def facts_for(
        self, content: str, facts: Facts, traits: Mapping[str, Any], with_: Mapping[str, Any], locale: str | None, zone: str | None
    ) -> RenderFacts:
        """Return what a content may speak of to a person; its links, and what others say, are the caller's to add."""
        return RenderFacts(
            profile=self._spoken_of(content, traits, facts),
            event=facts.event.properties if facts.event else {},
            shop=self.shop,
            with_=with_,
            scores=facts.scores,
            answers=answers_for(self.contents, content, facts, self.segments, self.models, self.recommender),
            locale=locale,
            zone=zone,
            now=facts.now,
        )

    def _spoken_of(self, content: str, traits: Mapping[str, Any], facts: Facts) -> Mapping[str, Any]:
        """Return the traits that a content may speak of; of the computed ones only those it asks for, since each costs a query."""
        asked = self.contents.traits(content)
        computed = [name for name in self.computed if asked is None or name in asked]
        return {**traits, **{name: value for name in computed if (value := facts.profile.get(name)) is not None}}


async def hear(outbound: Outbound, asked: Sequence[tuple[str, Sequence[Wanted]]]) -> list[Heard]:
    """Ask other services what contents want to know, all at once; a failure is an answer too."""
    questions = [Question(each.url, each.seconds, each.kept_seconds) for _, wanted in asked for each in wanted if each.url is not None]
    came = iter(await outbound.get_all(questions))

    def fetched(want: Wanted) -> Fetched:
        if want.url is None:
            return Fetched(None, want.because)
        got = next(came)
        if isinstance(got, SojournError):
            return Fetched(None, str(got))
        return Fetched(got.value, got.because if got.value is not None else f"{got.because}, with nothing in it")

    return [Heard(content, {each.name: fetched(each) for each in wanted}) for content, wanted in asked]
