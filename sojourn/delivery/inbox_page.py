"""The local inbox as pages: what was delivered into the Maildir, as a phone or a desktop would list it."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html import unescape
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sojourn.delivery.pages import page
from sojourn.language import email_address

PER_PAGE = 50
SNIPPET = 140
TABS = ("html", "text", "headers")
# The message's own page: no script, no form, no way to us; its pictures load, as in a reader's program.
MESSAGE_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src http: https: data:; "
    "style-src 'unsafe-inline' https:; font-src https:; frame-ancestors 'self'"
)
_KEY = re.compile(r"^[0-9a-f-]{36}\Z")
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_PREHEADER = re.compile(r'<body\b[^>]*>\s*<div style="display:none[^"]*">(.*?)</div>', re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_ADDRESS = re.compile(r"\s*<?\bhttps?://[^\s>]+>?")
_FILLER = re.compile("[\u034f\u200b\u200c\u00a0\u00ad\\s]+")


@dataclass(frozen=True)
class Item:
    """A message as a list shows it."""

    key: str
    sender: str
    to: str
    subject: str
    snippet: str
    date: datetime | None


class InboxPages:
    """The pages `/inbox` and `/inbox/{id}`; `/` leads to the first.

    Args:
        folder: the Maildir that `providers.inbox.Inbox` delivers into.
        time_scale: shown where it is not 1.
    """

    def __init__(self, folder: Path, time_scale: float = 1.0) -> None:
        self.folder = folder
        self.time_scale = time_scale

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self.front),
            Route("/inbox", self.index),
            Route("/inbox/{key}", self.view),
            Route("/inbox/{key}/html", self.html),
        ]

    async def front(self, _: Request) -> Response:
        """Lead whoever opens the bare address to the inbox."""
        return RedirectResponse("/inbox")

    async def index(self, request: Request) -> Response:
        """Show the newest messages first."""
        number = request.query_params.get("page", "1")
        wanted = int(number) if number.isdecimal() and len(number) < 7 else 1
        items, total = await asyncio.to_thread(self._items, max(wanted, 1))
        pages = max(1, -(-total // PER_PAGE))
        return page("inbox.html", items=items, total=total, number=min(max(wanted, 1), pages), pages=pages, time_scale=self.time_scale)

    async def view(self, request: Request) -> Response:
        """Show one message: as a reader sees it, its text part, or its headers."""
        message = await asyncio.to_thread(self._message, request.path_params["key"])
        if message is None:
            return page("missing.html", time_scale=self.time_scale, status=404)
        tab = request.query_params.get("tab", "html")
        return page(
            "message.html", item=_item(request.path_params["key"], message), tab=tab if tab in TABS else "html", tabs=TABS,
            text=_part(message, "plain"), lines=[(name, str(value)) for name, value in message.items()], time_scale=self.time_scale,
        )  # fmt: skip

    async def html(self, request: Request) -> Response:
        """Show a message's HTML part alone, for the frame that it stands in."""
        message = await asyncio.to_thread(self._message, request.path_params["key"])
        if message is None:
            return HTMLResponse("", 404)
        body = _part(message, "html")
        base = '<base target="_blank">'
        head = _HEAD.search(body)
        body = body[: head.end()] + base + body[head.end() :] if head else base + body
        return HTMLResponse(body, headers={"Content-Security-Policy": MESSAGE_POLICY, "X-Content-Type-Options": "nosniff"})

    def _files(self) -> dict[str, os.DirEntry[str]]:
        found: dict[str, os.DirEntry[str]] = {}
        for name in ("new", "cur"):
            if (self.folder / name).is_dir():
                found |= {entry.name.partition(":")[0]: entry for entry in os.scandir(self.folder / name)}
        return {key: entry for key, entry in found.items() if _KEY.match(key)}

    def _items(self, number: int) -> tuple[list[Item], int]:
        newest = sorted(self._files().items(), key=lambda file: file[1].stat().st_mtime_ns, reverse=True)
        first = min((number - 1) * PER_PAGE, max(0, (len(newest) - 1) // PER_PAGE * PER_PAGE))
        shown = newest[first : first + PER_PAGE]
        return [_item(key, _read(Path(entry.path))) for key, entry in shown], len(newest)

    def _message(self, key: str) -> EmailMessage | None:
        entry = self._files().get(key) if _KEY.match(key) else None
        return _read(Path(entry.path)) if entry else None


def _read(path: Path) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(path.read_bytes())


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _snippet(message: EmailMessage) -> str:
    """Return what a list shows beside the subject: the preheader, else how the text begins, without its addresses."""
    hidden = _PREHEADER.search(_part(message, "html"))
    words = unescape(_TAG.sub("", hidden[1])) if hidden else ""
    return _FILLER.sub(" ", words).strip() or _FILLER.sub(" ", _ADDRESS.sub("", _part(message, "plain"))).strip()


def _shown(header: Any) -> str:
    """Return the addresses of a header as people read them."""
    each = [(one.display_name, email_address.shown(one.addr_spec)) for one in header.addresses]
    return ", ".join(f"{name} <{address}>" if name else address for name, address in each)


def _item(key: str, message: EmailMessage) -> Item:
    date = message["Date"]
    sender = message["From"].addresses[0]
    snippet = _snippet(message)
    return Item(
        key=key,
        sender=sender.display_name or email_address.shown(sender.addr_spec),
        to=_shown(message["To"]),
        subject=str(message["Subject"]) or "(no subject)",
        snippet=snippet[:SNIPPET] + ("…" if len(snippet) > SNIPPET else ""),
        date=date.datetime if date is not None else None,
    )
