"""Blocks: pieces of MJML with declared inputs, used by `{% use "button" label="…" href=… %}`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self

from jinja2 import nodes
from pydantic import Field, model_validator

from sojourn.content.budget import current
from sojourn.content.header_text import is_blank
from sojourn.content.links import ALLOWED, is_trackable
from sojourn.content.missing import Missing
from sojourn.errors import MissingFact
from sojourn.language.model import Model, Name
from sojourn.language.problems import listed, nearest, shown

FOLDER = "blocks/"
Kind = Literal["text", "number", "money", "url", "image", "bool", "list"]
_WORDS: dict[str, str] = {
    "text": "a text", "number": "a number", "money": "an amount", "url": "a whole address, such as https://…",
    "image": "the whole address of a picture, such as https://…", "bool": "true or false", "list": "a list",
}  # fmt: skip


class Input(Model):
    """One input of a block."""

    type: Kind = Field(default="text", description="what may be given: text, number, money, url, image, bool or list")
    required: bool = Field(default=False, description="true: nobody may use the block without it")
    default: Any = Field(default=None, description="what stands for it where nothing is given, or a fact is missing")
    missing: Literal["refuse", "drop"] = Field(
        default="refuse", description="what a missing fact does to a required input: refuse the whole message, or drop this block"
    )
    description: str = Field(default="", description="what it is, for people")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.required and self.default is not None:
            raise ValueError("an input with a `default` is never missing; leave out `required`")
        if self.missing == "drop" and not self.required:
            raise ValueError("`missing: drop` is said of a required input; write `required: true` with it")
        if self.default is not None and not fits(self.type, self.default):
            raise ValueError(f"the `default` has to be {_WORDS[self.type]}")
        return self


class Block(Model):
    """The front matter of a block."""

    description: str = Field(default="", description="what it is for")
    inputs: dict[Name, Input] = Field(default_factory=dict, description="by name, what it takes")


def path_of(name: str) -> str:
    """Return the file of a block that is called by its name."""
    return name if "/" in name else f"{FOLDER}{name}.mjml"


def fits(kind: Kind, value: Any) -> bool:
    """Tell whether a value may be given to an input of a kind."""
    match kind:
        case "text":
            return isinstance(value, str | int | float) and not isinstance(value, bool)
        case "number" | "money":
            return (isinstance(value, int | float) and not isinstance(value, bool)) or (isinstance(value, str) and _is_number(value))
        case "url":
            return isinstance(value, str) and value.strip().lower().startswith(ALLOWED)
        case "image":
            return isinstance(value, str) and is_trackable(value.strip())
        case "bool":
            return isinstance(value, bool)
    return isinstance(value, list | tuple)


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def faults(path: str, block: Block | None, given: Mapping[str, nodes.Expr]) -> Iterator[str]:
    """Give what is wrong with a use of a block."""
    if block is None:
        yield f"{shown(path)} declares no inputs; begin it with front matter: `---`, `inputs: {{label: {{type: text}}}}`, `---`"
        return
    for name in given:
        if name not in block.inputs:
            hint = nearest(name, block.inputs) or f"; there are {listed(block.inputs)}" if block.inputs else "; it takes none"
            yield f"{shown(path)} has no input {shown(name)}{hint}"
    yield from lacking(path, block, given)
    for name, value in given.items():
        kind = block.inputs[name].type if name in block.inputs else None
        if kind is not None and isinstance(value, nodes.Const | nodes.List | nodes.Dict) and not fits(kind, _literal(value)):
            yield f"{shown(path)} takes {_WORDS[kind]} as {shown(name)}"


def lacking(path: str, block: Block, given: Iterable[str]) -> Iterator[str]:
    """Give the required inputs that are not given."""
    names = set(given)
    for name, declared in block.inputs.items():
        if declared.required and name not in names:
            yield f"{shown(path)} needs {shown(name)}, {_WORDS[declared.type]}{nearest(name, names - set(block.inputs))}"


def _literal(value: nodes.Expr) -> Any:
    return value.value if isinstance(value, nodes.Const) else [] if isinstance(value, nodes.List) else {}


def as_given(value: Any, block: Block, name: str) -> Any:
    """Return what an input stands for: what is given where it is of its kind, else the default, else what is missing."""
    declared = block.inputs[name]
    blank = isinstance(value, str) and is_blank(value)
    run = current()
    given = not isinstance(value, Missing) and value is not None and not blank and fits(declared.type, value)
    if given and (declared.type != "image" or run is None or run.shows(value.strip())):
        return value
    path = value.path if isinstance(value, Missing) else name
    if declared.default is None:
        return Missing(name=path)
    if run is not None and isinstance(value, Missing) and not isinstance(declared.default, list):
        run.token(path, declared.default, "fallback")
    return declared.default


def is_kept(path: str, block: Block, content: str, values: Mapping[str, Any]) -> bool:
    """Tell whether a block is shown: not where a required fact is missing and the block says to drop it.

    Raises:
        MissingFact: a required fact is missing without which nothing may be sent.
    """
    for name, value in values.items():
        if isinstance(value, Missing):
            if block.inputs[name].missing == "refuse":
                raise MissingFact(f"{content} needs {value.path} for {path}, which is missing")
            run = current()
            if run is not None:
                run.because(f"block.{path.removeprefix(FOLDER).removesuffix('.mjml')}", "dropped", "missing", f"{value.path} is missing")
            return False
    return True
