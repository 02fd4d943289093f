"""How words about people and events are taken: as the shop's definitions say, the same as at intake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sojourn.customers.declared import Rules, rules_of
from sojourn.language.events.model import EventDefinition
from sojourn.language.events.schemas import EventSchemas
from sojourn.language.identity_rules import IdentityRules
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.shop import ShopSettings


@dataclass(frozen=True)
class Policy:
    """What a shop's definitions say of people and events.

    Attributes:
        profile: what is known of a person (profile.yaml).
        shop: the shop (shop.yaml); None where there is none.
        events: the declared events, by name.
        secret: SOJOURN_SECRET_KEY, under which addresses are kept that refused.
    """

    profile: ProfileSettings = field(default_factory=ProfileSettings)
    shop: ShopSettings | None = None
    events: Mapping[str, EventDefinition] = field(default_factory=dict)
    secret: str = field(default="", repr=False)

    @cached_property
    def rules(self) -> Rules:
        """How words about people are taken."""
        return rules_of(self.profile, self.shop)

    @cached_property
    def identity(self) -> IdentityRules:
        """How identifiers join profiles."""
        return self.profile.identity

    @cached_property
    def schemas(self) -> EventSchemas | None:
        """What is asked of events; None where nothing is declared of them."""
        undeclared = "accept" if self.shop is None else self.shop.undeclared_events
        return EventSchemas(self.events, undeclared) if self.events or undeclared != "accept" else None

    @cached_property
    def as_said(self) -> bool:
        """Tell whether every word is kept as it was said, and nothing is observed: then a new person is what a row says."""
        rules = self.rules
        return not (rules.declared or rules.drop_undeclared or rules.never_said or rules.device or rules.hour or rules.place)

    def texts(self) -> tuple[str, str | None]:
        """Return what is said of people as texts, for another process; see `of_texts`."""
        shop = None if self.shop is None else self.shop.model_dump_json(by_alias=True, exclude_unset=True)
        return self.profile.model_dump_json(by_alias=True, exclude_unset=True), shop


def of_texts(profile: str, shop: str | None) -> Policy:
    """Return what `texts` wrote; nothing is known of events."""
    return Policy(ProfileSettings.model_validate_json(profile), None if shop is None else ShopSettings.model_validate_json(shop))
