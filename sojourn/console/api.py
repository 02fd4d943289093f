"""The admin JSON API under `/api`, described at `/docs`."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from sojourn.clock import SystemClock
from sojourn.console import queries
from sojourn.console.busy import come_again
from sojourn.console.health import health
from sojourn.console.paging import DEFAULT_LIMIT, MAX_LIMIT, BadCursor, parse_cursor
from sojourn.console.views import (
    BrakeView,
    EntryView,
    Health,
    JourneyView,
    MemberView,
    Page,
    Problem,
    ProfileView,
    SegmentView,
    SendDetail,
    SendView,
    TimelineItem,
)
from sojourn.delivery import brakes
from sojourn.errors import NotFound, StoreUnavailable
from sojourn.language.model import Journey, Segment
from sojourn.store.database import Database

_BEARER = HTTPBearer(auto_error=False, description="the admin token, which `sojourn up` shows")
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "the cursor is not from a page of this list"},
    401: {"model": Problem, "description": "no admin token, or a wrong one"},
    404: {"model": Problem, "description": "nobody and nothing is known by this id"},
}
_SHORT = {"max_length": 300}
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="how many at most")]
CursorText = Annotated[str | None, Query(**_SHORT, description="`next` of the page before")]
ProfileQuery = Annotated[str | None, Query(**_SHORT, description="a profile id or external id")]


def admin_app(
    database: Database,
    journeys: Mapping[str, Journey],
    clock: SystemClock,
    admin_token: str,
    temporal: Callable[[], Awaitable[bool]],
    segments: Mapping[str, Segment] = MappingProxyType({}),
) -> FastAPI:
    """Return the application that answers `/api/…`, `/docs` and `/openapi.json`.

    Args:
        database: the store; only read.
        journeys: as checked in, by name.
        clock: the shop's.
        admin_token: what a caller must bear.
        temporal: tells whether Temporal answers, such as `lambda: reachable(address)`.
        segments: as checked in, by name.
    """

    def bears_token(given: HTTPAuthorizationCredentials | None) -> bool:
        return given is not None and hmac.compare_digest(given.credentials.encode(), admin_token.encode())

    async def admin(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        if not bears_token(given):
            challenge = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "give the admin token as `Authorization: Bearer …`; `sojourn up` shows it", challenge)

    app = FastAPI(title="Sojourn", summary="Where each customer's journey stands, and why.", redoc_url=None, version="1")
    app.add_exception_handler(NotFound, _answer(404))
    app.add_exception_handler(BadCursor, _answer(400))
    app.add_exception_handler(StoreUnavailable, come_again)
    guarded: dict[str, Any] = {"dependencies": [Depends(admin)], "responses": _REFUSALS}

    @app.get("/api/health", responses={503: {"model": Health, "description": "no event can be taken"}}, tags=["health"])
    async def get_health(response: Response, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Health:
        """Whether all is well; with the token, each part's state."""
        state = await health(database, clock, temporal)
        response.status_code = 503 if state.status == "down" else 200
        return state if bears_token(given) else state.model_copy(update={"parts": None, "building": 0})

    @app.get("/api/journeys", tags=["journeys"], **guarded)
    async def list_journeys() -> list[JourneyView]:
        """Every journey that is checked in, with what has come of it."""
        return await database.read(queries.journeys, journeys)

    @app.get("/api/segments", tags=["segments"], **guarded)
    async def list_segments() -> list[SegmentView]:
        """Every segment that is checked in, with how many people are in it, and how far its build is."""
        return await database.read(queries.segments, segments)

    @app.get("/api/segments/{name}/members", tags=["segments"], **guarded)
    async def list_members(name: str, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None) -> Page[MemberView]:
        """Who is in a segment, the latest who came first."""
        return await database.read(queries.members_page, segments, name, limit, parse_cursor(cursor))

    # Before the profile itself: an external id may hold slashes.
    @app.get("/api/profiles/{reference:path}/timeline", tags=["people"], **guarded)
    async def get_timeline(reference: str, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None) -> Page[TimelineItem]:
        """What happened to a person, newest first."""
        return await database.read(queries.timeline, reference, limit, parse_cursor(cursor))

    @app.get("/api/profiles/{reference:path}", tags=["people"], **guarded)
    async def get_profile(reference: str) -> ProfileView:
        """A person, by profile id, user id or anonymous id."""
        return await database.read(queries.profile, reference)

    @app.get("/api/entries", tags=["journeys"], **guarded)
    async def list_entries(
        profile: ProfileQuery = None,
        journey: Annotated[str | None, Query(**_SHORT)] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: CursorText = None,
    ) -> Page[EntryView]:
        """Walks along journeys, newest first."""
        return await database.read(queries.entries_page, limit, parse_cursor(cursor), profile=profile, journey=journey)

    @app.get("/api/sends", tags=["sends"], **guarded)
    async def list_sends(
        profile: ProfileQuery = None,
        state: Annotated[str | None, Query(**_SHORT, description="such as accepted or suppressed")] = None,
        limit: Limit = DEFAULT_LIMIT,
        cursor: CursorText = None,
    ) -> Page[SendView]:
        """Messages, sent or not, newest first."""
        return await database.read(queries.sends_page, limit, parse_cursor(cursor), profile=profile, state=state)

    @app.get("/api/sends/{key}", tags=["sends"], **guarded)
    async def get_send(key: str) -> SendDetail:
        """Everything that explains a send: verdicts, transitions, the message, what was judged before it."""
        return await database.read(queries.send, key)

    @app.get("/api/brakes", tags=["sends"], **guarded)
    async def list_brakes(every: Annotated[bool, Query(description="also those that were released")] = False) -> list[BrakeView]:
        """Journeys that were halted by themselves, and alarms, the latest first; `sojourn brakes release` lets them go."""
        found = await database.read(lambda connection: brakes.listed(connection, every=every))
        return [BrakeView.model_validate(one) for one in found]

    return app


def _answer(status: int) -> Callable[[Request, Exception], Response]:
    def answer(_request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, status)

    return answer
