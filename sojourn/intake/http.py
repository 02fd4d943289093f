"""The HTTP door: Segment's API, as the client libraries of Segment and RudderStack speak it.

A 2xx means that the events are on the disk. What cannot be read as a whole is a 400 with a sentence;
a single bad event is kept in quarantine and answered 200. Too much at once is a 429 or 503 with
Retry-After, which every client library obeys.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import zlib
from collections.abc import Collection
from dataclasses import dataclass

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sojourn.clock import Clock
from sojourn.errors import Overloaded
from sojourn.intake.appender import Appender
from sojourn.intake.envelope import CALLS, Call, Envelope, UnreadableCall, read_call
from sojourn.language.events.schemas import EventSchemas
from sojourn.log_errors import error_fields
from sojourn.tracing import inject, span

MAX_BODY_BYTES = 4 * 1024 * 1024  # as sent and once decompressed; above it nothing is kept
_HEADER_NAMES = re.compile(r"^[A-Za-z0-9-]+(\s*,\s*[A-Za-z0-9-]+)*$")
_DEFAULT_HEADERS = "authorization, content-type, content-encoding, x-retry-count, anonymousid, sentat"
_CODES = {400: "unreadable", 401: "unauthorized", 404: "not_found", 413: "too_large", 415: "unsupported", 503: "overloaded"}
_OPEN = {"access-control-allow-origin": "*", "access-control-expose-headers": "retry-after"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class IntakeSettings:
    """What the routes need to know.

    Attributes:
        write_keys: those that may write.
        public_url: where browsers reach this server; what a browser library is told to send to. Left empty, it is
            taken from the request.
    """

    write_keys: Collection[str]
    public_url: str = ""


def intake_routes(appender: Appender, settings: IntakeSettings, clock: Clock, schemas: EventSchemas | None = None) -> list[Route]:
    """Return the routes: `/v1/{call}`, and what the browser libraries fetch before they send.

    Args:
        appender: writes to the log.
        settings: who may write, and where browsers reach us.
        clock: the shop's.
        schemas: what is declared of events; None asks nothing of them.
    """
    door = _Door(appender, settings, clock, schemas)
    return [
        Route("/v1/{call}", door.take, methods=["POST", "OPTIONS"]),
        Route("/beacon/v1/{call}", door.beacon, methods=["POST", "OPTIONS"]),
        Route("/v1/projects/{write_key}/settings", door.segment_settings, methods=["GET", "OPTIONS"]),
        Route("/sourceConfig/", door.rudder_settings, methods=["GET", "OPTIONS"]),
        Route("/sourceConfig", door.rudder_settings, methods=["GET", "OPTIONS"]),
    ]


class _Refused(Exception):
    """A call that is answered with other than 200."""

    def __init__(self, status: int, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        # Some client libraries read `code` and `message`, and stumble where they are not.
        self.response = _answer({"success": False, "code": _CODES[status], "message": sentence}, status, **headers)


class _Door:
    def __init__(self, appender: Appender, settings: IntakeSettings, clock: Clock, schemas: EventSchemas | None) -> None:
        self._schemas = schemas
        self._appender = appender
        self._settings = settings
        self._keys = [key.encode() for key in settings.write_keys]
        self._clock = clock

    async def take(self, request: Request) -> Response:
        """Take a call of events."""
        if request.method == "OPTIONS":
            return _preflight(request)
        return await self._answered(request, _key_of(request))

    async def beacon(self, request: Request) -> Response:
        """Take a call that a page makes as it goes away: `navigator.sendBeacon` sets no header, so the key stands in the query."""
        if request.method == "OPTIONS":
            return _preflight(request)
        in_query = request.query_params.get("writeKey")
        return await self._answered(request, _key_of(request) if in_query is None else in_query)

    async def _answered(self, request: Request, key: str | None) -> Response:
        try:
            return await self._take(request, key)
        except _Refused as refused:
            return refused.response
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            log.error("a call failed", **error_fields(error, hide_message=True))
            return _Refused(503, "something went wrong here; send it again", **{"retry-after": "5"}).response

    async def _take(self, request: Request, key: str | None) -> Response:
        name = request.path_params["call"]
        if name not in CALLS:
            raise _Refused(404, f"there is no such call; there are {', '.join(sorted(CALLS))}")
        if key is not None and not self._knows(key):
            raise _unauthorized()
        body = await _body(request)
        call = _read(name, body, self._clock, self._schemas)
        if key is None and not (call.write_key and self._knows(call.write_key)):
            raise _unauthorized()
        try:
            with span("intake", events=len(call.envelopes)):
                await self._appender.append(_traced(call.envelopes), call.quarantined)
        except Overloaded as busy:
            raise _Refused(503, str(busy), **{"retry-after": str(busy.retry_after)}) from None
        if not call.quarantined:
            return Response(b'{"success":true}', headers=_OPEN, media_type="application/json")
        return _answer({"success": True, "quarantined": [{"messageId": bad.message_id, "reason": bad.reason} for bad in call.quarantined]})

    def _knows(self, write_key: str) -> bool:
        given = write_key.encode(errors="replace")
        return any(hmac.compare_digest(given, key) for key in self._keys)

    async def segment_settings(self, request: Request) -> Response:
        """Tell analytics-next where to send: here."""
        if request.method == "OPTIONS":
            return _preflight(request)
        write_key = request.path_params["write_key"]
        if not self._knows(write_key):
            return _unauthorized().response
        protocol, _, host = self._public_url(request).partition("://")
        segment = {"apiKey": write_key, "apiHost": f"{host}/v1", "protocol": protocol}
        return _answer({"integrations": {"Segment.io": segment}, "plan": {"track": {"__default": {"enabled": True}}}})

    async def rudder_settings(self, request: Request) -> Response:
        """Tell RudderStack's browser library that its source is known and has no device destinations."""
        if request.method == "OPTIONS":
            return _preflight(request)
        write_key = _key_of(request) or request.query_params.get("writeKey", "")
        if not self._knows(write_key):
            return _unauthorized().response
        source = {
            "id": "sojourn",
            "name": "Sojourn",
            "writeKey": write_key,
            "enabled": True,
            "workspaceId": "sojourn",
            "dataplanes": {},
            "destinations": [],
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
        }
        return _answer({"source": source, "updatedAt": "2026-01-01T00:00:00.000Z"})

    def _public_url(self, request: Request) -> str:
        return (self._settings.public_url or str(request.base_url)).rstrip("/")


def _read(name: str, body: bytes, clock: Clock, schemas: EventSchemas | None) -> Call:
    try:
        return read_call(name, body, received_at=clock.now(), schemas=schemas)
    except UnreadableCall as error:
        raise _Refused(400, str(error)) from None


async def _body(request: Request) -> bytes:
    """Return the body, decompressed, whatever the content type says it is."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _Refused(413, f"a call has at most {MAX_BODY_BYTES} bytes; send smaller batches")
        chunks.append(chunk)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _Refused(415, "the content encoding must be gzip, or none")
    inflater = zlib.decompressobj(wbits=47)  # gzip or zlib, by their headers
    try:
        inflated = inflater.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise _Refused(400, "the body is not gzip, though its content encoding says so") from None
    if len(inflated) > MAX_BODY_BYTES:
        raise _Refused(413, f"a call has at most {MAX_BODY_BYTES} bytes once decompressed; send smaller batches")
    if not inflater.eof:
        raise _Refused(400, "the gzip body ends too early")
    return inflated


def _key_of(request: Request) -> str | None:
    """Return the write key given as the user of Basic authentication; None where there is no such header."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _unauthorized() -> _Refused:
    sentence = "the write key is missing or not known; give it as the user name of Basic authentication or as writeKey in the body"
    return _Refused(401, sentence)


def _preflight(request: Request) -> Response:
    asked = request.headers.get("access-control-request-headers", "")
    headers = {
        **_OPEN,
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": asked if _HEADER_NAMES.match(asked) else _DEFAULT_HEADERS,
        "access-control-max-age": "86400",
    }
    return Response(status_code=204, headers=headers)


def _answer(content: object, status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(content), status_code=status, headers={**_OPEN, **headers}, media_type="application/json")


def _traced(envelopes: list[Envelope]) -> list[Envelope]:
    """Return the events with the present trace, where tracing is on: what follows from them continues it."""
    traceparent = inject()
    if traceparent is None:
        return envelopes
    return [envelope.model_copy(update={"context": {**envelope.context, "traceparent": traceparent}}) for envelope in envelopes]
