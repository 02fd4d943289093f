"""What a page, a link or a query is answered while the store is away or busy: come again, and not that it failed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

RETRY_AFTER_S = 2


def come_again(_request: Request, error: Exception) -> Response:
    """Return 503 with when to ask again."""
    return JSONResponse({"detail": str(error)}, 503, {"retry-after": str(RETRY_AFTER_S)})


__all__ = ["come_again"]
