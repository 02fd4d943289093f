"""The effect of a `call` step: a signed POST that is tried until it is answered, for as long as its author says.

The row in `calls` is what makes it one call: whoever comes after an answer finds it. Between a POST and its answer a
worker may die, so a second POST is possible; it bears the same key, by which the other side tells that it is the same.
The form is that of Standard Webhooks, so that receivers find a library for it in their language.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import orjson
from sqlalchemy import Connection, select, update

from sojourn.errors import SettingsError, Unanswerable, Unanswered
from sojourn.language.durations import parse_duration
from sojourn.language.model import Call
from sojourn.outbound import Got, Outbound
from sojourn.store.bulk import insert_new
from sojourn.store.tables import calls

SECONDS = 10.0  # that one try may take
SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret of Standard Webhooks begins
TRYING, ANSWERED, GAVE_UP = "trying", "answered", "failed"


@dataclass(frozen=True)
class Called:
    """How far a call is.

    Attributes:
        state: trying, answered or failed.
        because: who answered and how, or why nobody did.
    """

    state: str
    because: str
    begun_at: datetime
    attempts: int = 0


def call_key(workspace: UUID, entry_id: str, cursor: str) -> str:
    """Return the key that all tries of one call bear."""
    return str(uuid5(workspace, f"call:{len(entry_id)}:{entry_id}{cursor}"))


def begin(connection: Connection, entry_id: str, cursor: str, keep: str | None, now: datetime) -> Called:
    """Note another try and return how far the call is; one that was settled stays so."""
    row = {"entry_id": entry_id, "cursor": cursor, "name": keep, "state": TRYING, "attempts": 0, "begun_at": now}
    insert_new(connection, calls, [row])
    here = (calls.c.entry_id == entry_id, calls.c.cursor == cursor)
    connection.execute(update(calls).where(*here, calls.c.state == TRYING).values(attempts=calls.c.attempts + 1))
    found = connection.execute(select(calls).where(*here)).one()
    return Called(found.state, found.because or "", found.begun_at, found.attempts)


def settle(connection: Connection, entry_id: str, cursor: str, state: str, because: str, answer: Any, now: datetime) -> None:
    """Write down what came of a try; what was settled before stays as it is."""
    here = (calls.c.entry_id == entry_id, calls.c.cursor == cursor, calls.c.state == TRYING)
    settled = None if state == TRYING else now
    connection.execute(update(calls).where(*here).values(state=state, because=because[:500], answer=answer, settled_at=settled))


def answers_of(connection: Connection, entry_id: str) -> Mapping[str, Any]:
    """Return the answers that an entry keeps, by their names."""
    here = (calls.c.entry_id == entry_id, calls.c.state == ANSWERED, calls.c.name.is_not(None))
    return {row.name: row.answer for row in connection.execute(select(calls.c.name, calls.c.answer).where(*here))}


def signed(key: str, secret: str, body: bytes, at: datetime) -> dict[str, str]:
    """Return the headers of a call: who it is, when it was signed, and the signature over both and the raw body.

    Args:
        key: of the call; the same for each try.
        secret: SOJOURN_CALL_KEY, `whsec_` and base64.
        body: as it is posted.
        at: the real moment; a receiver refuses what is old.

    Raises:
        SettingsError: there is no such secret.
    """
    try:
        raw = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        raw = b""
    if len(raw) < 24:
        raise SettingsError("SOJOURN_CALL_KEY is missing or too short; a `call` is signed by it: whsec_ and 24 bytes or more in base64")
    time = str(int(at.timestamp()))
    digest = hmac.new(raw, f"{key}.{time}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "webhook-id": key,
        "webhook-timestamp": time,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def body_of(key: str, step: Call, journey: str, cursor: str, user_id: str | None, trigger: Mapping[str, Any]) -> bytes:
    """Return what is posted: whom it is about by the shop's own id, the event that began the entry, and the step's values."""
    told = {
        "id": key, "type": "journey.call", "journey": journey, "step": cursor, "user_id": user_id,
        "event": {name: trigger.get(name) for name in ("name", "time", "properties")}, "with": step.with_,
    }  # fmt: skip
    return orjson.dumps(told, default=str)


async def post(outbound: Outbound, step: Call, body: bytes, headers: Mapping[str, str], called: Called, now: datetime) -> tuple[str, Got]:
    """Post a call once and return its state, with the answer or why there is none.

    Args:
        outbound: asks other services.
        step: the call.
        body: as signed.
        headers: of `signed`.
        called: how far it is.
        now: the shop's moment.
    """
    try:
        return ANSWERED, await outbound.post(step.call, body, headers, SECONDS)
    except Unanswerable as error:
        return GAVE_UP, Got(None, str(error))
    except Unanswered as error:
        if now - called.begun_at < parse_duration(step.up_to):
            return TRYING, Got(None, str(error))
        return GAVE_UP, Got(None, f"{error}; tried {called.attempts} times in {step.up_to}")
