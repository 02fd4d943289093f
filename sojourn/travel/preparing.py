"""Reads what an advance needs and judges it, in a reading transaction: up to the one effect that is reached, a message made ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row

from sojourn.clock import Clock
from sojourn.content import Contents
from sojourn.customers.computed import profile_facts
from sojourn.customers.history import StoredHistory
from sojourn.customers.profiles import Person
from sojourn.customers.segments.lists import StoredLists
from sojourn.delivery import facts as gate_facts
from sojourn.delivery.freezing import Recipient, make
from sojourn.delivery.ledger import SendOrder, send_key
from sojourn.delivery.tokens import Links
from sojourn.errors import MissingFact, RenderError, Transient
from sojourn.language.conditions import EventFact, Facts
from sojourn.language.model import Send
from sojourn.language.moments import zone_named
from sojourn.language.outline import send_id
from sojourn.prediction import Models
from sojourn.prediction.recommending import Recommender
from sojourn.store.turns import give_way
from sojourn.travel import calling
from sojourn.travel.asking import Heard, Speaking
from sojourn.travel.judge import judge
from sojourn.travel.pages import Page, read_page
from sojourn.travel.prepared import Prepared
from sojourn.travel.program import EFFECTS, KINDS
from sojourn.travel.registry import Registry
from sojourn.travel.state import Advance, Progress


@dataclass(frozen=True)
class Preparing:
    """Prepares advances; see `StoredJourneys` for its parts."""

    registry: Registry
    contents: Contents
    models: Models
    clock: Clock
    links: Links
    workspace: UUID
    recommender: Recommender | None = None

    def prepare_all(self, connection: Connection, asks: Sequence[tuple[Advance, Heard | None]]) -> list[Prepared | Transient]:
        """Prepare advances, each with what other services answered where they were asked; what can only be tried again is said so."""
        page = read_page(connection, [ask for ask, _ in asks])
        found: list[Prepared | Transient] = []
        for ask, heard in asks:
            give_way(connection)
            try:
                prepared = self._prepare(connection, ask, heard, page)
            except Transient as error:
                found.append(error)
                continue
            if prepared.made is not None:
                prepared = replace(prepared, checked=gate_facts.check(prepared.made.dated(self.clock.now())))
            found.append(prepared)
        return found

    def _prepare(self, connection: Connection, ask: Advance, heard: Heard | None, page: Page) -> Prepared:
        entry, person = page.of(ask.entry_id)
        if page.waits:
            gate_facts.caught_up(connection, [person.id])
        definition = self.registry.get(connection, entry.version)
        facts = self._facts(connection, entry, person, ask.scores, page.engaged.get((entry.id, person.id), ()))
        if definition.program.keeps_answers():
            facts = replace(facts, calls=calling.answers_of(connection, entry.id))
        kept = page.decided.get((ask.entry_id, ask.cursor))
        if kept is not None:
            progress = Progress.model_validate(kept.answers)
        else:
            history = facts.history

            def score(model: str) -> tuple[float, str]:
                found = self.models.score(model, facts.profile, history, facts.now, facts.calendar)
                return found.value, found.because

            program, zone, segments = definition.program, self._zone(person), self.registry.segments
            judged = judge(program, ask.cursor, facts, score, subject=entry.subject or entry.profile_id, zone=zone, segments=segments)
            progress = Progress(trail=judged.trail, cursor=judged.cursor, until=judged.until, scores=dict(judged.scores))
        step = definition.program.steps[progress.cursor] if progress.cursor is not None and progress.until is None else None
        effect = step if isinstance(step, EFFECTS) else None
        prepared = Prepared(entry, definition, person, progress, effect, kept is None)
        return self._render(prepared, effect, facts, heard) if isinstance(effect, Send) else prepared

    def _facts(
        self, connection: Connection, entry: Row[Any], person: Person, scores: Mapping[str, float], with_sends: Iterable[tuple[str, str]]
    ) -> Facts:
        engaged: dict[str, frozenset[str]] = {}
        for send, name in with_sends:
            if name in KINDS:
                engaged[send] = engaged.get(send, frozenset()) | {KINDS[name]}
        trigger, now, history = entry.trigger, self.clock.now(), StoredHistory(connection, person.id)
        calendar = self.registry.calendar.of(person.zone)
        return Facts(
            now=now,
            event=EventFact(trigger["name"], datetime.fromisoformat(trigger["time"]), trigger["properties"]),
            profile=profile_facts(person.traits, self.registry.computed, history, now, calendar),
            calendar=calendar,
            scores=scores,
            engaged=engaged,
            history=history,
            listed=StoredLists(connection, person.id),
        )

    def _zone(self, person: Person) -> ZoneInfo:
        return zone_named(person.zone or self.registry.shop.zone)

    def _render(self, prepared: Prepared, step: Send, facts: Facts, heard: Heard | None) -> Prepared:
        entry, person, shop, cursor = prepared.entry, prepared.person, self.registry.shop, prepared.progress.cursor
        assert cursor is not None
        key = send_key(self.workspace, entry.id, cursor)
        variant = entry.variants.get(send_id(step))
        recipient = Recipient.of(person.traits, person.zone, person.locale)
        order = SendOrder(
            key=key,
            entry_id=entry.id,
            profile_id=person.id,
            journey=entry.journey,
            step=cursor,
            send_id=send_id(step),
            content=step.send,
            variant=variant,
            purpose=prepared.journey.purpose,
            topic=step.topic or prepared.journey.topic,
            priority=prepared.journey.priority,
            to_address=recipient.address,
            to_name=recipient.name,
            from_address=shop.sender.address,
            from_name=shop.sender.name,
        )
        facts = replace(facts, scores=prepared.progress.scores | dict(facts.scores))
        try:
            render_facts = replace(
                self._speaking().facts_for(step.send, facts, person.traits, step.with_, person.locale, person.zone),
                unsubscribe_url=self.links.unsubscribe(key),
                preferences_url=self.links.preferences(key),
                confirm_url=self.links.confirm(key),
                fetched=heard.answers if heard is not None and heard.content == step.send else None,
                live_url=partial(self.links.live, key),
            )
            if render_facts.fetched is None and (wanted := self.contents.wanted(step.send, render_facts)):
                return replace(prepared, order=order, wanted=wanted)
            rendered = self.contents.render(step.send, render_facts, variant)
        except MissingFact as error:  # the content itself says not to send
            return replace(prepared, order=order, problem=str(error))
        except RenderError as error:
            return replace(prepared, order=order, problem=f"cannot be rendered: {error}")
        return replace(prepared, order=order, made=replace(make(order, rendered, self.links), recipient=recipient))

    def _speaking(self) -> Speaking:
        known = self.registry
        return Speaking(self.contents, self.models, self.recommender or known.recommender, known.segments, known.computed, known.shop_facts)
