"""The addresses that a message leads back to: click, pixel, unsubscribe.

A click goes only where the message was stored to lead (P13); only a POST unsubscribes (P12); a HEAD
never counts.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sojourn.clock import Clock
from sojourn.content.links import is_trackable
from sojourn.delivery import machine, settling
from sojourn.delivery.engagement import Emit
from sojourn.delivery.pages import page
from sojourn.delivery.tokens import Purpose, Tokens
from sojourn.delivery.unsubscribing import unsubscribe
from sojourn.errors import NotFound
from sojourn.store.database import Database
from sojourn.store.tables import links, sends

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
NOT_FOUND = "<!doctype html><title>Not found</title><p>This link is not one of ours, or it was cut short.</p>"
PRIVATE = {"Cache-Control": "no-store, max-age=0", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


class Tracking:
    """Routes for a message's reader.

    Args:
        db: the store.
        tokens: reads the addresses.
        clock: the shop's.
        emit: appends events to the log.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
        shop_name: shown on the unsubscribe page.
        time_scale: shown where it is not 1.
    """

    def __init__(
        self, db: Database, tokens: Tokens, clock: Clock, emit: Emit, *, secret: str, shop_name: str, time_scale: float = 1.0
    ) -> None:
        self.db = db
        self.tokens = tokens
        self.clock = clock
        self.emit = emit
        self.secret = secret
        self.shop_name = shop_name
        self.time_scale = time_scale

    def routes(self) -> list[Route]:
        """Return the routes; a GET route also answers HEAD."""
        return [
            Route("/c/{token}", or_404(self.click), methods=["GET"]),
            Route("/o/{token}.gif", or_404(self.open), methods=["GET"]),
            Route("/u/{token}", or_404(self.unsubscribe), methods=["GET", "POST"]),
        ]

    async def click(self, request: Request) -> Response:
        """Lead on to where the link was stored to lead."""
        signed = self.tokens.read(Purpose.CLICK, request.path_params["token"])
        url = await self.db.read(_link, signed.send_key, signed.number)
        if request.method != "HEAD":
            await self._note(request, signed.send_key, settling.CLICK, signed.number)
        return RedirectResponse(url, 302, PRIVATE)

    async def open(self, request: Request) -> Response:
        """Answer a pixel of one transparent point."""
        signed = self.tokens.read(Purpose.OPEN, request.path_params["token"])
        if request.method != "HEAD":
            await self._note(request, signed.send_key, settling.OPEN, None)
        return Response(PIXEL, media_type="image/gif", headers=PRIVATE)

    async def unsubscribe(self, request: Request) -> Response:
        """Show a page with one button, or, on POST (the button's, or a mail program's one-click), unsubscribe."""
        signed = self.tokens.read(Purpose.UNSUBSCRIBE, request.path_params["token"])
        await self.db.read(_known, signed.send_key)
        done = request.method == "POST"
        if done:
            await self.db.write(unsubscribe, signed.send_key, self.clock.now(), self.secret, self.emit)
        choose = f"../p/{self.tokens.sign(Purpose.PREFERENCES, signed.send_key)}"
        return page("unsubscribe.html", PRIVATE, shop=self.shop_name, done=done, choose=choose, time_scale=self.time_scale)

    async def _note(self, request: Request, send_key: str, kind: str, position: int | None) -> None:
        because = await asyncio.to_thread(machine.by_request, request.headers)  # the first look-up of a user agent takes a while
        await self.db.write(settling.note, send_key, kind, self.clock.now(), because, position)


def or_404(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler that answers 404 where the token, or what it names, is not one of ours."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except NotFound:
            return HTMLResponse(NOT_FOUND, 404, PRIVATE)

    return handle


def _known(conn: Connection, send_key: str) -> None:
    if conn.execute(select(sends.c.key).where(sends.c.key == send_key)).first() is None:
        raise NotFound("no such send")


def _link(conn: Connection, send_key: str, position: int) -> str:
    url = conn.execute(select(links.c.url).where(links.c.send_key == send_key, links.c.position == position)).scalar_one_or_none()
    if url is None or not is_trackable(url):
        raise NotFound("no such link")
    return str(url)
