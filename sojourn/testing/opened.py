"""A shop that is open or not: what it stands on, its clock, and the loop of its own that all its verbs run on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Self, TypeVar

from sojourn.errors import SojournError
from sojourn.language.durations import parse_duration
from sojourn.language.model import Journey, Segment
from sojourn.language.shop import ShopSettings
from sojourn.testing.answers import Done, Passed
from sojourn.testing.engine import Engine
from sojourn.testing.folder import Given, read_definitions
from sojourn.testing.services import Services

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)  # a Monday morning
T = TypeVar("T")


class Opened:
    """What every verb of a shop stands on; `sojourn.testing.Shop` has the arguments."""

    def __init__(
        self,
        *,
        journeys_dir: str | Path | None = None,
        database_url: str = "sqlite://",
        start: datetime = START,
        journeys: Sequence[str | Journey] = (),
        segments: Sequence[str | Segment] = (),
        contents: Mapping[str, str] | None = None,
        settings: str | ShopSettings | None = None,
    ) -> None:
        self._folder = None if journeys_dir is None else Path(journeys_dir)
        self._given = Given(self._folder, tuple(journeys), tuple(segments), contents or {}, settings)
        self._checked = read_definitions(self._given)
        self._engine = Engine(self._checked, database_url, start)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._events = 0  # that were given

    @property
    def services(self) -> Services:
        """What other services answer to `fetches` and `call`: `shop.services.answer(url, value)`; `posted` is what they got."""
        return self._engine.services

    # -- opening and closing ---------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Open the shop."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=_serve, args=(self._loop,), name="shop", daemon=True)
        self._thread.start()
        self._run(self._engine.open())
        return self

    def __exit__(self, *_: object) -> None:
        """Close the shop; what runs is abandoned."""
        loop = self._loop
        if loop is not None:
            self._run(self._engine.close())
            self._loop = None
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()

    async def __aenter__(self) -> Self:
        """Open the shop."""
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        """Close the shop; what runs is abandoned."""
        self.__exit__()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise SojournError("this shop is not open; use it within `async with Shop(…) as shop:`")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _read(self, function: Any, *args: Any) -> Any:
        return self._run(self._engine.store.read(function, *args))

    def deploy(
        self,
        *,
        journeys_dir: str | Path | None = None,
        journeys: Sequence[str | Journey] = (),
        segments: Sequence[str | Segment] = (),
        contents: Mapping[str, str] | None = None,
        settings: str | ShopSettings | None = None,
    ) -> Done:
        """Put other definitions in force, as a deployment does: arguments as of the shop itself.

        Left out, the folder is that of the shop; what was given beside it is given anew, or is gone. Who is on a journey
        stays on the definition that they began with; segments are gone through for everyone.
        """
        folder = self._folder if journeys_dir is None else Path(journeys_dir)
        self._given = Given(folder, tuple(journeys), tuple(segments), contents or {}, settings)
        self._checked = read_definitions(self._given)
        self._run(self._engine.deploy(self._checked))
        return Done()

    # -- time ------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What time it is in the shop."""
        return self._engine.clock.now()

    def advance(self, duration: str | timedelta) -> Passed:
        """Let time pass, such as `1d 2h`, with all that falls due in it."""
        passing = parse_duration(duration) if isinstance(duration, str) else duration
        if passing < timedelta():
            raise ValueError("time in a shop passes forward only")
        return self.advance_to(self.now + passing)

    def advance_to(self, moment: datetime) -> Passed:
        """Let time pass until a moment, with all that falls due in it."""
        began = self.now
        if moment < began:
            raise ValueError(f"it is later than that already: {began.isoformat()}")
        self._run(self._engine.pass_to(moment))
        return Passed(began, self.now)

    def __repr__(self) -> str:
        return f"<Shop {self._engine.registry.shop.name!r}, {self.now:%a %Y-%m-%d %H:%M} UTC>"


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a shop's own event loop, so that a test needs none, or may have its own."""
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
