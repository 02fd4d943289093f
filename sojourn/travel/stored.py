"""Advances an entry by the store's facts: reads the person, judges, and makes the one effect that was reached.

The road of a send: facts, judgement and rendering in a reading transaction; the decisions, the frozen
message and the gate's claim in one writing transaction; the provider outside any; what came of it in
a last one. What was judged once stays judged: a later attempt finds it in `decisions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, bindparam, select

from sojourn.clock import Clock, real_now
from sojourn.content import Contents
from sojourn.customers import profiles
from sojourn.customers.computed import profile_facts
from sojourn.customers.history import StoredHistory
from sojourn.customers.profiles import Person
from sojourn.customers.segments import due
from sojourn.customers.segments.lists import StoredLists
from sojourn.delivery import facts as gate_facts
from sojourn.delivery import ledger, sending
from sojourn.delivery.engagement import Emit, Engagement
from sojourn.delivery.freezing import freeze, make
from sojourn.delivery.ledger import SendOrder, send_key
from sojourn.delivery.outcomes import ClaimResult, Held, Outcome
from sojourn.delivery.providers import Provider
from sojourn.delivery.routing import Routing
from sojourn.delivery.rules import GateRules, rules_of
from sojourn.delivery.sending_many import Asked, deliver_all
from sojourn.delivery.tokens import Links
from sojourn.errors import MissingFact, RenderError, Transient, Unanswered
from sojourn.language.conditions import EventFact, Facts
from sojourn.language.model import Call, Enter, Send, Set, Step
from sojourn.language.moments import zone_named
from sojourn.language.outline import send_id
from sojourn.outbound import NoWeb, Outbound
from sojourn.prediction import Models
from sojourn.prediction.recommending import Recommender
from sojourn.store.bulk import insert_new
from sojourn.store.database import Database
from sojourn.store.tables import decisions, entries
from sojourn.store.turns import give_way
from sojourn.travel import calling
from sojourn.travel.asking import MAX_ROUNDS, Heard, Speaking, hear
from sojourn.travel.judge import judge
from sojourn.travel.listening import ENTER_REQUESTED
from sojourn.travel.pages import Page, read_page
from sojourn.travel.prepared import Prepared, because_of, content_of, went
from sojourn.travel.program import EFFECTS, FAILED, KINDS
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.state import Advance, Progress, Trail

# Statements are built once: building one costs more than SQLite takes to answer it.
_ENTRY = select(entries).where(entries.c.id == bindparam("entry"))


@dataclass(frozen=True)
class StoredJourneys:
    """Advances entries by the store's facts.

    Args:
        store: the database.
        registry: the definitions.
        contents: what messages say.
        models: who gives scores.
        provider: who carries messages away, or who chooses one.
        clock: the shop's.
        links: makes the addresses that lead back to us.
        workspace: whose send keys these are.
        secret: the key of the suppression list.
        emit: appends an event to the log.
        outbound: asks other services.
        call_key: SOJOURN_CALL_KEY, by which calls are signed.
        recommender: chooses items; None: the rules of recommendations.yaml.
    """

    store: Database
    registry: Registry
    contents: Contents
    models: Models
    provider: Provider | Routing
    clock: Clock
    links: Links
    workspace: UUID
    secret: str
    emit: Emit
    outbound: Outbound = field(default_factory=NoWeb)
    call_key: str = ""
    recommender: Recommender | None = None

    async def advance(self, ask: Advance) -> Progress:
        """Judge the steps from a cursor on, up to the next wait or end, making at most one effect.

        Raises:
            NotCaughtUp: events of this person wait to be routed; ask again at once.
            ProviderBusy: nothing was accepted; ask again later.
            ProviderUnclear: ask again; the provider's key makes it safe.
            Unanswered: another service did not answer a call; ask again later.
        """
        prepared = await self.store.read(self._prepare, ask)
        for _ in range(MAX_ROUNDS):
            if not prepared.wanted:
                break
            [heard] = await hear(self.outbound, [(content_of(prepared), prepared.wanted)])
            prepared = await self.store.read(self._prepare, ask, heard)
        if prepared.wanted:
            raise Unanswered("what is sent changed while other services were asked for it")
        if isinstance(prepared.effect, Send):
            return await self._send(ask, prepared)
        if isinstance(prepared.effect, Call):
            return await self._call(ask, prepared, prepared.effect)
        if prepared.effect is not None:
            return await self.store.write(self._act, ask, prepared)
        if prepared.judged and prepared.progress.trail:
            await self.store.write(self._keep, ask, prepared)
        return prepared.progress

    async def send_all(
        self, asks: Sequence[Advance], at_once: int, first: Callable[[Connection], object] = lambda _: None
    ) -> list[Progress | Transient]:
        """Advance entries that each go to a send next, together; what can only be tried again is said in the entry's place.

        Args:
            asks: as of `advance`.
            at_once: how many messages are posted at once.
            first: runs first in the transaction of their claims; what it raises stops them all.
        """
        found = await self.store.read(self._prepare_all, asks)
        asking = [place for place, each in enumerate(found) if isinstance(each, Prepared) and each.wanted]
        if asking:
            wanted = [(content_of(each), each.wanted) for place in asking if isinstance(each := found[place], Prepared)]
            heard = dict(zip(asking, await hear(self.outbound, wanted), strict=True))
            again = await self.store.read(lambda connection: {i: self._prepare_one(connection, asks[i], told) for i, told in heard.items()})
            found = [again.get(place, each) for place, each in enumerate(found)]
        asked: dict[int, Asked] = {}
        judged: dict[str, tuple[Advance, Prepared]] = {}
        for place, each in enumerate(found):
            if isinstance(each, Prepared) and each.made is not None:
                asked[place] = Asked(each.made, self._rules(each.definition, each.effect), each.checked)
                judged[each.made.order.key] = (asks[place], each)

        def keep(connection: Connection, keys: Sequence[str]) -> None:
            first(connection)
            insert_new(connection, decisions, [row for key in keys for row in self._decided(*judged[key])])

        to_send = list(asked.values())
        outcomes = await deliver_all(self.store, self.provider, to_send, self.clock, keep=keep, emit=self.emit, at_once=at_once)
        came = dict(zip(asked, outcomes, strict=True))
        told: list[Progress | Transient] = []
        for place, (ask, each) in enumerate(zip(asks, found, strict=True)):
            outcome = came.get(place)
            if isinstance(each, Transient):
                told.append(each)
            elif outcome is None:
                told.append(await self.advance(ask))
            else:
                told.append(outcome if isinstance(outcome, Transient) else self._sent(each, outcome))
        return told

    def _prepare_all(self, connection: Connection, asks: Sequence[Advance]) -> list[Prepared | Transient]:
        page = read_page(connection, asks)
        found = []
        for ask in asks:
            give_way(connection)
            found.append(self._prepare_one(connection, ask, page=page))
        return found

    def _prepare_one(
        self, connection: Connection, ask: Advance, heard: Heard | None = None, page: Page | None = None
    ) -> Prepared | Transient:
        try:
            prepared = self._prepare(connection, ask, heard, page)
        except Transient as error:
            return error
        return prepared if prepared.made is None else replace(prepared, checked=gate_facts.check(prepared.made.dated(self.clock.now())))

    async def send_again(self, key: str, prepare: Callable[[Connection], object] | None = None) -> object:
        """Carry a send that was planned before through the gate once more, under the rules of its journey's version.

        Args:
            key: the send's key.
            prepare: runs first in the claim's transaction.

        Raises:
            NotCaughtUp: events of this person wait to be routed.
            ProviderBusy: nothing was accepted.
            ProviderUnclear: the answer was lost.
        """

        def rules(connection: Connection) -> GateRules:
            send = ledger.look(connection, key)
            definition = self.registry.get(connection, connection.execute(_ENTRY, {"entry": send.entry_id}).one().version)
            return self._rules(definition, definition.program.steps[send.step])

        found = await self.store.read(rules)
        return await sending.deliver(self.store, self.provider, key, self.clock, found, emit=self.emit, prepare=prepare)

    # -- reading ---------------------------------------------------------------------------------

    def _prepare(self, connection: Connection, ask: Advance, heard: Heard | None = None, page: Page | None = None) -> Prepared:
        page = page or read_page(connection, [ask])
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
                found = self.models.score(model, facts.profile, history, facts.now)
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
        return Facts(
            now=now,
            event=EventFact(trigger["name"], datetime.fromisoformat(trigger["time"]), trigger["properties"]),
            profile=profile_facts(person.traits, self.registry.computed, history, now),
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
        first_name = person.traits.get("first_name")
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
            to_address=str(person.traits.get("email") or ""),
            to_name=first_name if isinstance(first_name, str) else None,
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
        return replace(prepared, order=order, made=make(order, rendered, self.links))

    def _speaking(self) -> Speaking:
        known = self.registry
        return Speaking(self.contents, self.models, self.recommender or known.recommender, known.segments, known.computed, known.shop_facts)

    # -- acting ----------------------------------------------------------------------------------

    async def _send(self, ask: Advance, prepared: Prepared) -> Progress:
        assert prepared.order is not None
        if prepared.made is None:
            await self.store.write(self._unsendable, ask, prepared)
            return self._unsent(prepared)
        rules, plan = self._rules(prepared.definition, prepared.effect), partial(self._plan, ask, prepared)
        outcome = await sending.deliver(self.store, self.provider, prepared.order.key, self.clock, rules, emit=self.emit, prepare=plan)
        return self._sent(prepared, outcome)

    def _rules(self, definition: Definition, step: Step | None) -> GateRules:
        topic, known = step.topic if isinstance(step, Send) else None, self.registry.gate_rules
        key = (definition.version, topic)
        if key not in known:
            known[key] = rules_of(self.registry.shop, definition.journey, self.secret, topic, self.registry.priorities)
        return known[key]

    def _plan(self, ask: Advance, prepared: Prepared, connection: Connection) -> None:
        assert prepared.made is not None
        self._keep(connection, ask, prepared)
        freeze(connection, prepared.made, self.clock.now())

    def _unsent(self, prepared: Prepared) -> Progress:
        assert isinstance(prepared.effect, Send)
        return went(prepared, prepared.effect, f"not sent: {prepared.problem}", self.clock.now())

    def _sent(self, prepared: Prepared, outcome: ClaimResult | Outcome) -> Progress:
        step, cursor, now = prepared.effect, prepared.progress.cursor, self.clock.now()
        assert isinstance(step, Send)
        assert cursor is not None
        if isinstance(outcome, Held):
            line = Trail(cursor=cursor, did=f"hold {step.send}", because=outcome.reason, at=now)
            return prepared.progress.model_copy(update={"trail": (*prepared.progress.trail, line), "until": outcome.until})
        return went(prepared, step, because_of(outcome), now)

    def _unsendable(self, connection: Connection, ask: Advance, prepared: Prepared) -> None:
        self._keep(connection, ask, prepared)
        assert prepared.order is not None
        now = self.clock.now()
        ledger.open_send(connection, prepared.order, now)
        sending.withdraw(connection, prepared.order.key, prepared.problem or "", now)

    def _act(self, connection: Connection, ask: Advance, prepared: Prepared) -> Progress:
        self._keep(connection, ask, prepared)
        step, entry, now = prepared.effect, prepared.entry, self.clock.now()
        if isinstance(step, Set):
            because = f"set:{entry.id}:{prepared.progress.cursor}"
            told_of = profiles.origin(connection, prepared.person.id, entry.id)
            profiles.set_traits(connection, told_of, step.set, now, self.registry.rules, because)
            due.touch(connection, [prepared.person.id], now)
        elif isinstance(step, Enter):
            self._request_entry(connection, step, prepared, now)
        assert step is not None
        return went(prepared, step, f"on {entry.journey}", now)

    async def _call(self, ask: Advance, prepared: Prepared, step: Call) -> Progress:
        """Post a call, once the judgement that led to it is kept, and write down what came of it."""
        entry, cursor = prepared.entry, prepared.progress.cursor
        assert cursor is not None
        if entry.holdout:
            await self.store.write(self._keep, ask, prepared)
            return went(prepared, step, "not called: in the holdout", self.clock.now())

        def begin(connection: Connection) -> tuple[calling.Called, str | None]:
            self._keep(connection, ask, prepared)
            user_id, _ = profiles.addressee(connection, prepared.person.id)
            return calling.begin(connection, entry.id, cursor, step.keep, self.clock.now()), user_id

        called, user_id = await self.store.write(begin)
        if called.state == calling.TRYING:
            key = calling.call_key(self.workspace, entry.id, cursor)
            body = calling.body_of(key, step, entry.journey, cursor, user_id, entry.trigger)
            headers = calling.signed(key, self.call_key, body, real_now())
            state, got = await calling.post(self.outbound, step, body, headers, called, self.clock.now())
            kept = got.value if step.keep is not None else None
            await self.store.write(calling.settle, entry.id, cursor, state, got.because, kept, self.clock.now())
            if state == calling.TRYING:
                raise Unanswered(got.because)
            called = replace(called, state=state, because=got.because)
        return went(prepared, step, called.because, self.clock.now(), FAILED if called.state == calling.GAVE_UP else None)

    def _request_entry(self, connection: Connection, step: Enter, prepared: Prepared, now: datetime) -> None:
        user_id, anonymous_id = profiles.addressee(connection, prepared.person.id)
        properties = {**step.with_, "journey": step.enter, "from": prepared.journey.name}
        self.emit(
            connection,
            Engagement(
                message_id=f"enter:{send_key(self.workspace, prepared.entry.id, prepared.progress.cursor or '')}",
                name=ENTER_REQUESTED,
                time=now,
                profile_id=profiles.origin(connection, prepared.person.id, prepared.entry.id),
                user_id=user_id,
                anonymous_id=anonymous_id,
                properties=properties,
            ),
        )

    def _keep(self, connection: Connection, ask: Advance, prepared: Prepared) -> None:
        """Write down what was judged, once: the because of every send and of every path without one."""
        insert_new(connection, decisions, self._decided(ask, prepared))

    def _decided(self, ask: Advance, prepared: Prepared) -> list[dict[str, Any]]:
        if not prepared.judged or not prepared.progress.trail:
            return []
        answers, following = prepared.progress.model_dump(mode="json"), prepared.progress.cursor
        return [{"entry_id": ask.entry_id, "cursor": ask.cursor, "at": self.clock.now(), "answers": answers, "next_cursor": following}]
