"""A content as it stands in its file: front matter, then MJML with Jinja."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from sojourn.content.fetches import MAX_FETCHES, Fetch
from sojourn.content.slots import Slot
from sojourn.language.model import Model, Name
from sojourn.language.problems import DefinitionError, Problem
from sojourn.language.source import Node, read
from sojourn.language.wording import problems_of

FENCE = "---"
LANGUAGE = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
M = TypeVar("M", bound=BaseModel)


class Variant(Model):
    """What a variant changes; what it leaves out stays as it is."""

    subject: str | None = Field(default=None, min_length=1)
    preheader: str | None = None
    tokens: dict[Name, str | int | float] = Field(default_factory=dict)


class Front(Model):
    """The front matter of a content."""

    subject: str = Field(min_length=1, description="the subject line, with tokens")
    preheader: str = Field(default="", description="the line that an inbox shows after the subject, with tokens")
    tokens: dict[Name, str | int | float] = Field(default_factory=dict, description="texts of the content's own, as `variant.<name>`")
    texts: dict[Name, str] = Field(default_factory=dict, description="texts that are translated, with tokens, as `text.<name>`")
    language: str | None = Field(default=None, pattern=LANGUAGE, description="the language it is written in; default: the shop's")
    variants: dict[Name, Variant] = Field(default_factory=dict, description="by name, what a variant changes")
    slots: dict[Name, Slot] = Field(default_factory=dict, description="by name, what fills a slot: the first line that holds")
    needs: tuple[str, ...] = Field(default=(), description="tokens without which nothing can be sent")
    commercial: bool = Field(default=True, description="false: transactional, and so without unsubscribe link and postal address")
    accepts: tuple[str, ...] = Field(default=(), description="CSS that is used although main clients do not know it")
    fetches: dict[Name, Fetch] = Field(
        default_factory=dict, max_length=MAX_FETCHES, description="by name, what other services are asked before: fetched.<name>"
    )
    sample: dict[str, Any] = Field(default_factory=dict, description="facts by dotted names for the check and the preview")


@dataclass(frozen=True)
class Source:
    """One content, parsed."""

    name: str
    file: str
    front: Front
    body: str
    first_line: int  # of the body, in the file
    places: dict[str, tuple[int, int]]  # of the front matter's keys


def parse(name: str, file: str, text: str) -> Source:
    """Return a content from its file's text.

    Raises:
        DefinitionError: the front matter is missing or wrong; all its problems.
    """
    node, body, first_line = split(file, text)
    if node is None:
        raise DefinitionError([Problem(file, 1, 1, "no front matter; begin with a line `---`, then `subject: …`, then a line `---`")])
    if not isinstance(node.value, dict):
        raise DefinitionError([Problem(file, 2, 1, "the front matter needs keys, such as `subject: …`")])
    return Source(name, file, validated(node, file, Front), body, first_line, dict(node.keys))


def split(file: str, text: str) -> tuple[Node | None, str, int]:
    """Return the front matter of a file, its body, and the line in which the body begins; None and all of it without one.

    Raises:
        DefinitionError: the front matter is not YAML.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    end = next((i for i, line in enumerate(lines) if i and line.rstrip() == FENCE), None)
    if lines[0].rstrip() != FENCE or end is None:
        return None, "\n".join(lines), 1
    return read("\n" + "\n".join(lines[1:end]), file), "\n".join(lines[end + 1 :]), end + 2


def validated(node: Node, file: str, model: type[M]) -> M:
    """Return what a YAML document says, as a model; an empty one says nothing.

    Raises:
        DefinitionError: it says something wrong; all its problems.
    """
    plain = {} if node.value is None else node.plain()
    try:
        # JSON in strict mode: lists are taken for tuples, and nothing else is taken for what it is not.
        return model.model_validate_json(json.dumps(plain), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise DefinitionError(problems_of(error, node, file, model)) from None
