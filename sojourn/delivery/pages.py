"""Renders the pages of this room."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    loader = PackageLoader("sojourn.delivery")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def page(name: str, headers: Mapping[str, str] | None = None, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page from a template of this room; `time_scale` is shown where it is not 1."""
    values.setdefault("time_scale", 1.0)
    safe = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", **(headers or {})}
    return HTMLResponse(_templates().get_template(name).render(values), status, safe)
