"""Makes a message as a journey would, and keeps where each of its facts came from. Nothing is written and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sojourn.content import Contents, Rendered, RenderFacts
from sojourn.content.translations import base
from sojourn.customers.computed import profile_facts
from sojourn.delivery.message import Message, UnsafeHeader, check_headers, feedback_id, to_bytes
from sojourn.errors import NotFound, RenderError
from sojourn.language.conditions import EventFact, Facts
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load
from sojourn.language.problems import listed, unknown
from sojourn.language.segments import conditions_of
from sojourn.language.shop import TRANSACTIONAL
from sojourn.prediction import Models
from sojourn.prediction.recommending import ByRules
from sojourn.preview.occasions import Occasion, occasion
from sojourn.preview.subjects import SAMPLE, Kind, Subject, of_persona
from sojourn.travel.asking import Speaking

PREVIEWS = UUID("6f0c2c5e-5f0b-5d2e-9d37-5a1f2f1f7a10")
DEAD_LINK = "https://unsubscribe.invalid/"


@dataclass(frozen=True)
class Case:
    """One way in which a content may come out.

    Attributes:
        language: None: as the subject's locale has it.
    """

    content: str
    subject: Subject
    variant: str | None = None
    language: str | None = None
    journey: str | None = None

    @property
    def slug(self) -> str:
        """What files call it; of a real person it says nothing."""
        whose = Kind.PERSON.value if self.subject.kind is Kind.PERSON else self.subject.name
        return "--".join(filter(None, (self.content, whose, self.variant, self.language)))


@dataclass(frozen=True)
class Made:
    """A message, or why there is none.

    Attributes:
        origins: by the root of a token, where its facts came from.
        problem: why it cannot be rendered, or would not be sent.
        header_problem: why its headers cannot be written.
        raw: as it would be posted, but for links of a real person.
        amp: its AMP part.
    """

    case: Case
    occasion: Occasion
    origins: Mapping[str, str] = field(default_factory=dict)
    rendered: Rendered | None = None
    mjml: str = ""
    message: Message | None = None
    raw: bytes = b""
    amp: str | None = None
    problem: str | None = None
    header_problem: str | None = None


class Workshop:
    """Everything that a message is made of."""

    def __init__(self, definitions: Definitions, contents: Contents, models: Models) -> None:
        self.definitions, self.contents, self.models = definitions, contents, models
        self.shop = definitions.shop
        self.shop_facts: dict[str, Any] = definitions.shop.model_dump(mode="json", by_alias=True)
        self._computed = definitions.profile.expressions
        segments = conditions_of(definitions.segments, definitions.profile.trees, definitions.calendar)
        recommender = ByRules(definitions.catalog, definitions.recommendations)
        self._speaking = Speaking(contents, models, recommender, segments, self._computed, self.shop_facts)

    @classmethod
    def load(cls, folder: Path) -> Workshop:
        """Return the workshop of a folder of definitions.

        Raises:
            DefinitionError: something in it is wrong.
        """
        return cls(load(folder), Contents.load(folder), Models.load(folder))

    def persona(self, name: str) -> Subject:
        """Return a persona.

        Raises:
            NotFound: there is none of this name.
        """
        personas = self.definitions.personas
        if name not in personas:
            none = f"there is no persona; write one into {self.definitions.folder}/personas/"
            raise NotFound(unknown("persona", name, personas) if personas else none)
        return of_persona(personas[name], self.shop.zone)

    def personas(self) -> list[Subject]:
        """Return every persona, by name."""
        return [self.persona(name) for name in sorted(self.definitions.personas)]

    def languages(self, content: str) -> list[str]:
        """Return the languages that a content speaks, its own first."""
        own = self.contents.source(content).front.language or str(self.shop_facts.get("locale") or "en")
        return [base(own), *sorted(self.contents.library.languages(content))]

    def check(self, content: str, variant: str | None, language: str | None) -> None:
        """Refuse a variant or a language that a content does not have.

        Raises:
            NotFound: it has none such, or there is no such content.
        """
        variants = self.contents.variants(content)
        if variant is not None and variant not in variants:
            there = unknown("variant", variant, variants) if variants else f"{content} has no variants"
            raise NotFound(there)
        known = self.languages(content)
        if language is not None and language not in known and base(language) not in known:
            raise NotFound(f"{content} is not translated into {language}; it speaks {listed(known)}")

    def cases(self, content: str, subject: Subject, *, every_language: bool = True) -> Iterator[Case]:
        """Give each way in which a content may come out for a subject: its variants, each in its languages.

        Args:
            content: the content's name.
            subject: for whom.
            every_language: False has it in the subject's own language only.
        """
        spoken = base(subject.locale or str(self.shop_facts.get("locale") or "en"))
        languages = self.languages(content) if every_language else []
        own = spoken if spoken in languages else next(iter(languages), None)
        variants: list[str | None] = [*sorted(self.contents.variants(content))]
        for variant in variants or [None]:
            yield Case(content, subject, variant)
            for language in languages:
                if language != own:
                    yield Case(content, subject, variant, language)

    def make(self, case: Case) -> Made:
        """Return a message as a journey would make it, with dead links in the place of those that unsubscribe or confirm.

        Raises:
            NotFound: there is no such content, variant, language or journey.
        """
        self.check(case.content, case.variant, case.language)
        place = occasion(self.definitions, case.content, case.journey)
        made = Made(case, place)
        try:
            facts, origins = self._facts(case, place)
            rendered = self.contents.render(case.content, facts, case.variant)
            made = replace(made, origins=origins, amp=rendered.amp, mjml=self.contents.mjml(case.content, facts, case.variant))
        except RenderError as error:
            return replace(made, problem=str(error))
        message = self.message(case, place, rendered)
        try:
            raw = to_bytes(message)
        except UnsafeHeader as error:
            return replace(made, rendered=rendered, message=message, header_problem=check_headers(message) or str(error))
        return replace(made, rendered=rendered, message=message, raw=raw)

    def message(self, case: Case, place: Occasion, rendered: Rendered) -> Message:
        """Return the message with the headers that a journey gives it."""
        headers = {"Feedback-ID": feedback_id(place.send_id, place.journey or "preview", place.purpose)}
        if place.purpose != TRANSACTIONAL:
            headers |= {"List-Unsubscribe": f"<{DEAD_LINK}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        return Message(
            key=str(uuid5(PREVIEWS, case.slug)), to_address=case.subject.address, to_name=case.subject.called,
            from_address=self.shop.sender.address, from_name=self.shop.sender.name, subject=rendered.subject,
            html=rendered.html, text=rendered.text, date=case.subject.now, headers=headers, amp=rendered.amp,
        )  # fmt: skip

    def _facts(self, case: Case, place: Occasion) -> tuple[RenderFacts, dict[str, str]]:
        subject, sample = case.subject, self.contents.sample(case.content, self.shop_facts)
        origins = {"shop": "shop.yaml", "link": "a dead link, for a preview", "variant": f"{case.content}.mjml", "fallback": "a fallback"}
        if subject is SAMPLE:
            given = "`sample` of the content"
            origins |= dict.fromkeys(("profile", "event", "with", "score"), given)
            return replace(sample, locale=case.language, zone=self.shop.zone), origins
        name, properties, origins["event"] = self._event(subject, place, sample)
        calendar = self.definitions.calendar.of(subject.zone)
        facts = Facts(
            calendar=calendar, now=subject.now,
            event=EventFact(name, subject.now, properties), scores=subject.scores, history=subject.history,
            profile=profile_facts(subject.traits, self._computed, subject.history, subject.now, calendar),
            segments=subject.segments, listed=subject.listed,
        )  # fmt: skip
        with_ = place.with_ or (sample.with_ if place.journey is None else {})
        origins["with"] = place.told() if place.with_ or place.journey is not None else "`sample` of the content"
        origins["profile"], origins["score"] = subject.told(), subject.told()
        origins |= {f"profile.{name}": f"computed from what is known of {subject.told()}" for name in self._computed}
        spoken = self._speaking.facts_for(case.content, facts, subject.traits, with_, case.language or subject.locale, subject.zone)
        return replace(spoken, fetched=sample.fetched, live_url=sample.live_url), origins

    def _event(self, subject: Subject, place: Occasion, sample: RenderFacts) -> tuple[str, Mapping[str, Any], str]:
        """Return the event that brings the message about: its name, its properties, and where they came from."""
        name = place.trigger or "Preview"
        if subject.event is not None:
            return name, subject.event, subject.told()
        past = subject.history.events(name, None, subject.now)
        if past:
            return name, past[-1].properties, f"the latest {name} of {subject.told()}, {past[-1].time:%Y-%m-%d %H:%M} UTC"
        return name, sample.event, f"`sample` of the content, since {subject.told()} has no {name}"
