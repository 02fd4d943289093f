"""Takes traits away that are past their retention, a page of profiles at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from sojourn.customers.declared import Rules
from sojourn.customers.place import GUESSED
from sojourn.store.tables import profiles, trait_refusals
from sojourn.store.types import to_micros

PAGE = 500
REFUSALS_KEPT_FOR = timedelta(days=90)
REFUSALS_AT_ONCE = 2_000
_PAGE = (
    select(profiles.c.id, profiles.c.traits, profiles.c.trait_times, profiles.c.own)
    .where(profiles.c.id > bindparam("after"))
    .order_by(profiles.c.id)
    .limit(bindparam("page"))
    .with_for_update()
)
_UPDATE = (
    update(profiles)
    .where(profiles.c.id == bindparam("b_id"))
    .values(traits=bindparam("b_traits"), trait_times=bindparam("b_trait_times"), own=bindparam("b_own"))
)


@dataclass(frozen=True)
class Expired:
    """What one page came to.

    Attributes:
        profile_ids: whose traits were taken away; their segments may have changed.
        values: how many traits were taken away.
        after: where the next page begins; None where this was the last.
    """

    profile_ids: tuple[str, ...] = ()
    values: int = 0
    after: str | None = None


def expire(connection: Connection, now: datetime, rules: Rules, after: str = "", page: int = PAGE) -> Expired:
    """Take away what is past its retention in one page of profiles, and refusals that are too old.

    Call it with `after` of the last answer until that is None; each page may have its own transaction, and doing it
    again changes nothing. A trait's retention counts from when it was last said.

    Args:
        connection: of a writing transaction.
        now: the shop's moment.
        rules: what is declared.
        after: the id after which the page begins.
        page: how many profiles.
    """
    if not after:
        ended = select(trait_refusals.c.message_id).where(trait_refusals.c.at < now - REFUSALS_KEPT_FOR).limit(REFUSALS_AT_ONCE)
        gone = (trait_refusals.c.message_id.in_(ended), trait_refusals.c.at < now - REFUSALS_KEPT_FOR)
        if connection.execute(delete(trait_refusals).where(*gone)).rowcount >= REFUSALS_AT_ONCE:
            return Expired(after="")  # there are more; the people come after them
    limits = {name: to_micros(now - rule.kept_for) for name, rule in rules.declared.items() if rule.kept_for is not None}
    if not limits:
        return Expired()
    rows = connection.execute(_PAGE, {"after": after, "page": page}).all()
    changed = []
    values = 0
    for row in rows:
        old = _past(row.trait_times, limits)
        own = _own_without(row.own, limits)  # else an unmerge would bring back what was taken away
        if old or own != row.own:
            values += len(old & row.traits.keys())
            traits, times = _without(row.traits, old), _times_without(row.trait_times, old)
            changed.append({"b_id": row.id, "b_traits": traits, "b_trait_times": times, "b_own": own})
    if changed:
        connection.execute(_UPDATE, changed)
    return Expired(tuple(row["b_id"] for row in changed), values, rows[-1].id if len(rows) == page else None)


def _past(times: Mapping[str, Any], limits: Mapping[str, int]) -> set[str]:
    said = times.get("traits", {})
    return {name for name, limit in limits.items() if GUESSED < said.get(name, GUESSED) < limit}


def _own_without(own: Mapping[str, Any] | None, limits: Mapping[str, int]) -> Mapping[str, Any] | None:
    old = _past(own["times"], limits) if own is not None else set()
    if own is None or not old:
        return own
    return {**own, "traits": _without(own["traits"], old), "times": _times_without(own["times"], old)}


def _without(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _times_without(times: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {kind: _without(values, names) if kind in ("traits", "rules") else values for kind, values in times.items()}
