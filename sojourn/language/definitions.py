"""All that a team has checked in, parsed: journeys, segments and the shop."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sojourn.language.broadcast_model import Broadcast
from sojourn.language.catalog_model import Catalog, RecommendationSettings
from sojourn.language.conditions import Calendar
from sojourn.language.events.known import epoch_paths
from sojourn.language.events.model import EventDefinition
from sojourn.language.model import Journey, Segment
from sojourn.language.moments import zone_named
from sojourn.language.persona_model import Persona
from sojourn.language.problems import Problem
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.shop import ShopSettings

NOT_OF_THE_VERSION = {"examples", "description", "owner"}


@dataclass(frozen=True)
class Definitions:
    """A folder of definitions, loaded and checked.

    Attributes:
        contents: names of the contents that a `send` may name.
        models: names of the models that a `score` may name.
        profile: what is known of a person; without a profile.yaml every trait is kept as it is said.
        events: what is declared of events, by their names.
        warnings: what is suspicious and no mistake, each with its place.
        personas: made-up people for whom messages are previewed.
        catalog: what is sold.
        recommendations: which items are shown to whom.
    """

    journeys: dict[str, Journey]
    segments: dict[str, Segment]
    shop: ShopSettings
    folder: Path
    contents: frozenset[str] = field(default_factory=frozenset)
    models: frozenset[str] = field(default_factory=frozenset)
    profile: ProfileSettings = field(default_factory=ProfileSettings)
    events: dict[str, EventDefinition] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    broadcasts: dict[str, Broadcast] = field(default_factory=dict)
    personas: dict[str, Persona] = field(default_factory=dict)
    catalog: Catalog = field(default_factory=Catalog)
    recommendations: RecommendationSettings = field(default_factory=RecommendationSettings)

    @cached_property
    def calendar(self) -> Calendar:
        """How conditions read moments: in the shop's zone, where a person's is not known, and by the schemas of events."""
        epochs = {name: frozenset(epoch_paths(event.properties)) for name, event in self.events.items()}
        return Calendar(zone_named(self.shop.zone), {name: paths for name, paths in epochs.items() if paths})


def version(journey: Journey) -> str:
    """Return the version of a journey: the same for the same behaviour, whatever its prose and examples (SHA-256, hex).

    Keys keep the author's order, since the order of a split's arms decides who falls into which.
    """
    data = journey.model_dump(mode="json", by_alias=True, exclude=NOT_OF_THE_VERSION, exclude_defaults=True)
    return hashlib.sha256(json.dumps(data, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()
