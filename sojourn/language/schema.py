"""JSON Schemas of all that a team writes, made from the models, so that editors complete and check while typing."""

from __future__ import annotations

from typing import Any

from sojourn.language.broadcast_model import Broadcast
from sojourn.language.catalog_model import CatalogFile, RecommendationSettings
from sojourn.language.clusters_model import ClustersModel
from sojourn.language.delivery_model import DeliverySettings
from sojourn.language.events.model import DIALECT, EventDefinition
from sojourn.language.model import Journey, Model, Segment
from sojourn.language.persona_model import Persona, SeedList
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.resolution_model import ResolutionSettings
from sojourn.language.shop import ShopSettings
from sojourn.language.stages_model import StagesModel

SCHEMAS: dict[str, type[Model]] = {
    "journey": Journey,
    "segment": Segment,
    "broadcast": Broadcast,
    "event": EventDefinition,
    "shop": ShopSettings,
    "profile": ProfileSettings,
    "stages": StagesModel,
    "clusters": ClustersModel,
    "resolution": ResolutionSettings,
    "delivery": DeliverySettings,
    "persona": Persona,
    "seeds": SeedList,
    "catalog": CatalogFile,
    "recommendations": RecommendationSettings,
}


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of definition; the kinds are those of `SCHEMAS`."""
    return schema_of(SCHEMAS[kind])


def schema_of(model: type[Model]) -> dict[str, Any]:
    """Return the JSON Schema of a model."""
    return {"$schema": DIALECT, **model.model_json_schema(by_alias=True)}
