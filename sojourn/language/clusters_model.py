"""What `journeys/clusters.yaml` may say: by which behaviour people are grouped, into how many clusters, and how small one may be."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from sojourn.language.durations import parse_duration
from sojourn.language.model import DurationText, EventName, Model, Name, Text

CLUSTER = "cluster_"
MEASURES = ("count", "sum", "distinct", "days_since_last", "tenure", "share", "share_of_days", "share_of_hours")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Property = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="a property, such as revenue")]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,19}$", description="a word for a cluster's name, such as evening")]
_NEEDS: dict[str, tuple[str, ...]] = {
    "count": ("events",),
    "sum": ("events", "of"),
    "distinct": ("events", "of"),
    "days_since_last": ("events",),
    "tenure": (),
    "share": ("events", "among"),
    "share_of_days": ("events", "days"),
    "share_of_hours": ("events", "hours"),
}
_MAY: dict[str, tuple[str, ...]] = {"count": ("per",), "sum": ("per",), "share": ("of",)}


class Feature(Model):
    """One number of a person's behaviour."""

    feature: Name = Field(description="its name")
    measure: Literal["count", "sum", "distinct", "days_since_last", "tenure", "share", "share_of_days", "share_of_hours"] = Field(
        description="what is measured"
    )
    events: tuple[EventName, ...] = Field(default=(), description="the events it is measured of")
    of: Property | None = Field(default=None, description="the property summed or told apart; of a share: counted where above 0")
    per: Literal["month"] | None = Field(default=None, description="month: for each month that the person is known, in the window")
    among: tuple[EventName, ...] = Field(default=(), description="the events that a share is a part of")
    days: tuple[Day, ...] = Field(default=(), description="the days whose share is taken, such as [sat, sun]")
    hours: tuple[int, ...] | None = Field(default=None, description="the local hours whose share is taken, such as [18, 24]")
    scale: Literal["log", "plain"] = Field(default="log", description="log: ten times as much counts as a step; plain: as measured")
    high: Word | None = Field(default=None, description="the word for a cluster that has much of it; default: high_<name>")
    low: Word | None = Field(default=None, description="the word for a cluster that has little of it; default: low_<name>")
    label: Text | None = Field(default=None, description="what it is called in the report")

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, hours: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if hours is not None and (len(hours) != 2 or not 0 <= hours[0] < hours[1] <= 24):
            raise ValueError("write the first hour and the one that no longer counts, such as [18, 24]")
        return hours

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        needs, may = _NEEDS[self.measure], _MAY.get(self.measure, ())
        for key in ("events", "of", "per", "among", "days", "hours"):
            given = bool(getattr(self, key))
            if key in needs and not given:
                raise ValueError(f"`{self.feature}`: {self.measure} needs `{key}`")
            if given and key not in (*needs, *may):
                raise ValueError(f"`{self.feature}`: {self.measure} takes no `{key}`; leave it out")
        return self

    @property
    def words(self) -> tuple[str, str]:
        """The words for much and for little of it."""
        return self.high or f"high_{self.feature}"[:30], self.low or f"low_{self.feature}"[:30]


class Range(Model):
    """From so many to so many."""

    from_: int = Field(alias="from", ge=2, le=50, description="the fewest")
    to: int = Field(ge=2, le=50, description="the most")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.from_ > self.to:
            raise ValueError("`from` is above `to`")
        return self


class Quality(Model):
    """Below which figures a clustering is called weak."""

    silhouette: float = Field(default=0.25, ge=-1, le=1, description="mean silhouette; from 0.5 on clear, below 0.25 hardly any")
    stability: float = Field(default=0.8, ge=0, le=1, description="adjusted Rand index of subsamples, and of other seeds, to the whole")


class ClustersModel(Model):
    """`journeys/clusters.yaml`: how clusters are made."""

    window: DurationText = Field(default="365d", description="how far back behaviour counts, such as 365d")
    minimum: int = Field(default=100, ge=2, description="fewer people than these make no cluster")
    clusters: Range = Field(default=Range(**{"from": 2, "to": 8}), description="how many to try")
    methods: tuple[Literal["kmeans", "ward"], ...] = Field(default=("kmeans", "ward"), min_length=1, description="which to try")
    sample: int = Field(default=10_000, ge=100, le=200_000, description="people that centres are computed on; all are assigned")
    seed: int = Field(default=1, ge=0, description="where the search begins; how far another leads elsewhere is measured")
    weak_below: Quality = Field(default=Quality(), description="figures below which a clustering is called weak")
    features: tuple[Feature, ...] = Field(min_length=1, max_length=40, description="what is measured of each person")

    @field_validator("window")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len(self.features) == 1:
            raise ValueError("`features`: people are compared by two features or more; add one")
        for taken, what in (
            ([each.feature for each in self.features], "features are called"),
            ([word for each in self.features for word in each.words], "words for clusters are"),
        ):
            for name in taken:
                if taken.count(name) > 1:
                    raise ValueError(f"`features`: two {what} `{name}`; rename one")
        return self


__all__ = ["CLUSTER", "DAYS", "ClustersModel", "Feature", "Quality"]
