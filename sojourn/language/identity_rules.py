"""How people are told apart: what `identity:` in profile.yaml may say."""

from __future__ import annotations

from sojourn.language.model import Model


class IdentityRules(Model):
    """The rules by which events find their person."""
