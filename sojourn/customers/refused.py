"""Keeps what was refused of the words about people, and reads it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from sojourn.store.bulk import insert_new
from sojourn.store.tables import trait_refusals

MAX_TRAIT = 200


def row(profile_id: str, trait: str, reason: str, because_of: str, at: datetime, origin_id: str | None = None) -> dict[str, Any]:
    """Return a row of `trait_refusals`; of one event and one trait there is one."""
    origin = None if origin_id == profile_id else origin_id
    return {"message_id": because_of, "trait": trait[:MAX_TRAIT], "profile_id": profile_id, "origin_id": origin, "reason": reason, "at": at}


def record(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep rows made by `row`; one already kept is left as it is."""
    insert_new(connection, trait_refusals, rows)


def of_person(connection: Connection, profile_ids: Sequence[str], limit: int = 100) -> list[tuple[str, str, datetime]]:
    """Return trait, reason and moment of what was refused of a person's profiles, the latest first."""
    query = select(trait_refusals.c.trait, trait_refusals.c.reason, trait_refusals.c.at).where(trait_refusals.c.profile_id.in_(profile_ids))
    return [(found.trait, found.reason, found.at) for found in connection.execute(query.order_by(trait_refusals.c.at.desc()).limit(limit))]
