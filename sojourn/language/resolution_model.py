"""How profiles are recognised as one person's: `journeys/resolution.yaml`.

Nothing here is learned. What is compared, how, and above which probability two profiles are merged is
written down by the team; how much each agreement weighs is estimated from the data (sojourn.customers.resolution).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sojourn.language.model import Model
from sojourn.language.problems import shown

Kind = Literal["name", "text", "exact", "date", "postcode", "email", "phone"]
TraitName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$", description="a trait's name, such as first_name")]
Probability = Annotated[float, Field(gt=0, lt=1)]
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]{0,99}"
_KEY = re.compile(rf"^(?:(?P<trait>{_NAME})|(?P<function>[a-z]+)\(\s*(?P<of>{_NAME})\s*(?:,\s*(?P<length>\d{{1,2}})\s*)?\))$")
FUNCTIONS = {
    "start": "its first letters, such as start(last_name, 3)",
    "year": "its first four digits, such as year(birth_date)",
    "day": "month and day, such as day(birth_date)",
    "outward": "what stands before the blank, such as outward(postcode)",
}


@dataclass(frozen=True)
class Key:
    """One part of a blocking rule: a trait, or a part of one."""

    trait: str
    function: str | None = None
    length: int = 0

    @staticmethod
    def parse(text: str) -> Key:
        """Return the key that a text names.

        Raises:
            ValueError: it names none; the message says which there are.
        """
        found = _KEY.match(text)
        ways = "; ".join(f"{name}: {says}" for name, says in FUNCTIONS.items())
        if found is None:
            raise ValueError(f"{shown(text)} is no key; write a trait, or a part of one ({ways})")
        if found["trait"]:
            return Key(found["trait"])
        function = found["function"]
        if function not in FUNCTIONS:
            raise ValueError(f"unknown part {shown(function)}; there are {ways}")
        if (function == "start") != (found["length"] is not None) or found["length"] == "0":
            raise ValueError(f"{shown(text)} is no key; a number of letters belongs to start, and only there: start(last_name, 3)")
        return Key(found["of"], function, int(found["length"] or 0))


def _is_key(text: str) -> str:
    Key.parse(text)
    return text


KeyText = Annotated[str, AfterValidator(_is_key), Field(description="a trait, or a part of one: start(last_name, 3), year(birth_date)")]
Rule = Annotated[tuple[KeyText, ...], Field(min_length=1, max_length=6)]


class Compare(Model):
    """A trait that is compared, and how."""

    trait: TraitName
    as_: Kind = Field(alias="as", description="name, text, exact, date, postcode, email or phone: what counts as nearly the same")


class ResolutionSettings(Model):
    """Which traits tell that two profiles are one person's, and how sure that has to be."""

    compare: tuple[Compare, ...] = Field(min_length=1, max_length=20, description="the traits that are compared, each with its kind")
    block: tuple[Rule, ...] = Field(
        min_length=1, max_length=60, description="two profiles are compared where all keys of at least one line are the same"
    )
    certain: tuple[Rule, ...] = Field(
        min_length=1, description="lines of keys that only one person's profiles share; from them the number of matches is estimated"
    )
    recall: Annotated[float, Field(gt=0, le=1)] = Field(default=0.6, description="the share of all matches that `certain` finds, roughly")
    learn: tuple[tuple[TraitName, ...], ...] = Field(
        min_length=1,
        description="lines of whole traits; among profiles that share one, it is learned how the others agree",
    )
    lower: Probability = Field(default=0.5, description="pairs at or above it, and below upper, wait for a person's review")
    upper: Probability = Field(default=0.99, description="pairs at or above it are merged")
    never_differ: tuple[TraitName, ...] | None = Field(
        default=None,
        description="two profiles that are known to differ in one of these are never merged without a person, however sure the rest is; "
        "default: birth dates, and first names by their usual names",
    )
    vouch: tuple[TraitName, ...] | None = Field(
        default=None,
        description="traits that are one person's alone: where a birth date is missing or a first name is only nearly the same, two "
        "profiles are merged without a person only if one of these is the same; default: e-mail addresses; [] asks for nothing",
    )
    weakest: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None,
        description="no two profiles below it are merged by a chain of others; the chain's link goes to review; default: lower",
    )
    largest: int = Field(default=50, ge=2, le=500, description="a cluster of more profiles is no one person; all of its links go to review")
    seed: int = Field(default=1, ge=0, le=2**31 - 1, description="fixes every random choice")
    max_pairs: int = Field(default=50_000_000, ge=1, description="how many pairs one line of block may give at most")
    sample_pairs: int = Field(default=1_000_000, ge=1000, description="how many random pairs show how often strangers agree")

    @field_validator("compare")
    @classmethod
    def _once(cls, compare: tuple[Compare, ...]) -> tuple[Compare, ...]:
        names = [each.trait for each in compare]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{shown(twice)} is compared twice; leave one line out")
        return compare

    @field_validator("learn")
    @classmethod
    def _something_is_left(cls, learn: tuple[tuple[str, ...], ...], info: ValidationInfo) -> tuple[tuple[str, ...], ...]:
        compared = {each.trait for each in info.data.get("compare", ())}
        never = sorted(name for name in compared if all(name in line for line in learn))
        if never and compared:
            raise ValueError(f"of {shown(never[0])} nothing can be learned, since every line names it; add a line without it")
        return learn

    @field_validator("upper")
    @classmethod
    def _above_lower(cls, upper: float, info: ValidationInfo) -> float:
        lower = info.data.get("lower")
        if lower is not None and upper < lower:
            raise ValueError(f"is below lower ({lower:g}); what is merged has to be at least as sure as what is reviewed")
        return upper

    @property
    def traits(self) -> tuple[str, ...]:
        """The compared traits first, then those that only keys name."""
        keys = [Key.parse(text).trait for line in (*self.block, *self.certain) for text in line]
        return tuple(dict.fromkeys([*(each.trait for each in self.compare), *keys, *(name for line in self.learn for name in line)]))

    @field_validator("never_differ", "vouch")
    @classmethod
    def _are_compared(cls, named: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        compared = {each.trait for each in info.data.get("compare", ())}
        stranger = next((name for name in named or () if name not in compared), None)
        if stranger is not None and compared:
            raise ValueError(f"{shown(stranger)} is not compared; name one of {', '.join(sorted(compared))}")
        return named

    @property
    def telling(self) -> tuple[str, ...]:
        """The traits in which one person's profiles do not differ: relatives of one name and address do."""
        if self.never_differ is not None:
            return self.never_differ
        usual = {name for role in ("first", "whole") for name in _COMMON[role][1]}
        return tuple(each.trait for each in self.compare if each.as_ == "date" or (each.as_ == "name" and each.trait in usual))

    @property
    def vouching(self) -> tuple[str, ...]:
        """The traits of which a value is one person's alone."""
        return tuple(each.trait for each in self.compare if each.as_ == "email") if self.vouch is None else self.vouch

    @property
    def floor(self) -> float:
        """Below it two profiles are never merged by way of others."""
        return self.lower if self.weakest is None else self.weakest

    @property
    def version(self) -> str:
        """A short fingerprint of these settings; every proposal carries it."""
        return sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()[:12]


# What client libraries and Segment's specification call the traits of a person.
_COMMON: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "first": ("name", ("first_name", "firstName", "given_name")),
    "last": ("name", ("last_name", "lastName", "surname", "family_name")),
    "whole": ("name", ("name", "full_name", "fullName")),
    "born": ("date", ("birth_date", "birthday", "date_of_birth", "birthDate", "dob")),
    "postcode": ("postcode", ("postcode", "postal_code", "postalCode", "zip")),
    "city": ("text", ("city", "town")),
    "email": ("email", ("email",)),
    "phone": ("phone", ("phone", "mobile")),
}
_USUAL_BLOCKS = (
    "first last", "last born", "first born", "last postcode", "first postcode", "last city", "postcode born", "email", "phone",
    "whole born", "whole city", "whole postcode", "start(last) born", "start(last) postcode", "year(born) postcode", "day(born) city",
)  # fmt: skip
_USUAL_CERTAIN = (
    "first last born", "first last postcode", "whole born", "whole postcode", "last email", "last phone", "whole email", "whole phone",
)  # fmt: skip
_USUAL_LEARN = ("first last", "whole", "born", "email", "postcode", "phone")


def usual_settings(names: Iterable[str]) -> ResolutionSettings | None:
    """Return settings for traits that bear usual names; None where too few do to tell people apart.

    Args:
        names: of the traits that there are, declared or seen.
    """
    there = set(names)
    known = {role: next(name for name in usual if name in there) for role, (_, usual) in _COMMON.items() if there.intersection(usual)}
    if {"first", "last"} <= known.keys():
        known.pop("whole", None)
    block, certain, learn = (_lines(lines, known) for lines in (_USUAL_BLOCKS, _USUAL_CERTAIN, _USUAL_LEARN))
    if len(known) < 3 or not block or not certain or len(learn) < 2:
        return None
    compare = tuple(Compare(trait=name, as_=_COMMON[role][0]) for role, name in known.items())
    return ResolutionSettings(compare=compare, block=block, certain=certain, learn=learn)


def _lines(lines: Iterable[str], known: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    written = (tuple(_word(word, known) for word in line.split()) for line in lines)
    return tuple(tuple(word for word in line if word is not None) for line in written if None not in line)


def _word(word: str, known: dict[str, str]) -> str | None:
    function, _, role = word.rstrip(")").rpartition("(")
    if role not in known:
        return None
    return known[role] if not function else f"{function}({known[role]}{', 3' if function == 'start' else ''})"
