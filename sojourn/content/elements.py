"""The elements of HTML as they stand in its text, found by CSS selectors and changed in place.

What is between them stays letter by letter: conditional comments, and markers of what is a person's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sojourn.content.attributes import TAG, as_attribute, attributes_of

_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_SIMPLE = re.compile(
    r"\*|(?P<kind>[.#]?)(?P<name>-?[A-Za-z_][\w-]*)|\[\s*(?P<attribute>[\w:-]+)\s*(?:(?P<how>[~^$*|]?=)\s*"
    r"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\]\s]+))\s*)?\]|:(?P<place>first-child|last-child)"
)
_STEP = re.compile(r"\s*(?P<combinator>[>+~\s])\s*(?=[^\s>+~])")
Simple = tuple[str, str, str, str]  # kind, name, how, value


@dataclass
class Element:
    """One element."""

    tag: str
    attributes: dict[str, str]  # as they stand there, without quotes
    parent: Element | None
    start: int
    end: int
    closed: bool
    children: list[Element] = field(default_factory=list)
    changed: bool = False

    def change(self, name: str, raw: str) -> None:
        """Give the element an attribute, or its attribute another value, as it stands in HTML."""
        self.attributes[name] = raw
        self.changed = True

    def written(self) -> str:
        """Return its beginning tag."""
        attributes = "".join(f' {name}="{raw}"' for name, raw in self.attributes.items())
        return f"<{self.tag}{attributes}{' /' if self.closed else ''}>"


def elements_of(html: str) -> list[Element]:
    """Return the elements of HTML in their order."""
    found: list[Element] = []
    open_: list[Element] = []
    for tag in TAG.finditer(html):
        name = (tag["name"] or "").lower()
        if not name:
            continue
        if tag["close"]:
            at = next((i for i in range(len(open_) - 1, -1, -1) if open_[i].tag == name), None)
            del open_[len(open_) if at is None else at :]
            continue
        closed = tag["attributes"].rstrip().endswith("/")
        values = {each.name: each.raw or "" for each in reversed(list(attributes_of(tag["attributes"])))}
        made = Element(name, dict(reversed(values.items())), open_[-1] if open_ else None, tag.start(), tag.end(), closed)
        if made.parent is not None:
            made.parent.children.append(made)
        found.append(made)
        if name not in _VOID and not closed:
            open_.append(made)
    return found


def changed(html: str, elements: list[Element]) -> str:
    """Return HTML with those elements that were changed."""
    parts: list[str] = []
    done = 0
    for each in elements:
        if each.changed:
            parts += (html[done : each.start], each.written())
            done = each.end
    return "".join([*parts, html[done:]])


@dataclass(frozen=True)
class Selector:
    """A CSS selector: what the element is, and how it stands to what is around, from the right."""

    steps: tuple[tuple[str, tuple[Simple, ...]], ...]

    @property
    def weight(self) -> tuple[int, int, int]:
        """Return how much it counts beside others (CSS: specificity)."""
        kinds = [kind for _, compound in self.steps for kind, _, _, _ in compound]
        return kinds.count("#"), sum(kind in (".", "[", ":") for kind in kinds), kinds.count("")

    def finds(self, element: Element) -> bool:
        """Tell whether an element is meant."""
        return _finds(element, self.steps)


def selector(text: str) -> Selector | None:
    """Return a selector; None where it says something that cannot be found in a text, such as `:hover`."""
    steps: list[tuple[str, tuple[Simple, ...]]] = []
    at, combinator = 0, ""
    text = text.strip()
    while at < len(text):
        compound: list[Simple] = []
        while (found := _SIMPLE.match(text, at)) is not None and found.end() > at:
            compound.append(_simple(found))
            at = found.end()
        step = _STEP.match(text, at)
        if not compound or (step is None and at < len(text)):
            return None
        steps.insert(0, (combinator, tuple(compound)))
        if step is not None:
            combinator, at = step["combinator"].strip() or " ", step.end()
    return Selector(tuple(steps)) if steps else None


def _simple(found: re.Match[str]) -> Simple:
    if found["attribute"] is not None:
        value = next((found[group] for group in ("double", "single", "bare") if found[group] is not None), "")
        return "[", found["attribute"].lower(), found["how"] or "", value
    if found["place"] is not None:
        return ":", found["place"], "", ""
    if found["name"] is None:
        return "*", "", "", ""
    return found["kind"], found["name"] if found["kind"] else found["name"].lower(), "", ""


def _finds(element: Element, steps: tuple[tuple[str, tuple[Simple, ...]], ...]) -> bool:
    combinator, compound = steps[0]
    if not all(_is(element, simple) for simple in compound):
        return False
    if len(steps) == 1:
        return True
    # The combinator between two steps is kept with the right one.
    return any(_finds(other, steps[1:]) for other in _related(element, combinator))


def _related(element: Element, combinator: str) -> Iterator[Element]:
    above = element.parent
    if combinator in ("+", "~"):
        before = above.children[: above.children.index(element)] if above is not None else []
        yield from reversed(before[-1:] if combinator == "+" else before)
        return
    while above is not None:
        yield above
        above = above.parent if combinator == " " else None


def _is(element: Element, simple: Simple) -> bool:
    kind, name, how, value = simple
    if kind == "*":
        return True
    if kind == ":":
        return element.parent is not None and element.parent.children[0 if name == "first-child" else -1] is element
    if kind == "":
        return element.tag == name
    if kind == "[":
        return name in element.attributes and _compares(element.attributes[name], how, as_attribute(value))
    return name in element.attributes.get("class", "").split() if kind == "." else element.attributes.get("id") == name


def _compares(has: str, how: str, value: str) -> bool:
    match how:
        case "":
            return True
        case "=":
            return has == value
        case "~=":
            return value in has.split()
        case "^=":
            return bool(value) and has.startswith(value)
        case "$=":
            return bool(value) and has.endswith(value)
        case "|=":
            return has == value or has.startswith(f"{value}-")
    return bool(value) and value in has
