"""What `journeys/profile.yaml` may say: what is known of a person, how it is kept, and what is computed from it."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from sojourn.language.conditions.expression import Expression, Tree, expand_all, parse_bands, parse_value
from sojourn.language.durations import parse_duration
from sojourn.language.identity_rules import IdentityRules
from sojourn.language.model import ConditionText, Model, Name, Text

FOREVER = "forever"
TraitName = Annotated[str, Field(min_length=1, max_length=200, description="a trait's name, such as first_name")]
TraitType = Literal["text", "number", "money", "boolean", "moment", "date", "list", "object"]
PersonalLabel = Literal["none", "contact", "identity", "demographic", "location", "behaviour", "sensitive"]
MergeRule = Literal["latest", "first", "max", "min", "any", "all", "union"]
NormaliserName = Literal["email", "phone", "country", "region", "name", "date"]
Observation = Literal["usual_device", "usual_hour", "place"]

OBSERVED: dict[Observation, dict[str, PersonalLabel]] = {
    "usual_device": {"usual_device": "behaviour"},
    "usual_hour": {"usual_hour": "behaviour"},
    "place": {"city": "location", "region": "location", "country": "location"},
}
"""The traits that each observation keeps, with their labels."""

MERGES_OF: dict[str, frozenset[str]] = {
    "max": frozenset({"number", "moment", "date"}),
    "min": frozenset({"number", "moment", "date"}),
    "any": frozenset({"boolean"}),
    "all": frozenset({"boolean"}),
    "union": frozenset({"list"}),
}
TYPE_OF: dict[str, str] = {"email": "text", "phone": "text", "country": "text", "region": "text", "name": "text", "date": "date"}
_OPTIONS: dict[str, frozenset[str]] = {
    "email": frozenset({"keep_case", "drop_tag", "fold_gmail"}),
    "phone": frozenset({"country"}),
    "region": frozenset({"country"}),
    "name": frozenset({"part"}),
    "date": frozenset({"order"}),
}


class Normaliser(Model):
    """Brings what is said into one form: `normalise: email`, or with options `normalise: {by: email, drop_tag: true}`."""

    by: NormaliserName = Field(description="the normaliser")
    keep_case: bool = Field(default=False, description="of email: leave the part before the @ as it was written")
    drop_tag: bool = Field(default=False, description="of email: ada+news@… is ada@…")
    fold_gmail: bool = Field(default=False, description="of email: dots and tags before @gmail.com mean nothing")
    country: str | None = Field(
        default=None,
        pattern=r"^[A-Z]{2}$",
        description="of phone and region: the country where nothing else tells one, such as DE",
    )
    part: Literal["first", "last", "full"] = Field(default="full", description="of name: which part of a name it is")
    order: Literal["dmy", "mdy"] = Field(default="dmy", description="of date: how 03/04/1990 is read")

    @model_validator(mode="after")
    def _options_fit(self) -> Normaliser:
        odd = sorted(self.model_fields_set - {"by"} - _OPTIONS.get(self.by, frozenset()))
        if odd:
            whose = next((name for name, options in _OPTIONS.items() if odd[0] in options), self.by)
            raise ValueError(f"`{odd[0]}` is an option of `{whose}`, not of `{self.by}`; leave it out")
        return self


def _written_short(value: Any) -> Any:
    return {"by": value} if isinstance(value, str) else value


class TraitRule(Model):
    """One trait: of what type it is, how personal, how long it is kept, and which of two words stands."""

    type: TraitType = Field(description="what it is: text, number, money, boolean, moment, date, list or object")
    personal: PersonalLabel = Field(
        description="how personal it is: none, contact, identity, demographic, location, behaviour or sensitive; no trait goes without"
    )
    description: Text | None = Field(default=None, description="what it means, for people")
    retention: str = Field(default=FOREVER, description="how long it is kept after it was last said, such as 365d; or forever")
    merge: MergeRule = Field(default="latest", description="which of two words stands: the latest, the first, the max, …; a list's union")
    normalise: Annotated[Normaliser, BeforeValidator(_written_short, json_schema_input_type=NormaliserName | Normaliser)] | None = Field(
        default=None, description="the normaliser: email, phone, country, region, name or date"
    )
    on_refusal: Literal["drop", "keep_raw"] = Field(
        default="drop", description="what becomes of a word that is refused: dropped, or kept as it was said"
    )

    @field_validator("retention")
    @classmethod
    def _is_retention(cls, text: str) -> str:
        if text == FOREVER:
            return text
        try:
            duration = parse_duration(text)
        except ValueError as error:
            raise ValueError(f"{error}; or write forever") from None
        if duration <= timedelta(0):
            raise ValueError("a retention is longer than nothing, such as 365d; or write forever")
        return text

    @model_validator(mode="after")
    def _fits(self) -> TraitRule:
        apt = MERGES_OF.get(self.merge)
        if apt is not None and self.type not in apt:
            kinds = " or ".join(sorted(apt))
            raise ValueError(f"`merge: {self.merge}` is for type {kinds}, not for {self.type}; write merge: latest or merge: first")
        if apt is not None and self.on_refusal == "keep_raw":
            raise ValueError(f"`merge: {self.merge}` cannot compare what was refused; write on_refusal: drop")
        if self.normalise is not None and self.type != TYPE_OF[self.normalise.by]:
            raise ValueError(
                f"`normalise: {self.normalise.by}` gives a {TYPE_OF[self.normalise.by]}; write type: {TYPE_OF[self.normalise.by]}"
            )
        return self

    def kept_for(self) -> timedelta | None:
        """Return how long it is kept after it was last said; None where for ever."""
        return None if self.retention == FOREVER else parse_duration(self.retention)


class Bands(Model):
    """A number told by its band: `{of: profile.age, bands: [18, 25, 35]}` gives `under 18`, `18-24`, `25-34` or `35+`."""

    of: ConditionText = Field(description="a number, such as profile.age")
    bands: tuple[int, ...] = Field(min_length=1, max_length=20, description="where each band begins, rising, such as [18, 25, 35]")

    @field_validator("bands")
    @classmethod
    def _rises(cls, bands: tuple[int, ...]) -> tuple[int, ...]:
        if list(bands) != sorted(set(bands)):
            raise ValueError("bands rise, such as [18, 25, 35]")
        return bands


class ProfileSettings(Model):
    """What is known of a person."""

    undeclared: Literal["keep", "drop"] = Field(default="keep", description="what becomes of traits that are not listed here")
    observe: tuple[Observation, ...] = Field(
        default=(), description="what is learnt from events themselves and kept as traits: usual_device, usual_hour, place"
    )
    traits: dict[TraitName, TraitRule] = Field(default_factory=dict, description="each trait by its name")
    computed: dict[Name, ConditionText | Bands] = Field(
        default_factory=dict, description='traits computed from history when asked, such as orders: count("Order Completed")'
    )
    identity: IdentityRules = Field(default_factory=IdentityRules, description="how people are told apart")

    @cached_property
    def expressions(self) -> dict[str, Expression]:
        """The computed traits, as written.

        Raises:
            ConditionError: one cannot be understood; none of a loaded file.
        """
        return {name: expression_of(written) for name, written in self.computed.items()}

    @cached_property
    def trees(self) -> dict[str, Tree]:
        """The computed traits as trees in which no computed trait is left; what `expand` takes.

        Raises:
            ConditionError: one cannot be understood, or is part of its own definition; none of a loaded file.
        """
        return expand_all({name: expression.tree for name, expression in self.expressions.items()})

    def observed(self) -> dict[str, PersonalLabel]:
        """Return the traits that are learnt from events themselves, with their labels."""
        return {trait: label for each in self.observe for trait, label in OBSERVED[each].items()}

    def names(self) -> frozenset[str]:
        """Return every trait that is known here: declared, computed or observed."""
        return frozenset({*self.traits, *self.computed, *self.observed()})


def expression_of(written: str | Bands) -> Expression:
    """Return a computed trait as it was written; raises ConditionError where it cannot be understood."""
    return parse_value(written) if isinstance(written, str) else parse_bands(written.of, written.bands)


def labels(settings: ProfileSettings) -> dict[str, PersonalLabel]:
    """Return how personal each trait is, for those who export, erase or document; a computed one is behaviour."""
    declared: dict[str, PersonalLabel] = {name: rule.personal for name, rule in settings.traits.items()}
    computed: dict[str, PersonalLabel] = dict.fromkeys(settings.computed, "behaviour")
    return {**settings.observed(), **declared, **computed}
