"""Named slots: places of a content or layout that are filled for each person by the first line that holds.

    <div data-content="hero">…what stands there otherwise…</div>        or   {% slot "hero" %}…{% endslot %}

    slots:
      hero:
        - {if: segment.high_value, block: vip}
        - {by: rfm, arms: [{at_least: 0.6, block: regulars}, {block: newcomers}]}

Each filling becomes a template of its own, which the slot includes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from sojourn.language.model import ConditionText, Model, Name

FOLDER = "slots"
MAX_LINES = 20
_DIV = re.compile(r"<div\b[^>]*\bdata-content\s*=\s*([\"'])(?P<name>[^\"']*)\1[^>]*>|<(?P<close>/?)div\b[^>]*>", re.IGNORECASE)
_DATA = re.compile(r"\s*\bdata-content\s*=\s*([\"']).*?\1", re.IGNORECASE)
_HOLDS_HTML = re.compile(r"<(?P<close>/?)(?:mj-text|mj-table|mj-raw|mj-button|mj-accordion-text)\b(?P<rest>[^>]*)>", re.IGNORECASE)
_TOKEN = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


class Filling(Model):
    """A block with its inputs; a text among them may hold tokens."""

    block: str = Field(min_length=1, description="a block, such as `button` or blocks/button.mjml")
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with", description="the block's inputs")


class Arm(Filling):
    """One of several fillings that a model chooses from."""

    at_least: float | None = Field(default=None, description="chosen where the model's score is at least this; default: always")


class Line(Model):
    """One line of a slot: a block, or a model with the arms that it chooses from."""

    if_: ConditionText | None = Field(default=None, alias="if", description="only where this holds, such as segment.high_value")
    block: str | None = Field(default=None, min_length=1, description="a block, such as `button` or blocks/button.mjml")
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with", description="the block's inputs")
    by: Name | None = Field(default=None, description="the model that chooses one of the arms")
    arms: tuple[Arm, ...] = Field(default=(), max_length=MAX_LINES, description="the fillings that the model chooses from")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.block is None) is (self.by is None):
            raise ValueError("a line has either `block` or `by`, a model: write one of the two")
        if (self.by is None) is bool(self.arms):
            raise ValueError("`by` and `arms` belong together: a model, and what it chooses from")
        if any(arm.at_least is None for arm in self.arms[:-1]):
            raise ValueError("an arm without `at_least` is always chosen, so it stands last")
        return self

    def fillings(self) -> tuple[Filling, ...]:
        """Return what may fill the slot by this line, the arms in their order."""
        return self.arms if self.block is None else (Filling(block=self.block, with_=self.with_),)


Slot = Annotated[tuple[Line, ...], Field(max_length=MAX_LINES)]


def file_of(content: str, slot: str, line: int, arm: int) -> str:
    """Return the name of the template that fills a slot."""
    return f"{FOLDER}/{content}/{slot}/{line}.{arm}.mjml"


def files_of(content: str, slots: dict[str, tuple[Line, ...]]) -> Iterator[tuple[str, str, str]]:
    """Give the templates that may fill a content's slots: the slot, the template's name, its text."""
    for slot, lines in slots.items():
        for i, line in enumerate(lines):
            for j, filling in enumerate(line.fillings()):
                inputs = "".join(f" {name}={_expression(value)}" for name, value in filling.with_.items())
                yield slot, file_of(content, slot, i, j), f"{{% use {_text(filling.block)}{inputs} %}}"


def _expression(value: Any) -> str:
    """Return a value of the front matter as Jinja writes it; `{{ … }}` in a text is what stands in the braces."""
    if isinstance(value, str):
        parts = _TOKEN.split(value)
        shown = [f"({part.strip()})" if i % 2 else _text(part) for i, part in enumerate(parts) if part]
        return " ~ ".join(shown) or '""'
    if isinstance(value, list):
        return f"[{', '.join(map(_expression, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(str(key))}: {_expression(inner)}" for key, inner in value.items()) + "}"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def with_slots(body: str) -> str:
    """Return a template whose `<div data-content="…">` are slots; lines stay where they are.

    Among MJML's components the div itself is left out, for none may stand there; within a text it stays.
    """
    parts: list[str] = []
    open_: list[str | None] = []  # of each open div, what ends it where it is a slot
    done = 0
    for div in _DIV.finditer(body):
        parts.append(body[done : div.start()])
        done = div.end()
        if div["name"] is not None:
            in_html = _stands_in_html(body[: div.start()])
            kept = _DATA.sub(lambda found: _lines(found[0]), div[0]) if in_html else _lines(div[0])
            parts.append(f"{kept}{{% slot {_text(div['name'])} %}}")
            open_.append("{% endslot %}" + ("</div>" if in_html else ""))
        elif not div["close"]:
            parts.append(div[0])
            open_.append(None)
        else:
            parts.append((open_.pop() if open_ else None) or div[0])
    return "".join(parts) + body[done:]


def _stands_in_html(before: str) -> bool:
    depth = 0
    for tag in _HOLDS_HTML.finditer(before):
        depth += -1 if tag["close"] else 0 if tag["rest"].rstrip().endswith("/") else 1
    return depth > 0


def _lines(text: str) -> str:
    return "\n" * text.count("\n")
