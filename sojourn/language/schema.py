"""JSON Schemas of all that a team writes, made from the models, so that editors complete and check while typing."""

from __future__ import annotations

from typing import Any

from sojourn.language.events.model import DIALECT, EventDefinition
from sojourn.language.model import Journey, Model, Segment
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.shop import ShopSettings

SCHEMAS: dict[str, type[Model]] = {
    "journey": Journey,
    "segment": Segment,
    "event": EventDefinition,
    "shop": ShopSettings,
    "profile": ProfileSettings,
}


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of definition; the kinds are those of `SCHEMAS`."""
    return {"$schema": DIALECT, **SCHEMAS[kind].model_json_schema(by_alias=True)}
