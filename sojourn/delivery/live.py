"""What a message shows as it is when it is opened: a list for `amp-list`, a picture for every other mail program.

An address of a message, a number and one purpose lead here; nothing in it is the reader's to choose. A look counts as
no open: mail programs fetch pictures by themselves, and a list is not the person's doing either.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sojourn.clock import Clock
from sojourn.customers import profiles
from sojourn.customers.computed import profile_facts
from sojourn.customers.history import StoredHistory
from sojourn.delivery import pictures
from sojourn.delivery.tokens import Purpose, Tokens
from sojourn.delivery.tracking import PRIVATE, or_404
from sojourn.errors import NotFound
from sojourn.language import email_address
from sojourn.language.catalog_model import Catalog
from sojourn.language.conditions import Facts
from sojourn.language.conditions.expression import Expression
from sojourn.prediction.recommending import Recommender
from sojourn.store.database import Database
from sojourn.store.tables import live_parts, messages, sends

SECONDS = 3.0  # that an answer may take; a mail program gives up soon after
MAX_BYTES = 64 * 1024
_EMAIL = re.compile(r"^[^\s@,;<>\"]{1,64}@[a-z0-9.-]{1,253}$", re.IGNORECASE)
_ORIGIN = re.compile(r"^https://[a-z0-9.-]{1,253}(:\d{1,5})?$")
NO_CACHE = {**PRIVATE, "Pragma": "no-cache", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "cross-origin"}
Seen = tuple[Mapping[str, Any], str, str]
"""What a part shows, who the message is from, whom it went to."""


class LiveParts:
    """Routes for what is live.

    Args:
        db: the store.
        tokens: reads the addresses.
        clock: the shop's.
        catalog: what is sold.
        recommender: chooses items for a person.
        computed: the computed traits, which a recommender may ask.
    """

    def __init__(
        self, db: Database, tokens: Tokens, clock: Clock, catalog: Catalog, recommender: Recommender, computed: Mapping[str, Expression]
    ) -> None:
        self.db = db
        self.tokens = tokens
        self.clock = clock
        self.catalog = catalog
        self.recommender = recommender
        self.computed = computed

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/l/{token}", in_time(or_404(self.items)), methods=["GET"]),
            Route("/live/{token}.png", in_time(or_404(self.png)), methods=["GET"]),
            Route("/live/{token}.gif", in_time(or_404(self.gif)), methods=["GET"]),
        ]

    async def items(self, request: Request) -> Response:
        """Answer `amp-list`, by the rules of CORS in AMP for Email: only for the sender that the message is from."""
        signed = self.tokens.read(Purpose.LIST, request.path_params["token"])
        shows, sender, person = await self.db.read(_seen, signed.send_key, signed.number)
        allowed = cors(request.headers, request.query_params, sender)
        if allowed is None:
            return Response(b'{"error":"this list is for one sender\'s mail only"}', 403, NO_CACHE, "application/json")
        items = await self.db.read(self._items, shows, person, self.clock.now())
        body = orjson.dumps({"items": items})
        if len(body) > MAX_BYTES:
            body = b'{"items":[]}'
        return Response(body, 200, {**NO_CACHE, **allowed}, "application/json")

    async def png(self, request: Request) -> Response:
        """Answer a picture of how long it is, or of whether an item is in stock."""
        words, _ = await self._words(request)
        return Response(await asyncio.to_thread(pictures.png, words), 200, NO_CACHE, "image/png")

    async def gif(self, request: Request) -> Response:
        """Answer a picture that counts on for a minute."""
        words, until = await self._words(request)
        drawn = await asyncio.to_thread(pictures.gif, words, until, self.clock.now())
        return Response(drawn, 200, NO_CACHE, "image/gif")

    async def _words(self, request: Request) -> tuple[str, datetime | None]:
        signed = self.tokens.read(Purpose.PICTURE, request.path_params["token"])
        shows, _, _ = await self.db.read(_seen, signed.send_key, signed.number)
        if shows.get("kind") == "countdown":
            until = datetime.fromisoformat(shows["until"])
            return pictures.left(until, self.clock.now()), until
        item = self.catalog.items.get(shows["items"][0]) if shows.get("kind") == "stock" else None
        return pictures.stock(item), None

    def _items(self, connection: Connection, shows: Mapping[str, Any], person_id: str, now: datetime) -> list[dict[str, Any]]:
        match shows.get("kind"):
            case "countdown":
                until = datetime.fromisoformat(shows["until"])
                seconds = max(int((until - now).total_seconds()), 0)
                return [{"until": shows["until"], "seconds_left": seconds, "ended": seconds == 0, "words": pictures.left(until, now)}]
            case "stock":
                found = [self.catalog.items.get(name) for name in shows["items"]]
                return [item.spoken_of() for item in found if item is not None]
            case "recommend":
                person = profiles.load(connection, person_id)
                history = StoredHistory(connection, person.id)  # of whoever the profile was merged into since
                facts = Facts(now=now, profile=profile_facts(person.traits, self.computed, history, now), history=history)
                return [each.item.spoken_of() for each in self.recommender.recommend(facts, shows["n"])]
        raise NotFound("no such part")


def cors(headers: Mapping[str, str], query: Mapping[str, str], sender: str) -> dict[str, str] | None:
    """Return what a mail program has to be told, by the version that it speaks; None where it may not be answered.

    Args:
        headers: of the request; names in any case.
        query: of the request.
        sender: whom the message is from.
    """
    named = headers.get("amp-email-sender")
    if named is not None:
        return {"AMP-Email-Allow-Sender": named} if _same(named, sender) else None
    origin, source = headers.get("origin"), query.get("__amp_source_origin")
    if origin is None or source is None or not _ORIGIN.match(origin) or not _same(source, sender):
        return None
    return {
        "Access-Control-Allow-Origin": origin,
        "AMP-Access-Control-Allow-Source-Origin": source,
        "Access-Control-Expose-Headers": "AMP-Access-Control-Allow-Source-Origin",
        "Vary": "Origin",
    }


def in_time(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that answers 503 where it takes too long."""

    async def handle(request: Request) -> Response:
        try:
            async with asyncio.timeout(SECONDS):
                return await handler(request)
        except TimeoutError:
            return Response(b"", 503, {**NO_CACHE, "Retry-After": "5"})

    return handle


def _same(one: str, other: str) -> bool:
    return _EMAIL.match(one) is not None and email_address.canonical(one) == email_address.canonical(other) is not None


def _seen(connection: Connection, send_key: str, number: int) -> Seen:
    query = (
        select(live_parts.c.shows, messages.c.from_address, sends.c.profile_id)
        .join(messages, messages.c.send_key == live_parts.c.send_key)
        .join(sends, sends.c.key == live_parts.c.send_key)
        .where(live_parts.c.send_key == send_key, live_parts.c.number == number)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("no such part")
    return row.shows, row.from_address, row.profile_id
