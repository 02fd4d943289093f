"""Writes cut points as plain conditions of the one grammar: a segment for each RFM group and each life-cycle stage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sojourn.customers.stages.fit import Fitted
from sojourn.language.conditions.tree import to_text
from sojourn.language.stages_model import RFM, STAGE, Group, StagesModel


@dataclass(frozen=True)
class Written:
    """A segment as it will stand in a file.

    Attributes:
        parts: conditions that all have to hold, one a line.
    """

    name: str
    description: str
    parts: tuple[str, ...]

    @property
    def members(self) -> str:
        """The whole condition."""
        return "\nand ".join(self.parts)


def segments(model: StagesModel, fitted: Fitted) -> list[Written]:
    """Return the segments of all groups, in the file's order, and of the five stages."""
    said = _Said(model, fitted)
    groups = [Written(f"{RFM}{group.group}", group.description, tuple(said.group(group))) for group in model.groups]
    return [*groups, *said.stages()]


class _Said:
    def __init__(self, model: StagesModel, fitted: Fitted) -> None:
        self.model, self.fitted = model, fitted
        self.event, self.window = model.purchase.event, model.window
        self.count = f"count({_quoted(self.event)}, within={_quoted(self.window)})"
        self.sum = to_text(model.purchase.spent(model.window))

    def bought(self, within: float | str) -> str:
        return did(self.event, within if isinstance(within, str) else _days(within))

    def group(self, group: Group) -> Iterator[str]:
        """Yield what makes a customer one of a group; the first line says that they are a customer at all."""
        best = len(self.fitted.recency) + 1
        low, high = group.recency or (1, best)
        # A score s of `best` is a last purchase younger than cut number best - s, and no younger than the one before.
        yield self.bought(self.window if low == 1 else self.fitted.recency[best - low])
        if high < best:
            yield f"not {self.bought(self.fitted.recency[best - high - 1])}"
        yield from _between(self.count, self.fitted.frequency, group.frequency)
        yield from _between(self.sum, self.fitted.monetary, group.monetary)

    def stages(self) -> Iterator[Written]:
        fitted = self.fitted
        signs = self.model.every_sign()
        silent, recent = _days(fitted.dormant_days), _days(fitted.recent_days)
        interest = [did(event, fitted.interest_within) for event in self.model.interest]
        awake = f"not segment.{STAGE}dormant"
        loyal, considers, missed = (f"{STAGE}{name}" for name in ("loyalty", "consideration", "at_risk"))
        yield Written(
            f"{STAGE}awareness",
            "Know the shop and show no present interest: no recent look at a product, no recent purchase, and nothing to lose.",
            (awake, *(f"not segment.{name}" for name in (considers, loyal, missed))),
        )
        yield Written(
            considers,
            f"Consider a purchase, the first or the next: looked at products within {fitted.interest_within}, or bought within {recent} "
            f"and fewer than {fitted.loyal_purchases} times.",
            (awake, f"not segment.{loyal}", _any([*interest, self.bought(recent)])),
        )
        yield Written(
            loyal,
            f"Bought {fitted.loyal_purchases} times or more within {self.window}, the last time within {recent}.",
            (awake, f"{self.count} >= {fitted.loyal_purchases}", self.bought(recent)),
        )
        yield Written(
            missed,
            f"Bought {fitted.risk_purchases} times or more within {self.window}, and have neither bought for {recent} nor looked at "
            f"a product for {fitted.interest_within}; not dormant yet.",
            (awake, f"{self.count} >= {fitted.risk_purchases}", f"not {self.bought(recent)}", *(f"not {each}" for each in interest)),
        )
        yield Written(
            f"{STAGE}dormant",
            f"Were there once, and gave no sign of any kind for {silent}.",
            (_any(did(event) for event in signs), *(f"not {did(event, silent)}" for event in signs)),
        )


def did(event: str, within: str | None = None) -> str:
    """Return the condition that an event happened."""
    return f"did({_quoted(event)})" if within is None else f"did({_quoted(event)}, within={_quoted(within)})"


def _between(value: str, cuts: tuple[float, ...], scores: tuple[int, ...] | None) -> Iterator[str]:
    low, high = scores or (1, len(cuts) + 1)
    if low > 1:
        yield f"{value} > {_number(cuts[low - 2])}"
    if high <= len(cuts):
        yield f"{value} <= {_number(cuts[high - 1])}"


def _any(conditions: Iterable[str]) -> str:
    every = list(conditions)
    return every[0] if len(every) == 1 else f"({' or '.join(every)})"


def _days(days: float) -> str:
    return f"{_number(days)}d"


def _number(number: float) -> str:
    """Return a number as people write it: never by an exponent, no digits that say nothing."""
    text = f"{number:.2f}"
    return text.rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


__all__ = ["Written", "did", "segments"]
