"""What MJML's head puts on elements of the page: styles that stand in them, and attributes of their own.

`<mj-style inline="inline">` and `<mj-html-attributes>` are taken out before mrml, which does neither, and done after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from sojourn.content.attributes import as_attribute, attribute_value, attributes_of, unambiguous
from sojourn.content.elements import Element, Selector, changed, elements_of, selector
from sojourn.content.stylesheet import Declaration, declarations, rules

_INLINE = re.compile(r"<mj-style\b(?=[^>]*\binline\s*=\s*[\"']?inline\b)[^>]*>(?P<css>.*?)</mj-style\s*>", re.DOTALL)
_OWN = re.compile(r"<mj-html-attributes\b[^>]*?(?:/>|>(?P<inside>.*?)</mj-html-attributes\s*>)", re.DOTALL)
_SELECTOR = re.compile(r"<mj-selector\b(?P<attributes>[^>]*)>(?P<inside>.*?)</mj-selector\s*>", re.DOTALL)
_ATTRIBUTE = re.compile(r"<mj-html-attribute\b(?P<attributes>[^>]*)>(?P<value>.*?)</mj-html-attribute\s*>", re.DOTALL)
_NAME = re.compile(r"[A-Za-z][\w:.-]*")
Styled = tuple[Selector, list[Declaration]]


def taken_out(mjml: str) -> tuple[str, list[Styled], list[tuple[Selector, str, str]]]:
    """Return MJML without what is put on elements; styles to stand in them; and attributes, each with its selector."""
    styles: list[Styled] = []
    attributes = [(found, name, unambiguous(as_attribute(unescape(value)))) for found, name, value in _own(mjml) if found is not None]

    def left(style: re.Match[str]) -> str:
        """Take what can stand in elements, and leave the rest a stylesheet: `:hover`, `@media`."""
        kept: list[str] = []
        for rule in rules(style["css"]):
            if rule.at or rule.selector.startswith("@"):
                kept.append(f"{rule.at} {{ {rule.selector} {{{rule.body}}} }}" if rule.at else f"{rule.selector} {{{rule.body}}}")
                continue
            for part in rule.selector.split(","):
                found = selector(part)
                if found is None:
                    kept.append(f"{part} {{{rule.body}}}")
                else:
                    styles.append((found, list(declarations(rule.body))))
        return f"<mj-style>{' '.join(kept)}</mj-style>" if kept else ""

    return _OWN.sub("", _INLINE.sub(left, mjml)), styles, attributes


def put_on(html: str, styles: list[Styled], attributes: list[tuple[Selector, str, str]]) -> str:
    """Return a page with attributes and styles on the elements that selectors find."""
    if not styles and not attributes:
        return html
    elements = elements_of(html)
    for found, name, raw in attributes:
        for element in elements:
            if found.finds(element):
                element.change(name, raw)
    weighed = sorted(styles, key=lambda style: style[0].weight)  # of the same weight the later one counts
    for element in elements:
        said = [each for found, each in weighed if found.finds(element)]
        if said:
            element.change("style", _merged(element, said))
    return changed(html, elements)


def faults(mjml: str) -> Iterator[tuple[int, str]]:
    """Give what cannot be put on an element: the offset in MJML, and the sentence."""
    for own in _OWN.finditer(mjml):
        for one in _SELECTOR.finditer(own["inside"] or ""):
            at = own.start("inside") + one.start()
            path = _value(one["attributes"], "path")
            if not path or _selectors(path) is None:
                yield at, f"`path` of `mj-selector` is no selector that can be found in a mail: `{path}`; write one such as `.title div`"
            for attribute in _ATTRIBUTE.finditer(one["inside"]):
                name = _value(attribute["attributes"], "name")
                if not _NAME.fullmatch(name) or name.lower().startswith("on"):
                    inner = own.start("inside") + one.start("inside") + attribute.start()
                    yield inner, f"`{name}` is no attribute that a mail may have; write a name such as `data-id`"


def _own(mjml: str) -> Iterator[tuple[Selector | None, str, str]]:
    for own in _OWN.finditer(mjml):
        for one in _SELECTOR.finditer(own["inside"] or ""):
            for attribute in _ATTRIBUTE.finditer(one["inside"]):
                name = _value(attribute["attributes"], "name")
                if _NAME.fullmatch(name) and not name.lower().startswith("on"):
                    for found in _selectors(_value(one["attributes"], "path")) or ():
                        yield found, name.lower(), attribute["value"].strip()


def _selectors(path: str) -> list[Selector] | None:
    found = [selector(part) for part in path.split(",")]
    return None if None in found else [each for each in found if each is not None]


def _value(attributes: str, name: str) -> str:
    return next((each.value for each in attributes_of(attributes) if each.name == name), "")


def _merged(element: Element, said: list[list[Declaration]]) -> str:
    """Return a `style`: what stylesheets say, then what stands there already, then what is important."""
    own = list(declarations(attribute_value(element.attributes.get("style", ""))))
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for each in (one for group in said for one in group):
        into = after if each.important else before
        into.pop(each.name, None)
        into[each.name] = each.plain
    there = {each.name for each in own}
    stays = {each.name for each in own if each.important}
    made = [f"{name}:{value}" for name, value in before.items() if name not in there and name not in after]
    made += [f"{each.name}:{each.value}" for each in own if each.important or each.name not in after]
    made += [f"{name}:{value}" for name, value in after.items() if name not in stays]
    return unambiguous(as_attribute(";".join(made)))
