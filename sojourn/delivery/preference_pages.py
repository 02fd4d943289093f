"""The pages behind a message's links on which its reader chooses: preferences, and the confirmation of a consent.

Only a POST changes anything (P12); each page has a token of its own purpose (P13).
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sojourn.clock import Clock
from sojourn.customers.preferences import Frequency
from sojourn.delivery import confirming, preferring
from sojourn.delivery.engagement import Emit
from sojourn.delivery.pages import page
from sojourn.delivery.preferring import Choice
from sojourn.delivery.tokens import Purpose, Tokens
from sojourn.delivery.tracking import PRIVATE, or_404
from sojourn.language.shop import ShopSettings
from sojourn.store.database import Database

MAX_FORM = 16_384  # bytes
MAX_FIELDS = 200
ON = "on"
FORM = "application/x-www-form-urlencoded"


class PreferencePages:
    """Routes for what a message's reader chooses.

    Args:
        db: the store.
        tokens: reads the addresses.
        clock: the shop's.
        emit: appends events to the log.
        shop: its topics and purposes.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
        time_scale: shown where it is not 1.
    """

    def __init__(
        self, db: Database, tokens: Tokens, clock: Clock, emit: Emit, *, shop: ShopSettings, secret: str, time_scale: float = 1.0
    ) -> None:
        self.db = db
        self.tokens = tokens
        self.clock = clock
        self.emit = emit
        self.shop = shop
        self.secret = secret
        self.time_scale = time_scale

    def routes(self) -> list[Route]:
        """Return the routes; a GET route also answers HEAD."""
        return [
            Route("/p/{token}", or_404(self.preferences), methods=["GET", "POST"]),
            Route("/k/{token}", or_404(self.confirm), methods=["GET", "POST"]),
        ]

    async def preferences(self, request: Request) -> Response:
        """Show what comes and how often; on POST, keep what was chosen."""
        signed = self.tokens.read(Purpose.PREFERENCES, request.path_params["token"])
        saved = request.method == "POST"
        if saved:
            choice = await _choice(request)
            if choice is None:
                return Response("This form is not one of ours.", 400, PRIVATE)
            now = self.clock.now()
            shown = await self.db.write(preferring.save, signed.send_key, choice, now, self.shop, self.secret, self.emit)
        else:
            shown = await self.db.read(preferring.shown, signed.send_key, self.shop, self.clock.now())
        return page(
            "preferences.html", PRIVATE, shop=self.shop.name, items=shown.items, rhythm=shown.rhythm, all_off=shown.all_off, saved=saved,
            frequencies=list(Frequency), time_scale=self.time_scale,
        )  # fmt: skip

    async def confirm(self, request: Request) -> Response:
        """Show a page with one button; on POST, let the consent count."""
        signed = self.tokens.read(Purpose.CONFIRM, request.path_params["token"])
        if request.method == "POST":
            about = await self.db.write(confirming.confirm, signed.send_key, self.clock.now(), self.shop, self.emit)
        else:
            about = await self.db.read(confirming.asked, signed.send_key)
        rule = self.shop.consent.get(about.purpose)
        said = rule.description if rule is not None else None
        return page("confirm.html", PRIVATE, shop=self.shop.name, about=about, said=said, time_scale=self.time_scale)


async def _choice(request: Request) -> Choice | None:
    """Read the form; None where it is none of ours."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return None
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_FORM:
                return None
    except ClientDisconnect:
        return None
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict", strict_parsing=bool(body))
        frequency = Frequency(fields["frequency"][0]) if "frequency" in fields else None
    except ValueError:
        return None
    if frequency is None and fields.get("all") != ["off"]:  # none of the page's two forms, such as a one-click of a mail program
        return None
    return Choice(frozenset(name for name, values in fields.items() if values == [ON]), frequency, fields.get("all") == ["off"])
