"""Freezes rendered messages under their keys: what was posted once is posted by later attempts in these very bytes.

A message that is still planned or held gives way to one that was rendered anew, for its reader, and what it speaks of, may
have changed. One that may be out stays as it is.

All that can be made of a message without the store is made first (`make`): a writing transaction keeps others waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, delete, insert, select

from sojourn.content.header_text import name_text, subject_text
from sojourn.content.links import rewrite_amp, rewrite_links
from sojourn.delivery import ledger
from sojourn.delivery.ledger import SendOrder, SendRow, State
from sojourn.delivery.message import Message, feedback_id
from sojourn.delivery.tokens import Links
from sojourn.language import email_address
from sojourn.language.shop import TRANSACTIONAL
from sojourn.store.tables import links, live_parts, messages

_FREEZE, _LINKS, _LIVE = insert(messages), insert(links), insert(live_parts)
_FROZEN = select(messages).where(messages.c.send_key == bindparam("sought"))


class RenderedMessage(Protocol):
    """What rendering gives (`sojourn.content`)."""

    @property
    def subject(self) -> str:
        """The subject."""
        ...

    @property
    def html(self) -> str:
        """The HTML part."""
        ...

    @property
    def text(self) -> str:
        """The text part."""
        ...

    @property
    def tokens(self) -> Mapping[str, Any]:
        """Each token's value and where it came from."""
        ...

    @property
    def amp(self) -> str | None:
        """The AMP part; None without one."""
        ...

    @property
    def live(self) -> Sequence[Mapping[str, Any]]:
        """What is shown as it is when the message is opened, by number."""
        ...


@dataclass(frozen=True)
class Recipient:
    """What a message is written by of whom it goes to."""

    address: str
    name: str | None
    zone: str | None
    locale: str | None

    @classmethod
    def of(cls, traits: Mapping[str, Any], zone: str | None, locale: str | None) -> Recipient:
        """Return what a profile says."""
        name = traits.get("first_name")
        return cls(str(traits.get("email") or ""), name if isinstance(name, str) else None, zone, locale)


@dataclass(frozen=True)
class Made:
    """A message that is ready to be frozen.

    Attributes:
        order: what is sent to whom.
        message: as it is posted, but for its date.
        urls: where its links lead, by their number.
        live: what it shows as it is when it is opened, by number.
        tokens: each token's value and where it came from.
        recipient: whom it was written for; None where nobody is asked whether that still holds.
    """

    order: SendOrder
    message: Mapping[str, Any]
    urls: Mapping[int, str]
    live: Sequence[Mapping[str, Any]]
    tokens: Mapping[str, Any]
    recipient: Recipient | None = None

    def dated(self, date: datetime) -> Message:
        """Return the message as it is posted."""
        return Message(key=self.order.key, date=date, **self.message)


@dataclass(frozen=True)
class Frozen:
    """A message that was frozen just now, and its send."""

    send: SendRow
    message: Message


def make(order: SendOrder, rendered: RenderedMessage, tracking: Links, *, pixel: bool = True) -> Made:
    """Return a rendered message as it is to be frozen.

    Args:
        order: what is sent to whom.
        rendered: the message.
        tracking: makes the addresses that lead back to us.
        pixel: whether opens may be tracked.
    """
    urls: dict[int, str] = {}

    def tracked(position: int, url: str) -> str:
        urls[position] = url
        return tracking.click(order.key, position)

    seen = tracking.pixel(order.key) if pixel else None
    html, text = rewrite_links(rendered.html, rendered.text, tracked, seen)
    amp = None if rendered.amp is None else rewrite_amp(rendered.amp, _as_in_html(urls, tracked), seen, ours=tracking.public_url)
    headers = {"Feedback-ID": feedback_id(order.send_id, order.journey, order.purpose)}
    if order.reply_to:
        headers["Reply-To"] = email_address.wire(order.reply_to)
    if order.purpose != TRANSACTIONAL:
        headers["List-Unsubscribe"] = f"<{tracking.unsubscribe(order.key)}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = {
        "to_address": email_address.wire(order.to_address), "to_name": name_text(order.to_name),
        "from_address": email_address.wire(order.from_address), "from_name": name_text(order.from_name),
        "subject": subject_text(rendered.subject), "html": html, "text": text, "headers": headers, "amp": amp,
    }  # fmt: skip
    return Made(order, message, urls, rendered.live, rendered.tokens)


def _as_in_html(urls: dict[int, str], tracked: Callable[[int, str], str]) -> Callable[[str], str]:
    """Return what gives a link of the AMP part the number that it has in the HTML part; one that is not there gets the next."""

    def number(url: str) -> str:
        known = next((position for position, there in urls.items() if there == url), len(urls))
        return tracked(known, url)

    return number


def freeze(conn: Connection, made: Made, now: datetime) -> Frozen | None:
    """Freeze a message under its key; None where that was done before, which stands.

    Args:
        conn: a writing transaction.
        made: the message.
        now: the shop's moment.
    """
    return freeze_all(conn, [made], now).get(made.order.key)


def freeze_all(conn: Connection, made: Sequence[Made], now: datetime) -> dict[str, Frozen]:
    """Freeze messages under their keys and return, by key, those that were not frozen before; see `freeze`."""
    opened = ledger.open_sends(conn, [each.order for each in made], now)
    new = [each for each in made if each.order.key in opened]
    _write(conn, new, now)
    return {each.order.key: Frozen(opened[each.order.key], each.dated(now)) for each in new}


def freeze_anew(conn: Connection, made: Made, now: datetime, *, keyed: bool) -> None:
    """Put a message in the place of the one that was frozen under its key, where that is surely not out.

    Args:
        conn: a writing transaction.
        made: the message, rendered just now.
        now: the shop's moment.
        keyed: whether whoever had the message before keeps its key: what was in doubt there once stays as it is, for other
            bytes under a key are refused.
    """
    key = made.order.key
    send = ledger.load(conn, key)
    if send.state not in (State.PLANNED, State.HELD):
        return
    before = conn.execute(_FROZEN, {"sought": key}).one_or_none()
    if before is None or all(getattr(before, name) == value for name, value in made.message.items()):
        return
    if keyed and ledger.was_in_doubt(conn, key):
        return
    for table in (live_parts, links, messages):
        conn.execute(delete(table).where(table.c.send_key == key))
    _write(conn, [made], now)
    ledger.reorder(conn, made.order)


def _write(conn: Connection, made: Sequence[Made], now: datetime) -> None:
    rows = [{**each.message, "send_key": each.order.key, "tokens": dict(each.tokens), "rendered_at": now} for each in made]
    urls = [{"send_key": each.order.key, "position": i, "url": url} for each in made for i, url in each.urls.items()]
    live = [{"send_key": each.order.key, "number": i, "shows": dict(shows)} for each in made for i, shows in enumerate(each.live)]
    for statement, values in ((_FREEZE, rows), (_LINKS, urls), (_LIVE, live)):
        if values:
            conn.execute(statement, values)


def message_of(conn: Connection, send: SendRow, now: datetime) -> Message:
    """Return the message that was frozen for a send."""
    row = conn.execute(_FROZEN, {"sought": send.key}).one()
    return Message(
        key=send.key, to_address=row.to_address, to_name=row.to_name, from_address=row.from_address, from_name=row.from_name,
        subject=row.subject, html=row.html, text=row.text, headers=row.headers, amp=row.amp,
        date=send.claimed_at or now,  # a second post under a key carries the same bytes
    )  # fmt: skip
