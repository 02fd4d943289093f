"""A content as it stands in its file: front matter, then MJML with Jinja."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from sojourn.language.model import Model, Name
from sojourn.language.problems import DefinitionError, Problem, nearest
from sojourn.language.source import Node, read

FENCE = "---"


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
    variants: dict[Name, Variant] = Field(default_factory=dict, description="by name, what a variant changes")
    needs: tuple[str, ...] = Field(default=(), description="tokens without which nothing can be sent")
    commercial: bool = Field(default=True, description="false: transactional, and so without unsubscribe link and postal address")
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
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != FENCE or FENCE not in [line.rstrip() for line in lines[1:]]:
        raise DefinitionError([Problem(file, 1, 1, "no front matter; begin with a line `---`, then `subject: …`, then a line `---`")])
    end = next(i for i, line in enumerate(lines) if i and line.rstrip() == FENCE)
    node = read("\n" + "\n".join(lines[1:end]), file)
    if not isinstance(node.value, dict):
        raise DefinitionError([Problem(file, 2, 1, "the front matter needs keys, such as `subject: …`")])
    try:
        front = Front.model_validate(node.plain())
    except ValidationError as error:
        raise DefinitionError(_problem(node, file, detail) for detail in error.errors()) from None
    return Source(name, file, front, "\n".join(lines[end + 1 :]), end + 2, dict(node.keys))


def _problem(node: Node, file: str, detail: Any) -> Problem:
    place, at = node.place(), node
    for part in detail["loc"]:
        if isinstance(at.value, dict) and part in at.value:
            place, at = at.keys[part], at.value[part]
    where = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        known = Variant.model_fields if detail["loc"][0] == "variants" else Front.model_fields
        return Problem(file, *place, f"unknown key `{where}`{nearest(str(detail['loc'][-1]), known)}")
    if detail["type"] == "missing":
        return Problem(file, *place, f"`{where}` is missing")
    return Problem(file, *place, f"`{where}`: {detail['msg'][0].lower() + detail['msg'][1:]}")
