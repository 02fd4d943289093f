"""What must hold of a persona and a seed list beyond their shape."""

from __future__ import annotations

from sojourn.language import email_address
from sojourn.language.finding import Finding, Findings, Known
from sojourn.language.persona_model import Persona, SeedList
from sojourn.language.problems import unknown
from sojourn.language.profile_model import ProfileSettings


def check_persona(persona: Persona, known: Known, profile: ProfileSettings | None = None) -> list[Finding]:
    """Return all that is wrong with a persona.

    Args:
        persona: its model.
        known: names that exist beside it; those that are None are not checked.
        profile: what is known of a person; a computed trait cannot be given, for it follows from history.
    """
    found = Findings()
    for name in persona.segments:
        if known.segments is not None and name not in known.segments:
            found.add(("segments", name), unknown("segment", name, known.segments), at_key=True)
    for name in persona.scores:
        if known.models is not None and name not in known.models:
            found.add(("scores", name), unknown("model", name, known.models), at_key=True)
    for name in persona.profile:
        if profile is not None and name in profile.computed:
            found.add(("profile", name), f"`{name}` is computed, so it follows from `history`; say what happened there", at_key=True)
    return found.all


def check_seeds(seeds: SeedList) -> list[Finding]:
    """Return all that is wrong with a seed list."""
    found = Findings()
    seen: set[str | None] = set()
    for i, seed in enumerate(seeds.all()):
        if email_address.canonical(seed.address) in seen:
            found.add(("seeds", i), "this address stands here twice")
        seen.add(email_address.canonical(seed.address))
    return found.all
