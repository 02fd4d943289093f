"""A report, and a gallery of all messages, as pages that stand alone: no script, no other file, readable on a phone.

A message stands in a frame that may do nothing (`sandbox`), and the page's policy loads nothing from anywhere.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sojourn.content.check import GMAIL_CLIPS_AT
from sojourn.preview.findings import Level
from sojourn.preview.making import Made
from sojourn.preview.report import Report
from sojourn.preview.spam import Spam
from sojourn.preview.subjects import Subject

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'"
ALTS = {"desktop": "in light mode", "desktop-dark": "in dark mode", "phone": "in light mode", "phone-dark": "in dark mode"}


@dataclass(frozen=True)
class Card:
    """A message in the gallery.

    Attributes:
        thumbnail: a JPEG; None where there is no Chromium.
    """

    report: Report
    thumbnail: bytes | None = None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=PackageLoader("sojourn.preview"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def report_page(report: Report, pictures: Mapping[str, bytes]) -> str:
    """Return a report as HTML.

    Args:
        report: of one message.
        pictures: PNGs by the name of the screen.
    """
    made = report.made
    case, rendered = made.case, made.rendered
    parts = (f"variant {case.variant}" if case.variant else "", f"for {case.subject.told()}", made.occasion.told())
    shown: dict[str, list[dict[str, str]]] = {"desktop": [], "phone": []}
    for name, picture in pictures.items():
        shown[name.partition("-")[0]].append({"data": _data(picture, "png"), "alt": ALTS[name]})
    return _environment().get_template("report.html").render(
        policy=POLICY, title=f"{case.content}: {rendered.subject if rendered else 'no message'}",
        heading=" · ".join(filter(None, (case.content, *parts))), about=case.subject.description,
        subject=rendered.subject if rendered else None, preheader=rendered.preheader if rendered else None, problem=made.problem,
        tiles=_tiles(report), findings=sorted(report.findings, key=lambda one: one.level is Level.HINT), notes=report.notes, pictures=shown,
        html=rendered.html if rendered else None, text=rendered.text if rendered else None, decisions=report.decisions,
        tokens=report.tokens, links=report.links, headers=headers(made),
        rules=report.spam.rules if isinstance(report.spam, Spam) else (),
    )  # fmt: skip


def gallery(shop: str, cards: Sequence[Card], people: Sequence[Subject], notes: Sequence[str] = ()) -> str:
    """Return all messages as one page.

    Args:
        shop: its name.
        cards: the messages, by content.
        people: for whom they are.
        notes: what could not be shown, and why.
    """
    groups: dict[str, list[Card]] = {}
    for card in cards:
        groups.setdefault(card.report.made.case.content, []).append(card)
    bad = sum(1 for card in cards if card.report.problems)
    mended = f"{bad} of them to mend" if bad else "none of them to mend"
    return _environment().get_template("gallery.html").render(
        policy=POLICY, shop=shop, notes=notes, people=[person for person in people if person.description],
        summary=f"{len(cards)} messages of {len(groups)} contents for {len(people)} people, {mended}.",
        groups=[
            {
                "name": name, "problems": sum(1 for card in found if card.report.problems), "cards": [_card(card) for card in found],
                "sent_by": _sent_by(found[0].report.made),
            }
            for name, found in groups.items()
        ],
    )  # fmt: skip


def headers(made: Made) -> list[tuple[str, str]]:
    """Return the headers of a message as they would be posted, each on one line."""
    head = made.raw.partition(b"\r\n\r\n")[0].decode("ascii", "replace").replace("\r\n ", " ")
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in head.splitlines() if line)]


def spam_told(spam: Spam | str | None) -> str:
    """Return a spam score in a few words."""
    return f"{spam.score:g} of {spam.required:g}" if isinstance(spam, Spam) else "none"


def _tiles(report: Report) -> list[dict[str, str]]:
    if report.made.rendered is None:
        return []
    language, why = report.language()
    problems, clips = len(report.problems), report.html_bytes > GMAIL_CLIPS_AT
    spam = report.spam
    return [
        {"name": "to mend", "value": str(problems), "mood": "bad" if problems else "good", "more": ""},
        {
            "name": "of HTML", "value": kilobytes(report.html_bytes), "mood": "bad" if clips else "",
            "more": f"Gmail cuts at {GMAIL_CLIPS_AT // 1024} kB",
        },
        {
            "name": "spam score", "value": spam_told(spam), "mood": "bad" if isinstance(spam, Spam) and spam.is_spam else "",
            "more": "" if isinstance(spam, Spam) else spam or "",
        },
        {"name": "language", "value": language, "mood": "", "more": why},
        {"name": "links", "value": str(len(report.links)), "mood": "", "more": ""},
    ]  # fmt: skip


def _card(card: Card) -> dict[str, Any]:
    report = card.report
    case, rendered = report.made.case, report.made.rendered
    language, _ = report.language()
    return {
        "subject": rendered.subject if rendered else None, "who": case.subject.name, "variant": case.variant, "language": language,
        "problems": len(report.problems) if rendered else 0, "reason": report.made.problem,
        "findings": [one for one in report.findings if rendered is not None and one.level is Level.PROBLEM],
        "thumbnail": _data(card.thumbnail, "jpeg") if card.thumbnail is not None else None, "html": rendered.html if rendered else None,
        "size": kilobytes(report.html_bytes), "title": f"{case.content} for {case.subject.name}",
    }  # fmt: skip


def _sent_by(made: Made) -> str:
    return f"Sent by {made.occasion.told()}." if made.occasion.journey is not None else "Nothing sends it yet."


def kilobytes(size: int) -> str:
    """Return a size as people read it."""
    return f"{size / 1024:.1f} kB"


def _data(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"
