"""`POST /v1/webhooks/{provider}`: what a provider tells, taken only where its signature is good.

A 200 means that it is on the disk. What is forged, stale or unsigned is a 401, what is too large a 413; where our
store is at fault it is a 503, and the provider comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sojourn.clock import Clock, real_now
from sojourn.delivery.engagement import Emit
from sojourn.delivery.webhooks.base import Forged, Hook, Posted, Unreadable
from sojourn.delivery.webhooks.taking import take
from sojourn.errors import Transient
from sojourn.language.delivery_model import OPTIONS
from sojourn.log_errors import error_fields
from sojourn.metrics import metrics
from sojourn.store.database import Database

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_NOTICES = 10_000
PATH = "/v1/webhooks"

log = structlog.get_logger(__name__)


class WebhookDoor:
    """Routes for providers.

    Args:
        db: the store.
        hooks: who reads whose posts, by provider.
        clock: the shop's.
        emit: appends events to the log.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
        public_url: SOJOURN_PUBLIC_URL, under which providers were given our address.
        real: says what time it really is; signatures carry real time, whatever the shop's.
    """

    def __init__(
        self,
        db: Database,
        hooks: Mapping[str, Hook],
        clock: Clock,
        emit: Emit,
        *,
        secret: str,
        public_url: str,
        real: Callable[[], datetime] = real_now,
    ) -> None:
        self._db = db
        self._hooks = hooks
        self._clock = clock
        self._emit = emit
        self._secret = secret
        self._public_url = public_url.rstrip("/")
        self._real = real

    def routes(self) -> list[Route]:
        """Return the route; some providers look first whether anyone is there, with HEAD or GET."""
        return [Route(f"{PATH}/{{provider}}", self.take, methods=["GET", "HEAD", "POST"])]

    async def take(self, request: Request) -> Response:
        """Take a post."""
        name = request.path_params["provider"]
        hook = self._hooks.get(name)
        if request.method != "POST" and (hook is not None or name in OPTIONS):  # some tell their key only once someone is there
            return _said(200, "post here")
        if hook is None:
            return _said(404, "no such webhook; name the provider in delivery.yaml and set its key")
        try:
            body = await _body(request)
            if body is None:
                return self._refused(name, "too_large", 413, "too large")
            posted = Posted(f"{self._public_url}{PATH}/{name}", dict(request.headers), body)
            told = await hook.read(posted, self._real())
        except Forged as error:
            return self._refused(name, "forged", 401, str(error))
        except Unreadable as error:
            return self._refused(name, "unreadable", 400, str(error))
        except Transient as error:
            return self._refused(name, "busy", 503, str(error))
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # a shape that nobody foresaw: it is not taken, and it must be seen
            log.error("a webhook could not be read", provider=name, **error_fields(error, hide_message=True))
            return self._refused(name, "unreadable", 400, "cannot be read")
        if len(told) > MAX_NOTICES:
            return self._refused(name, "too_large", 413, "too many events in one post")
        try:
            taken = await self._db.write(take, name, told, self._clock.now(), self._secret, self._emit)
        except Exception as error:
            log.error("a webhook could not be kept; its provider comes again", provider=name, **error_fields(error, hide_message=True))
            return Response(status_code=503, headers={"retry-after": "30"})
        if taken.foreign:
            log.info("a provider told of messages that are none of ours", provider=name, count=taken.foreign)
        return _said(200, "taken")

    def _refused(self, provider: str, why: str, status: int, sentence: str) -> Response:
        metrics().webhooks_refused.labels(provider, why).inc()
        log.warning("a webhook was refused", provider=provider, why=why, said=sentence)
        return _said(status, sentence)


def _said(status: int, sentence: str) -> Response:
    return Response(sentence, status, media_type="text/plain")


async def _body(request: Request) -> bytes | None:
    """Return the body; None where it is larger than allowed, and then no more of it is read."""
    try:
        if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
            return None
    except ValueError:
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
