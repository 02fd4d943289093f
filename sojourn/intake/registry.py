"""The definitions in force and every version that an entry still stands on, ready to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from sojourn.errors import NotFound
from sojourn.intake import routing
from sojourn.intake.outbox import Definition
from sojourn.language.conditions import Condition, parse
from sojourn.language.loader import Definitions, version
from sojourn.language.model import Journey
from sojourn.store.tables import definitions
from sojourn.travel.program import Program


def body_of(journey: Journey) -> dict[str, Any]:
    """Return a journey as its entries carry it: what people read and tests use is left out."""
    return journey.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"examples", "owner"})


class Registry:
    """Definitions by name (those that let people in) and by version (those that entries stand on)."""

    def __init__(self, loaded: Definitions) -> None:
        self.loaded = loaded
        self.shop = loaded.shop
        self.segments: Mapping[str, Condition] = {name: parse(s.members) for name, s in loaded.segments.items()}
        self.live = {name: version(journey) for name, journey in loaded.journeys.items()}
        self.routing = routing.Definitions.of((self.live[name], journey) for name, journey in loaded.journeys.items())
        self._bodies: dict[str, Definition] = {}
        for name, journey in loaded.journeys.items():
            self._keep(self.live[name], journey)

    def _keep(self, key: str, journey: Journey) -> Definition:
        live = self.routing.versions.get(key) or self.routing.add(key, journey, live=False)
        self._bodies[key] = Definition(live.program, body_of(journey))
        return self._bodies[key]

    def store(self, connection: Connection, now: datetime) -> None:
        """Keep the definitions in force, so that entries find theirs after an edit."""
        known = set(connection.execute(select(definitions.c.version).where(definitions.c.version.in_(list(self.live.values())))).scalars())
        rows = [
            {"version": key, "journey": name, "body": self._bodies[key].body, "first_seen": now}
            for name, key in self.live.items()
            if key not in known
        ]
        if rows:
            connection.execute(definitions.insert(), rows)

    def get(self, connection: Connection, key: str) -> Definition:
        """Return a definition by its version.

        Raises:
            NotFound: no entry ever stood on it.
        """
        if key not in self._bodies:
            body = connection.execute(select(definitions.c.body).where(definitions.c.version == bindparam("key")), {"key": key}).scalar()
            if body is None:
                raise NotFound(f"no definition has the version {key}")
            self._keep(key, Journey.model_validate(body))
        return self._bodies[key]

    def known(self, key: str) -> Definition:
        """Return a definition that `get` has already found."""
        return self._bodies[key]
