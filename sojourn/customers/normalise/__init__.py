"""Brings what is said of people into one form, or says why it cannot."""

from __future__ import annotations

from sojourn.customers.normalise.dates import dates
from sojourn.customers.normalise.email import email
from sojourn.customers.normalise.names import names
from sojourn.customers.normalise.outcome import NO_HINTS, Hints, Normalise, Refusal
from sojourn.customers.normalise.phone import phone
from sojourn.customers.normalise.places import country, country_of, country_of_zone, region, region_of
from sojourn.customers.normalise.values import TYPES
from sojourn.language.profile_model import Normaliser, TraitRule

__all__ = [
    "NO_HINTS", "TYPES", "Hints", "Normalise", "Refusal", "country", "country_of", "country_of_zone", "dates", "email", "names",
    "normaliser_of", "phone", "region", "region_of",
]  # fmt: skip


def normaliser_of(rule: TraitRule) -> Normalise:
    """Return what brings a declared trait into its form: its normaliser, or that of its type."""
    return TYPES[rule.type] if rule.normalise is None else _named(rule.normalise)


def _named(options: Normaliser) -> Normalise:
    match options.by:
        case "email":
            return email(options.keep_case, options.drop_tag, options.fold_gmail)
        case "phone":
            return phone(options.country)
        case "country":
            return country()
        case "region":
            return region(options.country)
        case "name":
            return names(options.part)
        case "date":
            return dates(options.order)
