"""Countries as ISO 3166 alpha-2 and regions as ISO 3166-2, from their codes or their names in many languages.

The names are data/countries.json (Unicode CLDR, 34 languages) and data/regions.json (ISO 3166-2 with local names);
data/NOTICE.md says whence and under which licence. A time zone's country comes from tzdata's own table.
"""

from __future__ import annotations

import json
import unicodedata
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from sojourn.customers.normalise.outcome import NOT_TEXT, Hints, Normalise, Refusal

MAX_LENGTH = 120
_ACCENTS = ("\u0300", "\u036f")


def country() -> Normalise:
    """Return a normaliser of countries: `Germany`, `Deutschland`, `DEU` and `de` are DE."""

    def normalise(value: Any, hints: Hints) -> Any:
        if not isinstance(value, str):
            return NOT_TEXT
        return country_of(value) or Refusal("no country that is known")

    return normalise


def region(country: str | None = None) -> Normalise:
    """Return a normaliser of regions: `Bavaria`, `Bayern`, `BY` and `DE-BY` are DE-BY, where the country is Germany."""

    def normalise(value: Any, hints: Hints) -> Any:
        if not isinstance(value, str):
            return NOT_TEXT
        return region_of(value, hints.country or country)

    return normalise


@lru_cache(maxsize=4096)
def country_of(text: str) -> str | None:
    """Return the alpha-2 code of a country's code or name; None where it is none that is known."""
    return _countries().get(_key(text)) if len(text) <= MAX_LENGTH else None


@lru_cache(maxsize=4096)
def region_of(text: str, country: str | None) -> str | Refusal:
    """Return the ISO 3166-2 code of a region's code or name, in a country where the text itself names none."""
    if len(text) > MAX_LENGTH:
        return Refusal("no region that is known")
    plain = text.strip().upper()
    ahead, dash, code = plain.partition("-")
    if dash and ahead in _regions() and code in _regions()[ahead]["codes"]:
        return plain
    if country is None or country not in _regions():
        return Refusal("no country is known that the region could lie in")
    known = _regions()[country]
    if plain in known["codes"]:
        return f"{country}-{plain}"
    found = known["names"].get(_key(text))
    return f"{country}-{found}" if found else Refusal("no region of its country that is known")


@lru_cache(maxsize=1024)
def country_of_zone(zone: str) -> str | None:
    """Return the country that a time zone such as Europe/Berlin lies in; None where it lies in none."""
    return _zones().get(zone)


def _key(text: str) -> str:
    """Return a name without what people leave out: capitals, accents, points."""
    flat = unicodedata.normalize("NFKD", text.casefold())
    flat = unicodedata.normalize("NFKC", "".join(c for c in flat if not _ACCENTS[0] <= c <= _ACCENTS[1]))
    return " ".join("".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in flat).split())


@cache
def _countries() -> dict[str, str]:
    return _read("countries.json")


@cache
def _regions() -> dict[str, Any]:
    return _read("regions.json")


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(resources.files(__package__).joinpath("data", name).read_text("utf-8"))
    return found


@cache
def _zones() -> dict[str, str]:
    """Return the country of each zone, those by an older name (Asia/Calcutta, which browsers still tell) among them."""
    folder = resources.files("tzdata").joinpath("zoneinfo")
    lines = [line.split("\t") for line in folder.joinpath("zone.tab").read_text("utf-8").splitlines() if not line.startswith("#")]
    found = {zone: country for country, _, zone, *_ in lines}
    for line in folder.joinpath("tzdata.zi").read_text("utf-8").splitlines():
        kind, *names = line.split(" ")
        if kind == "L" and names[1] not in found and names[0] in found:
            found[names[1]] = found[names[0]]
    return found
