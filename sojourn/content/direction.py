"""Which way a message is read: `dir`, alignment and the order of columns follow its language."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from sojourn.content.attributes import TAG, attributes_of, with_values

Direction = Literal["ltr", "rtl"]
_RIGHT_TO_LEFT = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ji", "ks", "nqo", "pnb", "ps", "sd", "syr", "ug", "ur", "yi"})
_SCRIPTS = {"arab": "rtl", "hebr": "rtl", "thaa": "rtl", "syrc": "rtl", "nkoo": "rtl", "latn": "ltr", "cyrl": "ltr", "deva": "ltr"}
_STRONG: dict[str, Direction] = {"L": "ltr", "R": "rtl", "AL": "rtl"}
_ISOLATE, _END = "\u2068", "\u2069"
_SIDES = {"ltr": {"start": "left", "end": "right"}, "rtl": {"start": "right", "end": "left"}}
_ALIGNED = ("align", "text-align", "ico-align")
_STANDARD = (
    '<mj-attributes><mj-text align="right" /><mj-table align="right" /><mj-section direction="rtl" /><mj-wrapper direction="rtl" />'
    '<mj-column direction="rtl" />'
    '<mj-group direction="rtl" /></mj-attributes>'
)
_HEAD = re.compile(r"<mj-head\b[^>]*?(?P<empty>/?)>")
_ROOT = re.compile(r"<mjml\b[^>]*>")
_COLUMN = re.compile(r"text-align:left;direction:rtl")
_HTML = re.compile(r"<html\b(?P<attributes>[^>]*)>", re.IGNORECASE)
_ISOLATES = re.compile(f"[{_ISOLATE}{_END}]")


@lru_cache(maxsize=256)
def direction_of(language: str) -> Direction:
    """Return which way a language is written; of one that is written in several scripts, as its tag says."""
    base, *rest = re.split(r"[-_]", language.lower())
    script = next((_SCRIPTS[part] for part in rest if part in _SCRIPTS), None)
    return "rtl" if script == "rtl" or (script is None and base in _RIGHT_TO_LEFT) else "ltr"


def directed(mjml: str, language: str) -> str:
    """Return MJML that is read in the direction of a language, as far as its author says nothing else; `start` and `end` are sides."""
    direction = direction_of(language)
    sides = _SIDES[direction]
    if "start" in mjml or "end" in mjml:
        mjml = TAG.sub(lambda tag: _with_sides(tag, sides), mjml)
    mjml = _ROOT.sub(lambda root: _saying(root[0], language, direction), mjml, count=1)
    if direction == "ltr":
        return mjml
    head = _HEAD.search(mjml)
    if head is not None and not head["empty"]:
        return f"{mjml[: head.end()]}{_STANDARD}{mjml[head.end() :]}"
    return _ROOT.sub(lambda root: f"{root[0]}<mj-head>{_STANDARD}</mj-head>", mjml, count=1) if head is None else mjml


def columns_aligned(html: str) -> str:
    """Return a page whose columns begin on the side on which they are read: MJML has them begin left."""
    return _COLUMN.sub("text-align:right;direction:rtl", html)


def amp_directed(amp: str, language: str) -> str:
    """Return an AMP part that says its language and direction, where its author does not."""
    return _HTML.sub(lambda root: _saying(root[0], language, direction_of(language)), amp, count=1)


def isolated(value: str, direction: Direction) -> str:
    """Return a value so that it does not turn what is around it: apart, where it is written the other way."""
    others = {_STRONG[kind] for kind in map(unicodedata.bidirectional, value) if kind in _STRONG} - {direction}
    return f"{_ISOLATE}{value}{_END}" if others else value


def without_isolates(text: str) -> str:
    """Return a text without the marks around what is apart."""
    return _ISOLATES.sub("", text)


def _with_sides(tag: re.Match[str], sides: dict[str, str]) -> str:
    if tag["name"] is None or not tag["name"].startswith("mj-"):
        return tag[0]
    if not any(each.name in _ALIGNED and each.raw in sides for each in attributes_of(tag["attributes"])):
        return tag[0]
    return with_values(tag, lambda name, raw: sides.get(raw, raw) if name in _ALIGNED else raw)


def _saying(root: str, language: str, direction: str) -> str:
    said = {each.name: each.raw for each in attributes_of(root[1:-1])}
    added = "" if "lang" in said else f' lang="{language}"'
    added += "" if "dir" in said else f' dir="{direction}"'
    return f"{root[:-1]}{added}>"
