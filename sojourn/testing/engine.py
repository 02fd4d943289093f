"""The shop itself: the real rooms around a virtual clock, moved from one due moment to the next."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

import httpx
import orjson
from sqlalchemy import select
from starlette.applications import Starlette

from sojourn.broadcasts.releasing import go_on
from sojourn.clock import REAL_TIME, VirtualClock
from sojourn.customers import identity
from sojourn.customers.segments import builds, due, live, rebuild, releases
from sojourn.delivery import brakes, settling
from sojourn.delivery.live import LiveParts
from sojourn.delivery.preference_pages import PreferencePages
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.settling import SETTLING
from sojourn.delivery.tokens import Links, Tokens
from sojourn.delivery.tracking import Tracking
from sojourn.delivery.webhooks import taking
from sojourn.delivery.webhooks.base import Kind, Notice
from sojourn.errors import BadEvent, SettingsError, SojournError
from sojourn.intake import outbox
from sojourn.intake.appender import append
from sojourn.intake.emit import emit, tell
from sojourn.intake.endings import mark_ended
from sojourn.intake.envelope import read_call
from sojourn.intake.process import BATCH, process_batch, waits
from sojourn.language.events.schemas import EventSchemas
from sojourn.store.tables import metadata, profiles
from sojourn.testing import reading
from sojourn.testing.answers import Taken
from sojourn.testing.broadcasting import VirtualBroadcasts
from sojourn.testing.folder import Checked
from sojourn.testing.runner import VirtualRunner
from sojourn.testing.services import Services
from sojourn.testing.store import InlineDatabase
from sojourn.travel.registry import Registry
from sojourn.travel.state import Advance, Progress
from sojourn.travel.stored import StoredJourneys

PUBLIC_URL = "https://mail.shop.example"
SECRET = "the secret of a shop in virtual time"  # noqa: S105 - it protects nothing but tests
CALL_KEY = "whsec_" + base64.b64encode(b"a shop in virtual time signs").decode()
WORKSPACE = UUID("5e1f0000-0000-5000-8000-746573740000")
MAX_STARTS = 25  # of one journey by one person, at one moment


class Engine:
    """Takes events in, and lets time pass.

    Args:
        checked: the definitions.
        url: of an empty database.
        start: when the shop opens.
    """

    def __init__(self, checked: Checked, url: str, start: datetime) -> None:
        self.clock = VirtualClock(start)
        self.store = InlineDatabase(url)
        self.registry = Registry(checked.definitions, SECRET)
        self.schemas = EventSchemas(checked.definitions.events, checked.definitions.shop.undeclared_events)
        tokens = Tokens(SECRET)
        self.provider = Memory()
        self.services = Services()
        self.journeys = StoredJourneys(
            store=self.store,
            registry=self.registry,
            contents=checked.contents,
            models=checked.models,
            provider=self.provider,
            clock=self.clock,
            links=Links(PUBLIC_URL, tokens),
            workspace=WORKSPACE,
            secret=SECRET,
            emit=emit,
            outbound=self.services,
            call_key=CALL_KEY,
        )
        self.runner = VirtualRunner(self.clock, self._advance)
        self.broadcasts = VirtualBroadcasts(lambda: self.journeys, self._route)
        self._people = self._calls = 0
        self._starts: Counter[str] = Counter()  # by workflow id, at this moment
        self._settling: list[datetime] = []  # when opens and clicks settle
        self._tokens = tokens
        self._web = self._pages()

    def _pages(self) -> Starlette:
        shop = self.registry.shop
        tracking = Tracking(self.store, self._tokens, self.clock, emit, secret=SECRET, shop_name=shop.name)
        choosing = PreferencePages(self.store, self._tokens, self.clock, emit, shop=shop, secret=SECRET)
        registry = self.registry
        live = LiveParts(self.store, self._tokens, self.clock, registry.loaded.catalog, registry.recommender, registry.computed)
        return Starlette(routes=[*tracking.routes(), *choosing.routes(), *live.routes()])

    async def open(self) -> None:
        """Make the tables.

        Raises:
            SettingsError: the database is not empty.
        """
        await self.store.write(metadata.create_all)
        if await self.store.read(lambda connection: connection.execute(select(profiles.c.id).limit(1)).first()):
            raise SettingsError("a shop in virtual time begins with an empty database; give another one, or leave database_url out")
        await self._put_in_force()

    async def deploy(self, checked: Checked) -> None:
        """Let other definitions be in force from now on; who is on a journey stays on the one that they began."""
        self.registry = Registry(checked.definitions, SECRET)
        self.schemas = EventSchemas(checked.definitions.events, checked.definitions.shop.undeclared_events)
        self._web = self._pages()
        self.journeys = replace(self.journeys, registry=self.registry, contents=checked.contents, models=checked.models)
        await self._put_in_force()

    async def _put_in_force(self) -> None:
        registry = self.registry
        await self.store.write(registry.store, self.clock.now())
        await self.store.write(rebuild.sync, registry.book, self.clock.now())
        for name in await self.store.read(builds.gone, registry.book):
            while await self.store.write(builds.forget, name):
                continue
        while await self.store.write(rebuild.build_page, registry.book, self.clock.now(), tell):
            continue
        await self.settle()

    async def close(self) -> None:
        """Abandon what runs, and close the store."""
        self.runner.close()
        await self.store.close()

    # -- events ----------------------------------------------------------------------------------

    async def take(self, kind: str, call: dict[str, object]) -> Taken:
        """Take in an event by intake's door, and let everything happen that it brings about at this moment.

        Raises:
            BadEvent: intake would set it aside; says why.
        """
        body = orjson.dumps({key: value for key, value in call.items() if value is not None}, default=str)
        read = read_call(kind, body, received_at=self.clock.now(), schemas=self.schemas)
        if read.quarantined:
            raise BadEvent(read.quarantined[0].reason)
        accepted = await self.store.write(append, read.envelopes)
        await self.settle()
        return Taken(read.envelopes[0].message_id, bool(accepted))

    async def merge(self, winner: str, loser: str) -> None:
        """Merge two people by hand, as `sojourn identity merge` does.

        Raises:
            NotFound: one of them is not known.
            SojournError: identity refuses it.
        """
        goes, stays = await self.store.read(reading.person, loser), await self.store.read(reading.person, winner)
        rules, because = self.registry.loaded.profile.identity, "merged by hand in a test"
        done = await self.store.write(identity.merge, goes, stays, because, self.clock.now(), rules=rules)
        if isinstance(done, identity.Refused):
            raise SojournError(f"not merged: {done.because}")
        self._calls = len(await self.store.read(outbox.pending))
        await self.settle()

    async def unmerge(self, profile_id: str) -> None:
        """Take a merge back, as `sojourn identity unmerge` does.

        Raises:
            NotFound: there is no such profile, or it was not merged.
        """
        await self.store.write(identity.unmerge, profile_id, "taken back in a test", self.clock.now())
        await self.settle()

    async def release_brake(self, journey: str) -> None:
        """Release a brake by hand, and let go on what it held.

        Raises:
            NotFound: none is on.
        """
        await self.store.write(brakes.release, journey, "released by hand in a test", self.clock.now())
        after: str | None = ""
        while after is not None:
            page = await self.store.write(go_on, journey, self.clock.now(), after)
            after = page.after
            self._calls += page.entries
            for broadcast in page.broadcasts:
                await self.broadcasts.changed(broadcast)
        await self.settle()

    async def notice(self, kind: Kind, send_key: str) -> None:
        """Take what the provider tells of a message at this moment, as its webhook would bring it."""
        now = self.clock.now()
        told = Notice(f"{kind}-{send_key}-{now.isoformat()}", kind, now, send_key)
        await self.store.write(taking.take, self.provider.name, [told], now, SECRET, emit)
        await self.settle()

    async def request(self, method: str, url: str, headers: dict[str, str], data: dict[str, str] | None = None) -> httpx.Response:
        """Call one of the addresses that stand in messages, as a reader's program would."""
        transport = httpx.ASGITransport(app=self._web)
        async with httpx.AsyncClient(transport=transport, headers=headers) as client:
            response = await client.request(method, url, data=data)
        self._settling.append(self.clock.now() + SETTLING)
        await self.settle()
        return response

    # -- time ------------------------------------------------------------------------------------

    async def pass_to(self, moment: datetime) -> None:
        """Move the clock, stopping at each moment at which something is due."""
        while True:
            await self.settle()
            segments_due, release = await self.store.read(due.next_due), await self.store.read(releases.next_release)
            upcoming = [at for at in (self.runner.due, self.broadcasts.due, segments_due, release, *self._settling) if at is not None]
            if not upcoming or min(upcoming) > moment:
                break
            self.clock.move_to(min(upcoming))
            await self._tell()
        self.clock.move_to(moment)

    async def settle(self) -> None:
        """Let everything happen that happens at this moment.

        Raises:
            SojournError: it does not come to an end.
        """
        self._starts.clear()
        busy = True
        while busy:
            busy = await self._route()
            busy = await self._judge() or busy
            busy = await self._call() or busy
            busy = await self._wake() or busy
            busy = busy or await self.broadcasts.go_on()

    async def _route(self) -> bool:
        if not await self.store.read(waits):
            return False
        processed = None
        while processed is None or processed.events:
            processed = await self.store.write(process_batch, self.registry, self.clock.now(), BATCH, self._new_id)
            self._calls += processed.calls
        return True

    async def _judge(self) -> bool:
        release = await self.store.read(releases.next_release)
        if release is not None and release <= self.clock.now():
            await self.store.write(releases.release, self.clock.now(), (live.ENTERED, live.EXITED), tell)
            return True
        if not await self.store.read(due.is_due, self.clock.now()):
            return False
        await self.store.write(live.judge_due, self.registry.book, self.clock.now(), BATCH, tell)
        return True

    def _new_id(self) -> str:
        """Return a profile's id: the same in every run of a test, so that who falls into which arm is too."""
        self._people += 1
        return str(uuid5(WORKSPACE, f"person {self._people}"))

    async def _call(self) -> bool:
        if not self._calls:
            return False
        rows = await self.store.read(outbox.pending)
        if not rows:
            self._calls = 0
            return False
        self._starts.update(row.workflow_id for row in rows if row.kind == "start")
        if any(count > MAX_STARTS for count in self._starts.values()):
            raise SojournError("journeys start each other without end at one moment; let a `wait` stand between")
        for version in {row.body["version"] for row in rows if row.kind == "start"}:
            await self.store.read(self.registry.get, version)
        made = await outbox.call_all(rows, self.runner, self.registry.versions.__getitem__, self.clock.now(), REAL_TIME)
        if made.failed:
            raise SojournError(f"a call to the virtual runner failed: {made.failed[0]}")
        await self.store.write(outbox.answered, made.done, made.run_ids, made.merged, self.clock.now())
        self._calls = max(self._calls - len(rows), 0)
        return True

    async def _wake(self) -> bool:
        try:
            woken = self.runner.wake()
        finally:
            endings = self.runner.take_endings()
            if endings:
                await self.store.write(mark_ended, endings, self.clock.now())
        return woken

    async def _advance(self, ask: Advance) -> Progress:
        """Advance an entry once all that is known of the person is routed, as a worker waits for the router."""
        await self._route()
        return await self.journeys.advance(ask)

    async def _tell(self) -> None:
        if any(at <= self.clock.now() for at in self._settling):
            self._settling = [at for at in self._settling if at > self.clock.now()]
            await self.store.write(settling.tell, self.clock.now(), emit)
