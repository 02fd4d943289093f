"""A logistic model whose every weight can be read: `p = 1 / (1 + exp(-(intercept + sum(weight * value))))`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import exp
from typing import Any, Literal

from pydantic import Field, field_validator

from sojourn.language.conditions import Facts
from sojourn.language.conditions.closures import compile_value
from sojourn.language.conditions.grammar import ConditionError, read
from sojourn.language.conditions.parser import Reader
from sojourn.language.conditions.tree import Node
from sojourn.language.model import ConditionText, Model, Name, Text
from sojourn.prediction.score import Score, shown

MAX_REASONS = 3
MAX_LOGIT = 30.0


@lru_cache(maxsize=1024)
def value_of(text: str) -> Callable[[Facts], float]:
    """Return a function that gives an expression's value as a number; true is 1, missing is 0.

    Raises:
        ConditionError: it is not an expression of the conditions' language.
    """
    value = compile_value(Reader().value(read(text)))

    def number(facts: Facts) -> float:
        found: Any = value(facts.event, facts, {})
        return float(found) if isinstance(found, int | float) else 0.0

    return number


class Feature(Model):
    """One thing a model looks at."""

    value: ConditionText = Field(description='an expression, such as count("Product Viewed", within="1h")')
    weight: float = Field(description="what one of it adds to the log odds")
    up_to: float | None = Field(default=None, gt=0, description="more than this counts as this")
    label: Text = Field(description="what it is, in plain words")

    @field_validator("value")
    @classmethod
    def _is_expression(cls, text: str) -> str:
        try:
            value_of(text)
        except ConditionError as error:
            raise ValueError(str(error)) from None
        return text


class Logistic(Model):
    """A transparent logistic model."""

    model: Name
    kind: Literal["logistic"]
    description: Text
    intercept: float
    features: tuple[Feature, ...] = Field(min_length=1)

    def asks(self) -> list[Node]:
        """Return what it asks of a person, as trees of the conditions' language."""
        return [Reader().value(read(feature.value)) for feature in self.features]

    def score(self, facts: Facts) -> Score:
        """Return the probability, and the features that moved it most."""
        parts: list[tuple[float, Feature, float]] = []
        logit = self.intercept
        for feature in self.features:
            value = value_of(feature.value)(facts)
            if feature.up_to is not None and value > feature.up_to:
                value = feature.up_to
            if value and feature.weight:
                parts.append((feature.weight * value, feature, value))
                logit += feature.weight * value
        probability = 1 / (1 + exp(-max(-MAX_LOGIT, min(MAX_LOGIT, logit))))
        moved = sorted(parts, key=lambda part: -abs(part[0]))[:MAX_REASONS]
        raised = ", ".join(f"{feature.label} ({shown(value)})" for part, feature, value in moved if part > 0)
        lowered = ", ".join(f"{feature.label} ({shown(value)})" for part, feature, value in moved if part < 0)
        said = [f"raised by {raised}" if raised else "", f"lowered by {lowered}" if lowered else ""]
        return Score(round(probability, 4), "; ".join(filter(None, said)) or "nothing known that speaks for or against")
