"""The rules by which words about a person are taken: what `journeys/profile.yaml` declares, ready to be asked often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sojourn.customers.merging import LATEST
from sojourn.customers.normalise import NO_HINTS, TYPES, Hints, Normalise, Refusal, country, country_of_zone, normaliser_of, region
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.shop import ShopSettings

COMPUTED = "computed by Sojourn; nobody can say it"
_PLACES: dict[str, Normalise] = {
    "city": TYPES["text"],
    "region": region(),
    "country": country(),
}  # where they are observed and not declared
_OBSERVED_ONLY = ("usual_device", "usual_hour")


@dataclass(frozen=True)
class Declared:
    """One declared trait.

    Attributes:
        normalise: brings a word into its form, or refuses it.
        merge: which of two words stands; a key of MERGES.
        keep_raw: a refused word is kept as it was said.
        kept_for: how long it is kept after it was last said; None where for ever.
    """

    normalise: Normalise
    merge: str = LATEST
    keep_raw: bool = False
    kept_for: timedelta | None = None


@dataclass(frozen=True)
class Taken:
    """What was taken of an event's traits.

    Attributes:
        values: in their form, by trait.
        refused: traits and why, without the words themselves.
    """

    values: dict[str, Any]
    refused: list[tuple[str, str]]


@dataclass(frozen=True)
class Rules:
    """How words about people are taken.

    Attributes:
        declared: by trait.
        drop_undeclared: of other traits nothing is kept.
        never_said: traits that are computed or observed.
        device: whether the usual device is observed.
        hour: whether the usual hour is observed.
        place: whether city, region and country are observed.
        zone: of people whose own is unknown.
        hints: what the shop tells where the event itself tells nothing.
        confirmed: purposes whose consent counts only once it was confirmed.
    """

    declared: Mapping[str, Declared] = field(default_factory=dict)
    drop_undeclared: bool = False
    never_said: frozenset[str] = frozenset()
    device: bool = False
    hour: bool = False
    place: bool = False
    zone: str = "UTC"
    hints: Hints = NO_HINTS
    confirmed: frozenset[str] = frozenset()

    def take(self, traits: Mapping[str, Any], hints: Hints = NO_HINTS, age: timedelta = timedelta(0)) -> Taken:
        """Return what is taken of traits that were said.

        Args:
            traits: as they were said; null takes one away.
            hints: what the event tells beside them.
            age: how long ago they were said: what is past its retention is not taken up again.
        """
        if not self.declared and not self.drop_undeclared and not self.never_said:
            return Taken(dict(traits), [])
        told = Hints(hints.country or self.hints.country, hints.currency or self.hints.currency)
        taken = Taken({}, [])
        for name, value in traits.items():
            self._take(name, value, told, age, taken)
        return taken

    def _take(self, name: str, value: Any, hints: Hints, age: timedelta, taken: Taken) -> None:
        rule = self.declared.get(name)
        if name in self.never_said:
            taken.refused.append((name, COMPUTED))
        elif rule is None:
            if not self.drop_undeclared:
                taken.values[name] = value
        elif rule.kept_for is not None and age > rule.kept_for:
            return
        elif value is None:
            if rule.merge == LATEST:  # of the others every word counts: none takes an earlier one back
                taken.values[name] = None
        else:
            found = rule.normalise(value, hints)
            if isinstance(found, Refusal):
                taken.refused.append((name, found.reason))
                found = value if rule.keep_raw else None
            if found is not None:
                taken.values[name] = found

    def merge_of(self, name: str) -> str:
        """Return the merge rule of a trait."""
        rule = self.declared.get(name)
        return LATEST if rule is None else rule.merge


DEFAULT = Rules()
"""Without a profile.yaml: every word is kept as it was said, the latest stands, and nothing is observed."""


def rules_of(settings: ProfileSettings, shop: ShopSettings | None = None) -> Rules:
    """Return the rules that a profile.yaml declares, in a shop."""
    observed = settings.observed()
    declared = {
        name: Declared(normaliser_of(rule), rule.merge, rule.on_refusal == "keep_raw", rule.kept_for())
        for name, rule in settings.traits.items()
    }
    for name in _PLACES.keys() & observed.keys():  # declared or not, a place has to be one
        rule = settings.traits.get(name)
        if rule is None or rule.normalise is None:
            declared[name] = Declared(_PLACES[name], kept_for=None if rule is None else rule.kept_for())
    return Rules(
        declared=declared,
        drop_undeclared=settings.undeclared == "drop",
        confirmed=shop.double_opt_in() if shop is not None else frozenset(),
        never_said=frozenset(settings.computed) | (observed.keys() & set(_OBSERVED_ONLY)),
        device="usual_device" in settings.observe,
        hour="usual_hour" in settings.observe,
        place="place" in settings.observe,
        zone="UTC" if shop is None else shop.zone,
        hints=NO_HINTS if shop is None else Hints(country_of_zone(shop.zone), shop.currency),
    )
