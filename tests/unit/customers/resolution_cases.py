"""A shop whose customers came twice, with slips of the key in between."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from sojourn.language.loader import load_resolution
from sojourn.language.resolution_model import ResolutionSettings
from sojourn.store.tables import identifiers, merges, profiles

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_FIRST = tuple(
    "anna berta carla dora emma frieda greta hanna ida johanna karla lena maria nora olga paula rosa sara tilda ursula".split()  # noqa: SIM905
)
_LAST = tuple(
    "ackermann brandt claasen dietrich ehlers fischer grothe hartwig iversen jansen krueger lorenzen mahler nissen quast".split()  # noqa: SIM905
)
_CITIES = ["berlin", "hamburg", "bremen", "kiel", "rostock", "leipzig", "dresden", "erfurt", "mainz"]
SETTINGS = """
compare:
  - {trait: first_name, as: name}
  - {trait: last_name, as: name}
  - {trait: birth_date, as: date}
  - {trait: postcode, as: postcode}
  - {trait: city, as: text}
block:
  - [first_name, last_name]
  - [birth_date]
  - [postcode]
certain:
  - [first_name, last_name, birth_date]
  - [last_name, birth_date, postcode]
learn:
  - [first_name, last_name]
  - [birth_date]
lower: 0.2
upper: 0.99
sample_pairs: 100000
"""


def settings(**changed: Any) -> ResolutionSettings:
    """Return the settings of the cases, some of them changed."""
    return load_resolution(SETTINGS).model_copy(update=changed)


def customers(people: int = 150, twice: int = 60, seed: int = 7) -> dict[str, dict[str, str]]:
    """Return traits by profile id: `a-7` is person 7, `b-7` the same person, written a second time in a hurry."""
    dice = random.Random(seed)
    found: dict[str, dict[str, str]] = {}
    for number in range(people):
        born = datetime(1950, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(18_000))
        traits = {
            "first_name": dice.choice(_FIRST), "last_name": dice.choice(_LAST), "birth_date": f"{born:%Y-%m-%d}",
            "postcode": f"{dice.randrange(10_000, 99_999)}", "city": dice.choice(_CITIES),
        }  # fmt: skip
        found[f"a-{number}"] = traits
        if number < twice:
            again = dict(traits)
            slip = dice.choice(["last_name", "first_name", "postcode", "birth_date", "city"])
            if slip in ("postcode", "city"):
                again.pop(slip)
            else:
                place = dice.randrange(1, len(again[slip]))
                again[slip] = again[slip][: place - 1] + "7" + again[slip][place:]
            found[f"b-{number}"] = again
    return found


def store(connection: Connection, known: dict[str, dict[str, str]]) -> None:
    """Write the profiles, each with a user id of its own."""
    rows = [{"id": id_, "traits": traits, "first_seen": NOW, "last_seen": NOW} for id_, traits in known.items()]
    connection.execute(insert(profiles), rows)
    connection.execute(insert(identifiers), [{"kind": "anonymous_id", "value": id_, "profile_id": id_, "since": NOW} for id_ in known])


def merged(connection: Connection) -> set[tuple[str, str]]:
    """Return every merge that was made, the loser first."""
    return {tuple(row) for row in connection.execute(select(merges.c.loser_id, merges.c.winner_id))}


def everything(connection: Connection) -> list[Any]:
    """Return all that the store says of profiles."""
    return sorted(tuple(row) for row in connection.execute(select(profiles.c.id, profiles.c.merged_into)))
