"""Reads a team's folder of definitions, strictly, and says everything that is wrong in one go.

journeys/shop.yaml            the shop
journeys/profile.yaml         what is known of a person
journeys/resolution.yaml      which profiles are one person's
journeys/stages.yaml          RFM groups and life-cycle stages (may be left out)
journeys/clusters.yaml        how clusters are made (may be left out)
journeys/delivery.yaml        who carries messages away (may be left out)
journeys/catalog.*            what is sold: yaml, csv or jsonl (may be left out)
journeys/recommendations.yaml which items are shown to whom (may be left out)
journeys/*.yaml               journeys
journeys/segments/*.yaml      segments
journeys/broadcasts/*.yaml    broadcasts
journeys/personas/*.yaml      made-up people for whom messages are previewed
journeys/seeds.yaml           addresses that tests of messages go to (may be left out)
journeys/events/*.yaml        events: what their properties must be
journeys/models/*.yaml        models, known here by their names
journeys/content/*.mjml       contents, known here by their names
"""

from __future__ import annotations

from pathlib import Path

from sojourn.language.asked import check_segments
from sojourn.language.broadcast_checks import check_broadcast
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.catalog import RECOMMENDATIONS_FILE, check_recommendations
from sojourn.language.catalog_model import Catalog, RecommendationSettings
from sojourn.language.checks import check_journey
from sojourn.language.clusters_model import ClustersModel
from sojourn.language.definitions import Definitions
from sojourn.language.delivery_model import DeliverySettings
from sojourn.language.events.checks import check_event
from sojourn.language.events.model import EventDefinition
from sojourn.language.examining import (
    CLUSTERS_FILE,
    DELIVERY_FILE,
    EVENTS,
    PROFILE_FILE,
    RESOLUTION_FILE,
    SEEDS_FILE,
    SHOP_FILE,
    STAGES_FILE,
    examine,
)
from sojourn.language.finding import NOTHING_KNOWN, Known
from sojourn.language.model import Journey, Segment
from sojourn.language.parsing import by_name, load_text, parse_text, placed, read_all, yaml_files
from sojourn.language.persona_checks import check_persona, check_seeds
from sojourn.language.persona_model import Persona, SeedList
from sojourn.language.problems import DefinitionError, Problem
from sojourn.language.profile_checks import check_profile
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.resolution_model import ResolutionSettings
from sojourn.language.shop import ShopSettings
from sojourn.language.shop_checks import check_shop
from sojourn.language.stages_model import StagesModel

__all__ = [
    "CLUSTERS_FILE",
    "DELIVERY_FILE",
    "EVENTS",
    "PROFILE_FILE",
    "RESOLUTION_FILE",
    "SEEDS_FILE",
    "SHOP_FILE",
    "STAGES_FILE",
    "DefinitionError",
    "Definitions",
    "Problem",
    "load",
    "load_broadcast",
    "load_clusters",
    "load_delivery",
    "load_event",
    "load_events",
    "load_journey",
    "load_persona",
    "load_profile",
    "load_recommendations",
    "load_resolution",
    "load_seeds",
    "load_segment",
    "load_shop",
    "load_stages",
]


def load(folder: Path) -> Definitions:
    """Return all definitions of a folder.

    Raises:
        DefinitionError: with every problem of every file, and every warning.
    """
    found = examine(Path(folder))
    if found.definitions is None:
        raise DefinitionError(found.problems, found.warnings)
    return found.definitions


def load_journey(text: str | bytes, file: str = "<text>", known: Known = NOTHING_KNOWN) -> Journey:
    """Return the journey that a YAML text defines, checked by itself.

    Args:
        text: the definition.
        file: what problems call it.
        known: names that exist beside it; those that are None are not checked.

    Raises:
        DefinitionError: with every problem.
    """
    return load_text(text, file, Journey, lambda journey: check_journey(journey, known))


def load_segment(text: str | bytes, file: str = "<text>") -> Segment:
    """Return the segment that a YAML text defines; raises DefinitionError with every problem."""
    return load_text(text, file, Segment, lambda segment: check_segments({segment.name: segment}, None).get(segment.name, []))


def load_broadcast(text: str | bytes, file: str = "<text>") -> Broadcast:
    """Return the broadcast that a YAML text defines; raises DefinitionError with every problem."""
    return load_text(text, file, Broadcast, lambda broadcast: check_broadcast(broadcast, NOTHING_KNOWN))


def load_event(text: str | bytes, file: str = "<text>") -> EventDefinition:
    """Return the event that a YAML text declares; raises DefinitionError with every problem."""
    return load_text(text, file, EventDefinition, check_event)


def load_events(folder: Path) -> dict[str, tuple[Path, EventDefinition]]:
    """Return the events that a folder of definitions declares, each with its file, whatever the rest of the folder says.

    Raises:
        DefinitionError: with every problem of every event.
    """
    problems: list[Problem] = []
    events = read_all(yaml_files(Path(folder) / EVENTS), EventDefinition, problems).good
    by_name(events, "event", problems)
    for file, root, event in events:
        problems += placed(check_event(event), root, file)[0]
    if problems:
        raise DefinitionError(problems)
    return {event.event: (Path(file), event) for file, _, event in events}


def load_shop(text: str | bytes, file: str = SHOP_FILE) -> ShopSettings:
    """Return the shop that a YAML text describes; raises DefinitionError with every problem."""
    return load_text(text, file, ShopSettings, check_shop)


def load_profile(text: str | bytes, file: str = PROFILE_FILE) -> ProfileSettings:
    """Return what a YAML text says is known of a person; raises DefinitionError with every problem."""
    return load_text(text, file, ProfileSettings, check_profile)


def load_resolution(text: str | bytes, file: str = RESOLUTION_FILE) -> ResolutionSettings:
    """Return the settings of the resolution that a YAML text holds; raises DefinitionError with every problem."""
    return parse_text(text, file, ResolutionSettings)[2]


def load_stages(text: str | bytes, file: str = STAGES_FILE) -> StagesModel:
    """Return the stages that a YAML text describes; raises DefinitionError with every problem."""
    return parse_text(text, file, StagesModel)[2]


def load_clusters(text: str | bytes, file: str = CLUSTERS_FILE) -> ClustersModel:
    """Return the clusters that a YAML text describes; raises DefinitionError with every problem."""
    return parse_text(text, file, ClustersModel)[2]


def load_persona(text: str | bytes, file: str = "<text>") -> Persona:
    """Return the persona that a YAML text describes; raises DefinitionError with every problem."""
    return load_text(text, file, Persona, lambda persona: check_persona(persona, NOTHING_KNOWN))


def load_seeds(text: str | bytes, file: str = SEEDS_FILE) -> SeedList:
    """Return the seed list that a YAML text holds; raises DefinitionError with every problem."""
    return load_text(text, file, SeedList, check_seeds)


def load_delivery(text: str | bytes, file: str = DELIVERY_FILE) -> DeliverySettings:
    """Return who a YAML text has carry messages away; raises DefinitionError with every problem."""
    return parse_text(text, file, DeliverySettings)[2]


def load_recommendations(text: str | bytes, file: str = RECOMMENDATIONS_FILE, catalog: Catalog | None = None) -> RecommendationSettings:
    """Return the rules of recommendation that a YAML text holds; raises DefinitionError with every problem."""
    return load_text(text, file, RecommendationSettings, lambda rules: [] if catalog is None else check_recommendations(rules, catalog))
