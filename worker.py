"""The composition root: the only place that knows all rooms.

Roles: `api` (intake, links, pages, admin API), `router` (log to Temporal), `worker` (journeys), or
`all` three in one process. `sojourn up` starts one process for each.

What only one of them needs is imported where it begins: a role that was killed has to be back within
seconds (P10), and most of a start is imports.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import structlog
from sqlalchemy.exc import DatabaseError
from temporalio.service import RPCError

from activities.broadcast import BroadcastActivities
from activities.journey import JourneyActivities
from sojourn.__main__ import main
from sojourn.broadcasts import standing
from sojourn.broadcasts.sending import Broadcasting
from sojourn.clock import SystemClock, real_now
from sojourn.content import Contents
from sojourn.delivery import reconciling, sending
from sojourn.delivery.carrier import carrier, delivery_of
from sojourn.delivery.providers import Provider
from sojourn.delivery.routing import Routing
from sojourn.delivery.tokens import Links, Tokens
from sojourn.errors import SettingsError, SojournError, StoreUnavailable
from sojourn.intake.emit import emit
from sojourn.intake.endings import Ending, mark_ended, unwritten
from sojourn.intake.fitting import Books
from sojourn.intake.router import Router
from sojourn.language.delivery_model import DeliverySettings
from sojourn.language.loader import load
from sojourn.language.model import Call
from sojourn.logs import configure_logs, json_is_asked_for, log_uncaught
from sojourn.longevity import settle_down
from sojourn.outbound import WebClient
from sojourn.prediction import Models
from sojourn.readiness import say_ready
from sojourn.settings import INBOX, Settings, load_settings
from sojourn.store import itself
from sojourn.store.bulk import chunks
from sojourn.store.database import Database
from sojourn.store.heartbeats import keep_beating
from sojourn.store.outlast import outlast, repeat
from sojourn.timekeeping import read_clock
from sojourn.tracing import configure_tracing
from sojourn.travel.registry import Registry
from sojourn.travel.stored import StoredJourneys
from workflows.client import BroadcastCalls, JourneyCalls
from workflows.ending import EndingObserver, closed_since, with_because
from workflows.fitting import Fitting
from workflows.runtime import NoTemporal, connect, ensure_search_attributes, make_worker

if TYPE_CHECKING:
    from sojourn.delivery.webhooks import Hook

WORKSPACE = UUID("8f14e45f-ceea-5e7a-9b6d-736f6a6f7572")
ENDINGS_EVERY = 0.05  # seconds; how often seen endings are written
ENDINGS_AT_ONCE = 500  # written in one transaction
CLOSED_EVERY = 20.0  # seconds; how often missed endings are looked for
CLOSED_RETRY = 1.0  # seconds; where Temporal did not answer
CLOSED_WINDOW = timedelta(minutes=5)  # how far back; the first look goes further
CLOSED_AT_START = timedelta(days=30)
ABANDON_EVERY = 60.0  # seconds
FIT_EVERY = 3600.0  # seconds; how often running entries are held against open workflows
FIT_AGAIN = 120.0  # seconds; where some did not fit: whether all do now
BROADCASTS_EVERY = 0.5  # seconds; how often broadcasts that were scheduled, paused, resumed or stopped are looked for
CLEAR_UP_EVERY = 60.0  # seconds
STOP_LIMIT = 10.0  # seconds

log = structlog.get_logger("sojourn")
Job = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class House:
    """The rooms, opened by their settings; each when it is first needed."""

    settings: Settings
    clock: SystemClock
    database: Database

    @cached_property
    def registry(self) -> Registry:
        """The definitions."""
        return Registry(load(self.settings.journeys_dir), self.settings.secret_key)

    @cached_property
    def links(self) -> Links:
        """Makes the addresses that lead back to us."""
        return Links(self.settings.public_url, Tokens(self.settings.secret_key))

    @cached_property
    def delivery(self) -> DeliverySettings | None:
        """Who the team's delivery.yaml has carry messages away; None where there is none."""
        return delivery_of(self.settings.journeys_dir)

    @cached_property
    def provider(self) -> Provider | Routing:
        """Who carries messages away: what delivery.yaml says, else the mail server that is set, else the local inbox."""
        return carrier(self.settings, self.delivery)

    @cached_property
    def hooks(self) -> dict[str, Hook]:
        """Who reads what providers post to us."""
        from sojourn.delivery.providers.registry import hooks

        found = hooks(self.delivery, self.settings.provider_secrets) if self.delivery is not None else {}
        if self.settings.bounce_webhook_key:
            from sojourn.delivery.webhooks.bounce_mail import BounceMail
            from sojourn.delivery.webhooks.taking import BOUNCE_MAIL

            found[BOUNCE_MAIL] = BounceMail(self.settings.bounce_webhook_key)
        return found

    @cached_property
    def journeys(self) -> StoredJourneys:
        """Advances entries.

        Raises:
            SettingsError: a journey calls other services, and there is no key to sign by.
        """
        calling = sorted(name for name, one in self.registry.live.items() if any(isinstance(s, Call) for s in one.program.steps.values()))
        if calling and not self.settings.call_key:
            raise SettingsError(f"{calling[0]} has a `call`: set SOJOURN_CALL_KEY to whsec_ and 24 bytes or more in base64")
        return StoredJourneys(
            store=self.database,
            registry=self.registry,
            contents=Contents.load(self.settings.journeys_dir),
            models=Models.load(self.settings.journeys_dir),
            provider=self.provider,
            clock=self.clock,
            links=self.links,
            workspace=WORKSPACE,
            secret=self.settings.secret_key,
            emit=emit,
            outbound=WebClient(self.registry.shop.connected.hosts),
            call_key=self.settings.call_key,
        )


async def run_api(house: House) -> None:
    """Serve events, links, the inbox, the admin API, health and metrics, until asked to stop."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Route

    from sojourn.console.api import admin_app
    from sojourn.console.busy import come_again
    from sojourn.console.health import measure_backlogs, reachable
    from sojourn.delivery import settling
    from sojourn.delivery.inbox_page import InboxPages
    from sojourn.delivery.live import LiveParts
    from sojourn.delivery.preference_pages import PreferencePages
    from sojourn.delivery.tracking import Tracking
    from sojourn.delivery.webhooks.door import WebhookDoor
    from sojourn.intake.appender import Appender
    from sojourn.intake.http import IntakeSettings, intake_routes
    from sojourn.language.events.schemas import EventSchemas
    from sojourn.metrics import HttpMetrics, metrics_endpoint

    settings = house.settings
    appender = Appender(house.database)
    checked_in = house.registry.loaded
    admin = admin_app(
        house.database,
        checked_in.journeys,
        house.clock,
        settings.admin_token,
        lambda: reachable(settings.temporal_address),
        checked_in.segments,
    )
    scale = house.clock.scale.scale
    shop = house.registry.shop.name
    schemas = EventSchemas(house.registry.loaded.events, house.registry.shop.undeclared_events)
    tracking = Tracking(house.database, house.links.tokens, house.clock, emit, secret=settings.secret_key, shop_name=shop, time_scale=scale)
    webhooks = WebhookDoor(house.database, house.hooks, house.clock, emit, secret=settings.secret_key, public_url=settings.public_url)
    choosing = PreferencePages(
        house.database, house.links.tokens, house.clock, emit, shop=house.registry.shop, secret=settings.secret_key, time_scale=scale
    )
    registry = house.registry
    live = LiveParts(house.database, house.links.tokens, house.clock, registry.loaded.catalog, registry.recommender, registry.computed)
    routes = [
        *intake_routes(appender, IntakeSettings([settings.write_key], settings.public_url), house.clock, schemas),
        *tracking.routes(),
        *webhooks.routes(),
        *choosing.routes(),
        *live.routes(),
        *InboxPages(settings.data_dir / INBOX, scale).routes(),
        Route("/metrics", metrics_endpoint(settings.sdk_metrics_address, partial(measure_backlogs, house.database))),
    ]
    pages = Starlette(routes=routes, exception_handlers={StoreUnavailable: come_again})
    pages.router.default = admin  # and not a mount, which would answer 404 to a wrong method
    config = uvicorn.Config(
        HttpMetrics(pages),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    listener = _listen(settings.host, settings.port, config.backlog)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    telling = asyncio.create_task(settling.keep_telling(house.database, house.clock, emit))
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0.02)
        log.info("listening", host=settings.host, port=settings.port)
        say_ready()
        done, _ = await asyncio.wait([serving, telling], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        server.should_exit = True
        telling.cancel()
        await asyncio.wait([serving, telling], timeout=STOP_LIMIT)
        await appender.close()


def _listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return what listens there.

    Raises:
        SettingsError: another program does, or the address is not this machine's.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=backlog)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        raise SettingsError(f"cannot listen at {host}, port {port} ({why}); free it, or set SOJOURN_HOST and SOJOURN_PORT") from None


async def run_router(house: House) -> None:
    """Route events until cancelled."""
    client = await connect(house.settings.temporal_address, house.settings.temporal_namespace)
    await ensure_search_attributes(client)
    store = await house.database.write(itself.identity, real_now())
    router = Router(house.database, house.registry, JourneyCalls(client, house.clock.scale, store), house.clock)
    settle_down()
    say_ready()
    await router.run()


async def run_worker(house: House) -> None:
    """Run journeys until cancelled."""
    settings = house.settings
    house.journeys  # noqa: B018 - what is wrong with its settings is said before it waits for Temporal
    client = await connect(settings.temporal_address, settings.temporal_namespace, metrics_address=settings.sdk_metrics_address)
    await ensure_search_attributes(client)
    observer = EndingObserver()
    activities = JourneyActivities(house.journeys)
    broadcasts = BroadcastActivities(Broadcasting(house.journeys))
    doing: list[Callable[..., Any]] = [activities.decide, activities.send, broadcasts.gather, broadcasts.send, broadcasts.finish]
    worker = make_worker(client, doing, interceptors=[observer])

    waiting: list[Ending] = []
    window = CLOSED_AT_START

    async def write_endings() -> None:
        waiting.extend(observer.take())
        if waiting:
            await house.database.write(mark_ended, tuple(waiting), house.clock.now())
            waiting.clear()
        await asyncio.sleep(ENDINGS_EVERY)

    async def find_missed_endings() -> None:
        nonlocal window
        try:
            found = {one.ending.entry_id: one async for one in closed_since(client, real_now() - window)}
            missing = await house.database.read(unwritten, [one.ending for one in found.values()])
            endings = [await with_because(client, found[one.entry_id]) for one in missing]
        except RPCError as error:  # the server is away: the worker waits for it, and so does this
            log.warning("cannot look for entries whose end no worker had seen", error=error.status.name)
            await asyncio.sleep(CLOSED_RETRY)
            return
        missed = 0
        for some in chunks(endings, ENDINGS_AT_ONCE):
            missed += await house.database.write(mark_ended, some, house.clock.now())
        if missed:
            log.info("found entries whose end no worker had seen", count=missed)
        window = CLOSED_WINDOW
        await asyncio.sleep(CLOSED_EVERY)

    async def abandon() -> None:
        given_up = await house.database.write(sending.abandon, house.clock.now())
        if given_up:
            log.warning("gave up on sends that nobody settled", count=given_up)
        await asyncio.sleep(ABANDON_EVERY)

    async def tell_broadcasts() -> None:
        for broadcast_id, serial in await house.database.read(standing.unheard):
            ended = await broadcast_calls.tell(await house.database.read(standing.look, broadcast_id), serial)
            if ended is not None and await house.database.write(standing.found_closed, broadcast_id, ended, house.clock.now()):
                log.warning("a broadcast that was not over had ended in Temporal", broadcast=broadcast_id, outcome=ended)
            await house.database.write(standing.heard, broadcast_id, serial)
        await asyncio.sleep(BROADCASTS_EVERY)

    async def clear_up() -> None:
        await asyncio.sleep(CLEAR_UP_EVERY)
        journeys = house.journeys
        cleared = await reconciling.reconcile(house.database, house.provider, house.clock, journeys.send_again)
        if cleared.accepted or cleared.unsent or cleared.again:
            log.info("cleared up sends in doubt", accepted=cleared.accepted, unsent=cleared.unsent, again=cleared.again, open=cleared.open)

    store = await house.database.write(itself.identity, real_now())
    broadcast_calls = BroadcastCalls(client, house.clock.scale, store)
    fitting = Fitting(client, Books(house.database, house.registry, house.clock, WORKSPACE), store)

    async def fit() -> None:
        try:
            found = await fitting.look()
        except RPCError as error:
            log.warning("cannot hold entries against workflows", error=error.status.name)
            await asyncio.sleep(CLOSED_RETRY)
            return
        await asyncio.sleep(FIT_AGAIN if found.found else FIT_EVERY)

    await outlast("fit", fitting.before_work)
    settle_down()
    async with worker, asyncio.TaskGroup() as tasks:
        for job in (write_endings, find_missed_endings, abandon, clear_up, tell_broadcasts, fit):
            tasks.create_task(repeat(job.__name__, job))
        say_ready()


async def _run(role: str, settings: Settings) -> None:
    """Run a role until a signal asks to stop."""
    clock = read_clock(settings.data_dir)
    database = Database(settings.database_url)
    await outlast("tables", database.create)
    house = House(settings, clock, database)
    house.registry  # noqa: B018 - a broken definition is said now, not at the first event
    jobs = {"api": [run_api], "router": [run_router], "worker": [run_worker], "all": [run_api, run_router, run_worker]}[role]
    running = [asyncio.create_task(job(house)) for job in jobs]
    running.append(asyncio.create_task(keep_beating(database, role)))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*running, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=STOP_LIMIT)
        await database.close()


def _say_why(role: str, because: str, error: str) -> None:
    """Say in a sentence why a role ends: to whoever sits at the terminal, or as a log line where these are JSON."""
    if json_is_asked_for():
        log.error("a role ends", role=role, because=because, error=error)
    else:
        print(f"error: {because}", file=sys.stderr)  # noqa: T201 - the terminal is whom it is for


def run(role: str) -> NoReturn:
    """Run a role until it is asked to stop, and end the process; what is wrong is said in a sentence."""
    code = 0
    tracing = None
    try:
        settings = load_settings()
        clock = read_clock(settings.data_dir)
        configure_logs(settings.log_format, level=settings.log_level, process=role, clock=clock)
        log_uncaught()
        tracing = configure_tracing(settings.otlp_endpoint, role)
        asyncio.run(_run(role, settings))
    except (SojournError, NoTemporal) as error:
        _say_why(role, str(error), type(error).__name__)
        code = 1
    except DatabaseError as error:
        _say_why(role, "the database does not answer, or is not Sojourn's; see SOJOURN_DATABASE_URL", type(error.orig).__name__)
        code = 1
    except BaseException:
        log.exception("a role failed", role=role)
        code = 1
    if tracing is not None:
        tracing.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # The SDK's core may abort at interpreter exit after all work is done; so leave without it.
    os._exit(code)


if __name__ == "__main__":
    main()
