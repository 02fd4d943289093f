"""The definitions in force and every version that an entry still stands on, ready to be walked and asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from sojourn.customers.declared import Rules, rules_of
from sojourn.customers.segments import SegmentBook
from sojourn.delivery.rules import GateRules
from sojourn.errors import NotFound
from sojourn.language.conditions import Condition
from sojourn.language.conditions.expression import Expression
from sojourn.language.definitions import Definitions, version
from sojourn.language.model import Journey
from sojourn.language.segments import conditions_of
from sojourn.prediction.recommending import ByRules, Recommender
from sojourn.store.bulk import insert_new
from sojourn.store.tables import definitions
from sojourn.travel.program import Listener, Program


@dataclass(frozen=True)
class Definition:
    """One version of a journey: its program, what it listens for, and its body as a workflow gets it."""

    version: str
    program: Program
    listeners: tuple[Listener, ...]
    body: dict[str, Any]

    @property
    def journey(self) -> Journey:
        """The definition as its author wrote it."""
        return self.program.journey


class Registry:
    """Definitions by name (those that let people in) and by version (those that entries stand on).

    Args:
        loaded: what the folder holds.
        secret: SOJOURN_SECRET_KEY, under which addresses are kept that refused.
    """

    def __init__(self, loaded: Definitions, secret: str = "") -> None:
        self.loaded = loaded
        self.secret = secret
        self.shop = loaded.shop
        self.shop_facts: dict[str, Any] = loaded.shop.model_dump(mode="json", by_alias=True)  # as contents speak of it
        self.segments: Mapping[str, Condition] = conditions_of(loaded.segments, loaded.profile.trees, loaded.calendar)
        self.calendar = loaded.calendar
        self.book = SegmentBook(self.segments, loaded.calendar)
        self.rules: Rules = rules_of(loaded.profile, loaded.shop)
        self.computed: Mapping[str, Expression] = loaded.profile.expressions
        self.recommender: Recommender = ByRules(loaded.catalog, loaded.recommendations)
        self.versions: dict[str, Definition] = {}
        self.live: dict[str, Definition] = {}
        self.triggers: dict[str, list[str]] = {}
        priorities = {name: journey.priority for name, journey in loaded.journeys.items()}
        self.priorities: Mapping[str, int] = priorities | {name: one.priority for name, one in loaded.broadcasts.items()}
        self.gate_rules: dict[tuple[str, str | None], GateRules] = {}  # by version and topic, as they were first asked for
        for name, journey in loaded.journeys.items():
            self.live[name] = self._keep(version(journey), journey)
            self.triggers.setdefault(journey.enter.on, []).append(name)

    def _keep(self, key: str, journey: Journey) -> Definition:
        program = Program(journey)
        # What people read and tests use is left out: an entry carries only what it walks by.
        body = journey.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"examples", "owner"})
        self.versions[key] = Definition(key, program, tuple(program.listeners()), body)
        return self.versions[key]

    def store(self, connection: Connection, now: datetime) -> None:
        """Keep the definitions in force, so that entries find theirs after an edit."""
        live = {item.version: item for item in self.live.values()}
        known = set(connection.execute(select(definitions.c.version).where(definitions.c.version.in_(list(live)))).scalars())
        rows = [
            {"version": item.version, "journey": item.journey.name, "body": item.body, "first_seen": now}
            for item in live.values()
            if item.version not in known
        ]
        insert_new(connection, definitions, rows)  # another process may be about to

    def get(self, connection: Connection, key: str) -> Definition:
        """Return a definition by its version.

        Raises:
            NotFound: no entry ever stood on it.
        """
        if key not in self.versions:
            body = connection.execute(select(definitions.c.body).where(definitions.c.version == key)).scalar()
            if body is None:
                raise NotFound(f"no definition has the version {key}")
            self._keep(key, Journey.model_validate(body))
        return self.versions[key]
