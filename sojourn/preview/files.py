"""Writes a preview into a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sojourn.preview.page import report_page
from sojourn.preview.report import Report

HTML, TEXT, MJML, AMP, RAW = "message.html", "message.txt", "message.mjml", "message.amp.html", "message.eml"
PAGE, DATA = "report.html", "report.json"


def write_message(folder: Path, report: Report) -> list[Path]:
    """Write the parts of a message into a folder, made where it is missing, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made, rendered = report.made, report.made.rendered
    parts = {
        HTML: rendered.html.encode() if rendered else None,
        TEXT: rendered.text.encode() if rendered else None,
        MJML: made.mjml.encode() or None,
        AMP: made.amp.encode() if made.amp is not None else None,
        RAW: made.raw or None,
    }
    written = []
    for name, content in parts.items():
        path = folder / name
        if content is None:
            path.unlink(missing_ok=True)  # of an earlier preview
        else:
            path.write_bytes(content)
            written.append(path)
    return written


def write_report(folder: Path, report: Report, pictures: Mapping[str, bytes]) -> list[Path]:
    """Write a report, as a page and as data, and its pictures, and return the files."""
    page, data = folder / PAGE, folder / DATA
    page.write_text(report_page(report, pictures), "utf-8")
    data.write_text(json.dumps(report.data(), indent=2, ensure_ascii=False, default=str) + "\n", "utf-8")
    for old in folder.glob("*.png"):
        if old.stem not in pictures and old.stem.partition("-")[0] in ("desktop", "phone"):
            old.unlink()
    for name, picture in pictures.items():
        (folder / f"{name}.png").write_bytes(picture)
    return [page, data, *(folder / f"{name}.png" for name in pictures)]
