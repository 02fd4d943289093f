"""What is sold, and what goes with what: `journeys/catalog.yaml|csv|jsonl` and `journeys/recommendations.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from sojourn.language.durations import parse_duration
from sojourn.language.model import DurationText, EventName, Model

ItemId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="the item's id, as events name it")]
Category = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="a category, such as tea")]
WebAddress = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s/\"<>]+(/[^\s\"<>]*)?$")]
ORDERED = "Order Completed"
MAX_RULES = 500
MAX_THEN = 50


class Item(Model):
    """One thing that is sold."""

    id: ItemId = Field(description="its id, as `product_id` of events names it")
    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="what people call it")
    url: WebAddress = Field(description="its page, https://…")
    image_url: WebAddress | None = Field(default=None, description="its picture, https://…")
    price: Decimal | None = Field(default=None, ge=0, max_digits=15, decimal_places=4, description="what it costs, such as 24.50")
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$", description="the currency; default: the shop's")
    in_stock: bool = Field(default=True, description="whether it can be bought now; what cannot is never recommended")
    stock: int | None = Field(default=None, ge=0, description="how many there are; 0 is out of stock")
    category: Category | None = Field(default=None, description="what kind of thing it is, such as tea")

    @property
    def available(self) -> bool:
        """Whether it can be bought now."""
        return self.in_stock and self.stock != 0

    def spoken_of(self) -> dict[str, Any]:
        """Return it as contents speak of it; what is not known of it is not there."""
        known = self.model_dump(mode="json", exclude_none=True)
        if self.price is not None:
            known["price"] = float(self.price)  # contents compare and show numbers; `money` rounds to the currency's own digits
        return {**known, "in_stock": self.available}


class CatalogFile(Model):
    """The catalogue as YAML."""

    items: tuple[Item, ...] = Field(max_length=20_000, description="what is sold, each with id, name and url")


class Match(Model):
    """Items by id or by category."""

    item: ItemId | None = Field(default=None, description="this item")
    category: Category | None = Field(default=None, description="any item of this category")

    @model_validator(mode="after")
    def _one(self) -> Match:
        if (self.item is None) == (self.category is None):
            raise ValueError("write one of the two: {item: …} or {category: …}")
        return self

    def means(self, item: Item) -> bool:
        """Tell whether an item is meant."""
        return item.id == self.item if self.item is not None else item.category == self.category

    def __str__(self) -> str:
        return str(self.item) if self.item is not None else f"something of {self.category}"


class Rule(Model):
    """Who bought this is shown that."""

    bought: Match = Field(description="what was bought: {item: linen-throw} or {category: linen}")
    within: DurationText = Field(default="365d", description="how long ago at most, such as 90d")
    then: tuple[ItemId, ...] | Match = Field(description="what is shown: a list of item ids, best first, or {category: …}")

    @field_validator("within")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @field_validator("then")
    @classmethod
    def _something(cls, then: tuple[str, ...] | Match) -> tuple[str, ...] | Match:
        if isinstance(then, tuple) and not 0 < len(then) <= MAX_THEN:
            raise ValueError(f"`then` lists 1 to {MAX_THEN} items")
        return then


class RecommendationSettings(Model):
    """How items are chosen for a person."""

    rules: tuple[Rule, ...] = Field(default=(), max_length=MAX_RULES, description="who bought this is shown that; the first goes first")
    best_sellers: tuple[ItemId, ...] = Field(
        default=(), max_length=MAX_THEN, description="what is shown where the rules give too few, in this order"
    )
    not_again_for: DurationText = Field(default="90d", description="how long after it was bought an item is not recommended")
    on: EventName = Field(default=ORDERED, description="the event that tells of a purchase, with `products` or a `product_id`")

    @field_validator("not_again_for")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text


@dataclass(frozen=True)
class Catalog:
    """The catalogue, by id, in the order of its file."""

    items: Mapping[str, Item] = field(default_factory=dict)

    @property
    def categories(self) -> frozenset[str]:
        """The categories that items are of."""
        return frozenset(item.category for item in self.items.values() if item.category is not None)
