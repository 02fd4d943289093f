"""Deliverability as a page that stands alone: no script, no other file, readable on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sojourn.delivery.brakes import Brake
from sojourn.reports.deliverability import By, Row

WIDTH, HEIGHT, MARGIN = 680, 170, 26
GOOD = ("delivered", "opened", "clicked")
BAD = ("hard", "soft", "complained", "unsubscribed")
WORDS = {
    "delivered": "delivered", "opened": "opened (people)", "clicked": "clicked (people)", "hard": "hard bounces", "soft": "soft bounces",
    "complained": "complaints", "unsubscribed": "unsubscribed",
}  # fmt: skip
TITLES = {
    By.CONTENT: "By content", By.JOURNEY: "By journey", By.PROVIDER: "By provider", By.DOMAIN: "By the recipient's domain",
    By.SEGMENT: "By segment (as it is now)",
}  # fmt: skip
MOST_SHOWN = 40


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=PackageLoader("sojourn.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def page(
    shop: str, whole: Row, groups: Mapping[By, Sequence[Row]], days: Sequence[tuple[date, Row]], brakes: Sequence[Brake],
    since: datetime, until: datetime,
) -> str:  # fmt: skip
    """Return the page as HTML.

    Args:
        shop: its name.
        whole: all messages.
        groups: what became of them, by what they are told apart by.
        days: what became of each day's.
        brakes: brakes and alarms that are on.
        since: from then on.
        until: before then.
    """
    return _environment().get_template("deliverability.html").render(
        shop=shop,
        since=f"{since:%d %B %Y, %H:%M}",
        until=f"{until:%d %B %Y, %H:%M} UTC",
        whole=whole,
        tiles=[{"name": WORDS[what], "count": f"{getattr(whole, what):,}", "share": percent(whole.share(what))} for what in (*GOOD, *BAD)],
        sections=[{"title": TITLES[by], "rows": [_row(row) for row in rows[:MOST_SHOWN]], "more": len(rows) - MOST_SHOWN}
                  for by, rows in groups.items() if rows],
        days=_days(days),
        size={"width": WIDTH, "height": HEIGHT, "margin": MARGIN},
        brakes=brakes,
    )  # fmt: skip


def percent(part: float) -> str:
    """Return a share as people read it: more digits where it is small."""
    return f"{part:.1%}" if part >= 0.1 or part == 0 else f"{part:.2%}"


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "sent": f"{row.sent:,}",
        "good": [{"what": WORDS[what], "kind": what, "share": percent(row.share(what)), "wide": row.share(what) * 100} for what in GOOD],
        # Of what goes wrong a per cent is much already: their bars are ten times as long.
        "bad": [
            {"what": WORDS[what], "kind": what, "share": percent(row.share(what)), "wide": min(row.share(what) * 1000, 100)} for what in BAD
        ],
    }


def _days(days: Sequence[tuple[date, Row]]) -> list[dict[str, Any]]:
    most = max((row.sent for _, row in days), default=0) or 1
    wide = (WIDTH - 2) / max(len(days), 1)
    room = HEIGHT - MARGIN
    found = []
    for i, (day, row) in enumerate(days):
        high, fine = row.sent / most * room, row.delivered / most * room
        bad = f"{row.hard + row.soft:,} bounced, {row.complained:,} complaints"
        found.append(
            {
                "x": round(i * wide + 1, 1), "wide": round(max(wide - 2, 1), 1), "y": round(room - high, 1), "high": round(high, 1),
                "fine_y": round(room - min(fine, high), 1), "fine": round(min(fine, high), 1),
                "label": f"{day:%d %b}" if i % max(len(days) // 8, 1) == 0 else "",
                "told": f"{day:%d %b}: {row.sent:,} sent, {row.delivered:,} delivered, {bad}",
            }
        )  # fmt: skip
    return found
