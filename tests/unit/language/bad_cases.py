"""Reads one definition beside a few known names, as the cases in tests/bad_definitions expect."""

from __future__ import annotations

from sojourn.language.finding import Known
from sojourn.language.loader import (
    DefinitionError,
    Problem,
    load_clusters,
    load_event,
    load_journey,
    load_persona,
    load_profile,
    load_resolution,
    load_seeds,
    load_segment,
    load_shop,
    load_stages,
)

KNOWN = Known(
    contents=frozenset({"cart_reminder", "cart_offer"}),
    models=frozenset({"rfm", "purchase_propensity"}),
    segments=frozenset({"high_value"}),
    journeys=frozenset({"sample", "onboarding"}),
    purposes=frozenset({"marketing", "transactional"}),
    hosts=frozenset({"api.shop.example"}),
    topics={"offers": "marketing", "receipts": "billing"},
)


def problems_in(text: str | bytes, kind: str = "journey", file: str = "case.yaml") -> list[Problem]:
    """Return the problems of a definition; none where it is a good one."""
    try:
        if kind == "journey":
            load_journey(text, file, KNOWN)
        elif kind == "segment":
            load_segment(text, file)
        elif kind == "profile":
            load_profile(text, file)
        elif kind == "event":
            load_event(text, file)
        elif kind == "resolution":
            load_resolution(text, file)
        elif kind == "stages":
            load_stages(text, file)
        elif kind == "clusters":
            load_clusters(text, file)
        elif kind == "persona":
            load_persona(text, file)
        elif kind == "seeds":
            load_seeds(text, file)
        else:
            load_shop(text, file)
    except DefinitionError as error:
        return error.problems
    return []
