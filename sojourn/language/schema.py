"""JSON Schemas of all that a team writes, made from the models, so that editors complete and check while typing."""

from __future__ import annotations

from typing import Any

from sojourn.language.clusters_model import ClustersModel
from sojourn.language.model import Journey, Model, Segment
from sojourn.language.shop import ShopSettings
from sojourn.language.stages_model import StagesModel

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS: dict[str, type[Model]] = {
    "journey": Journey,
    "segment": Segment,
    "shop": ShopSettings,
    "stages": StagesModel,
    "clusters": ClustersModel,
}


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a `journey`, a `segment`, the `shop`, its `stages` or `clusters`."""
    return {"$schema": DIALECT, **SCHEMAS[kind].model_json_schema(by_alias=True)}
