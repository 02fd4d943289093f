"""The journeys that ship: every example passes, every branch is covered, every content is used and fits its sends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sojourn.content import Contents, RenderFacts
from sojourn.language.conditions import EventFact, Facts, parse
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load
from sojourn.language.model import Send
from sojourn.language.segments import conditions_of
from sojourn.prediction import Models
from sojourn.prediction.recommending import ByRules
from sojourn.travel.asking import answers_for
from sojourn.travel.examples import run_examples
from sojourn.travel.program import Program

FOLDER = Path(__file__).parents[3] / "journeys"


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return load(FOLDER)


def _sends(definitions: Definitions) -> list[Send]:
    return [step for journey in definitions.journeys.values() for step in Program(journey).steps.values() if isinstance(step, Send)]


@pytest.mark.parametrize("name", ["cart_abandonment", "onboarding", "reengagement"])
def test_every_example_passes_and_every_branch_is_covered(definitions: Definitions, name: str) -> None:
    models = Models.load(FOLDER)
    segments = {segment.name: parse(segment.members) for segment in definitions.segments.values()}

    def score(model: str, facts: Facts) -> tuple[float, str]:
        scored = models.score(model, facts.profile, facts.history, facts.now)
        return scored.value, scored.because

    ran, coverage = run_examples(Program(definitions.journeys[name]), segments, score, ZoneInfo(definitions.shop.zone))
    assert [(each.example, each.happened, each.trail) for each in ran if not each.passed] == []
    assert coverage.missed == []


def test_every_content_is_sent_by_some_journey_and_every_send_passes_what_it_needs(definitions: Definitions) -> None:
    contents = Contents.load(FOLDER)
    sends = _sends(definitions)
    assert {send.send for send in sends} == contents.names()
    for send in sends:
        needs = {token.removeprefix("with.") for token in contents.sources[send.send].front.needs if token.startswith("with.")}
        assert needs <= set(send.with_)
        assert set(send.variants or ()) <= contents.variants(send.send)


def test_every_send_renders_for_someone_of_whom_only_the_trigger_is_known(definitions: Definitions) -> None:
    contents = Contents.load(FOLDER)
    shop = definitions.shop.model_dump(mode="json")
    segments, models = conditions_of(definitions.segments), Models.load(FOLDER)
    recommender = ByRules(definitions.catalog, definitions.recommendations)
    now = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
    known = Facts(now=now, event=EventFact("Any", now, {"price": 40}))
    for send in _sends(definitions):
        answers = answers_for(contents, send.send, known, segments, models, recommender)
        for variant in (None, *(send.variants or ())):
            for locale, hello in ((None, "Hello there"), ("de-DE", "Hallo," if send.send == "cart_reminder" else "Hello there")):
                facts = RenderFacts(event={"price": 40}, shop=shop, with_=send.with_, answers=answers, locale=locale)
                rendered = contents.render(send.send, facts, variant)
                assert hello in rendered.text
                assert shop["postal_address"] in rendered.text
