"""Broadcasts in a test: schedule one, hold it up, and look who got it, when, and who did not and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sojourn.broadcasts import standing
from sojourn.errors import NotFound
from sojourn.language import broadcast_model
from sojourn.language.problems import unknown
from sojourn.testing.answers import Broadcast
from sojourn.testing.broadcast_reading import broadcast_of
from sojourn.testing.folder import read_definitions
from sojourn.testing.opened import Opened


class BroadcastVerbs(Opened):
    """The verbs of broadcasts: as `sojourn broadcast` has them."""

    def broadcast(self, definition: str | broadcast_model.Broadcast, *, at: str | None = None) -> Broadcast:
        """Have a broadcast sent at its moment, and return how it stands: scheduled.

        Args:
            definition: the name of one in the folder's `broadcasts/`, or a definition as YAML or as a model.
            at: its moment instead of the definition's, such as `2026-01-06 09:00`.

        Raises:
            NotFound: the folder has none of this name.
            DefinitionError: the definition is wrong; with every problem.
            NotPossible: it is under way already, was sent at this moment, or its moment has passed.
        """
        chosen = self._chosen(definition)
        if at is not None:
            chosen = broadcast_model.Broadcast.model_validate({**chosen.model_dump(by_alias=True), "at": at})
        id_ = self._run(self._engine.broadcasts.schedule(chosen))
        self._run(self._engine.settle())
        return self._look(id_)

    def show_broadcast(self, name: str) -> Broadcast:
        """Return how the latest sending of a broadcast stands: its `recipients`, each with what came of them, and who was `left_out`.

        Raises:
            NotFound: it was never scheduled.
        """
        return self._look(self._read(standing.latest, name))

    def pause_broadcast(self, name: str, because: str = "by hand") -> Broadcast:
        """Have nothing more sent until it is resumed, and return how it stands; NotPossible where it is not under way."""
        return self._move(name, standing.pause, because)

    def resume_broadcast(self, name: str) -> Broadcast:
        """Go on where it was paused, and return how it stands; NotPossible where it is not paused."""
        return self._move(name, standing.resume)

    def stop_broadcast(self, name: str, because: str = "by hand") -> Broadcast:
        """End it for good, and return how it stands: whoever still waits gets nothing. NotPossible where it has ended."""
        return self._move(name, standing.stop, because)

    def _chosen(self, definition: str | broadcast_model.Broadcast) -> broadcast_model.Broadcast:
        if isinstance(definition, str) and ":" not in definition:
            there = self._checked.definitions.broadcasts
            if definition not in there:
                raise NotFound(unknown("broadcast", definition, there))
            return there[definition]
        before = set(self._checked.definitions.broadcasts)
        found = read_definitions(replace(self._given, broadcast=definition)).definitions.broadcasts
        return next(one for name, one in found.items() if name not in before)

    def _move(self, name: str, how: Callable[..., None], *args: Any) -> Broadcast:
        id_ = self._read(standing.latest, name)
        self._run(self._engine.store.write(how, id_, *args))
        self._run(self._engine.broadcasts.changed(id_))
        self._run(self._engine.settle())
        return self._look(id_)

    def _look(self, id_: str) -> Broadcast:
        found: Broadcast = self._read(broadcast_of, id_, self._engine.broadcasts.left_out(id_))
        return found
