"""CSS that main e-mail clients do not know (data of caniemail.com, written by docs/caniemail.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib import resources

from sojourn.content.markup import without_jinja
from sojourn.content.stylesheet import Rule, declarations, rules

TOO_MANY = 2  # of the four families: where so many do not know it, a message must not rest on it
# Where it is not known nothing is lost but the effect: the words stay legible and where they are.
HARMLESS = frozenset({
    "accent-color", "cursor", "hyphens", "hyphenate-character", "hyphenate-limit-chars", "orphans", "overflow-wrap", "resize", "tab-size",
    "text-decoration-skip-ink", "text-decoration-thickness", "text-emphasis-position", "text-shadow", "text-underline-offset", "text-wrap",
    "transition", "user-select", "widows", ":target", ":visited", "outline-offset",
})  # fmt: skip
_STYLE = re.compile(r"<(mj-style|style)\b[^>]*>(?P<css>.*?)</\1>", re.DOTALL | re.IGNORECASE)
_INLINE = re.compile(r"\bstyle\s*=\s*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)')", re.IGNORECASE)
_REFERENCE = re.compile(r"&#?\w+;")  # its semicolon ends no declaration
_FUNCTION = re.compile(r"([a-z-]+)\(")
_PSEUDO = re.compile(r"::?[a-z-]+(?:\(\))?")


@cache
def support() -> dict[str, dict[str, str]]:
    """Return by name what each family of clients does: y, a (almost) or n."""
    data = json.loads(resources.files("sojourn.content").joinpath("caniemail.json").read_text("utf-8"))
    return {name.replace(": ", ":"): families for name, families in data["css"].items()}


def unsupported(body: str, accepts: Collection[str] = ()) -> list[tuple[int, int, str]]:
    """Return what a template uses of CSS that two or more of the main families of clients do not know: (line, column, message).

    What stands in an at-rule is meant for those who understand it, and is left alone.

    Args:
        body: MJML with Jinja.
        accepts: names that are used knowingly.
    """
    text = without_jinja(body)
    found: dict[tuple[int, int, str], None] = {}
    for offset, name in _used(text):
        refusing = [family for family, word in support().get(name, {}).items() if word == "n"]
        if len(refusing) >= TOO_MANY and name not in HARMLESS and name not in accepts:
            line = text.count("\n", 0, offset) + 1
            column = offset - (text.rfind("\n", 0, offset) + 1) + 1
            message = f'`{name}` is not known to {" and ".join(refusing)}; leave it out, or say `accepts: ["{name}"]` in the front matter'
            found[line, column, message] = None
    return sorted(found)


def _used(text: str) -> Iterator[tuple[int, str]]:
    for style in _STYLE.finditer(text):
        for rule in rules(style["css"]):
            if not rule.at and not rule.selector.startswith("@"):
                yield from _of_rule(rule, style.start("css"))
    for inline in _INLINE.finditer(text):
        group = "double" if inline["double"] is not None else "single"
        yield from _of_body(_REFERENCE.sub(lambda found: "_" * len(found[0]), inline[group]), inline.start(group))


def _of_rule(rule: Rule, offset: int) -> Iterator[tuple[int, str]]:
    for pseudo in _PSEUDO.findall(rule.selector):
        yield offset + rule.offset, pseudo
    yield from _of_body(rule.body, offset + rule.offset)


def _of_body(body: str, offset: int) -> Iterator[tuple[int, str]]:
    for each in declarations(body, offset):
        yield each.offset, each.name
        yield each.offset, f"{each.name}:{each.plain}"
        for function in _FUNCTION.findall(each.value):
            yield each.offset, f"{function}()"
