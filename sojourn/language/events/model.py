"""What a file in `journeys/events/` may say: one event, and what its properties must be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sojourn.language.model import EventName, Model, Text

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PersonalData = Literal["contact", "identity", "demographic", "location", "behaviour", "sensitive"]


class EventDefinition(Model):
    """An event as checked in."""

    event: EventName
    description: Text = Field(description="what happened when it comes, for people")
    owner: Text | None = Field(default=None, description="who answers for it")
    policy: Literal["flag", "quarantine"] = Field(
        default="flag", description="what becomes of one that does not fit: flag takes it in and records why, quarantine sets it aside"
    )
    properties: Annotated[dict[str, Any], Field(json_schema_extra={"$ref": DIALECT})] = Field(
        default_factory=dict, description="the JSON Schema (draft 2020-12) of its properties, as one object"
    )
    personal: dict[str, PersonalData] = Field(
        default_factory=dict,
        description="properties that hold personal data, each with its kind, such as {email: contact, address.city: location}",
    )
    deprecated: Text | None = Field(default=None, description="why it should no longer be sent, and what to send instead")
    examples: tuple[dict[str, Any], ...] = Field(default=(), description="properties that fit; each is checked when the file is read")

    @property
    def name(self) -> str:
        """The event's name."""
        return self.event
