"""The AMP part of a content, `NAME.amp.html`: what AMP for Email asks of it, looked at where it is loaded.

The rules are those of the format's specification (amp.dev, "AMP for Email"). `amphtml-validator` knows them all; ours are
those without which a mail program falls back to the HTML part in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from sojourn.language.problems import listed, shown

SUFFIX = ".amp.html"
MAX_BYTES = 200_000
MAX_CSS = 75_000
RUNTIME = "https://cdn.ampproject.org/v0.js"
BOILERPLATE = "body{visibility:hidden}"
# Components of AMP for Email that need a script of their own.
COMPONENTS = frozenset({
    "amp-accordion", "amp-anim", "amp-autocomplete", "amp-bind", "amp-carousel", "amp-fit-text", "amp-form", "amp-image-lightbox",
    "amp-lightbox", "amp-list", "amp-selector", "amp-sidebar", "amp-timeago",
})  # fmt: skip
TEMPLATES = frozenset({"amp-mustache"})
_BUILT_IN = frozenset({"amp-img", "amp-layout", "amp-state"})
_REFUSED = frozenset({
    "img", "picture", "video", "audio", "iframe", "frame", "frameset", "object", "embed", "applet", "base", "link", "svg",
})  # fmt: skip
_ADDRESSES = ("src", "action-xhr", "xssi-prefix")
_SCRIPT = re.compile(r"^https://cdn\.ampproject\.org/v0/(?P<name>[a-z-]+)-\d+\.\d+\.js$")
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
MUSTACHE = re.compile(r"\"\{\{[A-Za-z0-9_.]{1,100}\}\}\"")  # an address that a list's items bear
Fault = tuple[int, int, str]


class _Reader(HTMLParser):
    """Gathers what is wrong while it reads."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Fault] = []
        self.components: set[str] = set()
        self.used: dict[str, tuple[int, int]] = {}
        self.seen: set[str] = set()
        self.style: tuple[str, tuple[int, int]] | None = None
        self.css = 0

    def fault(self, message: str) -> None:
        line, column = self.getpos()
        self.found.append((line, column + 1, message))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "html" and not {"⚡4email", "amp4email"} & attributes.keys():
            self.fault("write <html ⚡4email data-css-strict>: without it no mail program takes it for AMP")
        self.seen.add(tag)
        if tag == "meta" and "charset" in attributes:
            self.seen.add("charset" if attributes["charset"].lower() == "utf-8" else "")
        if tag == "script":
            self._script(attributes)
        if tag == "style":
            name = next((name for name in ("amp4email-boilerplate", "amp-custom") if name in attributes), "")
            if not name:
                self.fault("a style stands in <style amp-custom> in the head; AMP takes no other")
            self.style = name, self.getpos()
            self.seen.add(name)
        if tag in _REFUSED:
            self.fault(f"<{tag}> has no place in AMP" + ("; write <amp-img>, with width and height" if tag == "img" else "; take it out"))
        if tag.startswith("amp-"):
            self.used.setdefault(tag, self.getpos())
        if tag == "form":
            self.used.setdefault("amp-form", self.getpos())
            if "action" in attributes or "action-xhr" not in attributes:
                self.fault("a form in AMP is sent by `action-xhr`, to an https address")
        if tag == "template" and attributes.get("type") == "amp-mustache":
            self.used.setdefault("amp-mustache", self.getpos())
        if tag == "amp-img" and "alt" not in attributes:
            self.fault('<amp-img> without `alt`; say what it shows, or alt="" where it shows nothing')
        for name, value in attributes.items():
            if name.startswith("on") and name != "on":
                self.fault(f"`{name}` runs a script; AMP takes none")
            if name in _ADDRESSES and value.lower().startswith("http:"):
                self.fault(f"`{name}` has to begin with https://")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self.style = None

    def handle_data(self, data: str) -> None:
        if self.style is None:
            return
        name, _ = self.style
        if name == "amp4email-boilerplate" and "".join(data.split()) != BOILERPLATE:
            self.fault(f"the boilerplate is exactly <style amp4email-boilerplate>{BOILERPLATE}</style>")
        if name == "amp-custom":
            self.css += len(data.encode())
            if "!important" in data or "@import" in data:
                self.fault("`!important` and `@import` have no place in AMP's style")

    def handle_decl(self, decl: str) -> None:
        if "".join(decl.lower().split()) == "doctypehtml":
            self.seen.add("doctype")

    def _script(self, attributes: dict[str, str]) -> None:
        source, named = attributes.get("src", ""), attributes.get("custom-element") or attributes.get("custom-template")
        if attributes.get("type") == "application/json":
            return
        if source == RUNTIME:
            self.seen.add("runtime")
        elif not source:
            self.fault("a script of your own has no place in AMP; take it out")
        else:
            found = _SCRIPT.match(source)
            name = found["name"] if found is not None else None
            if name is None or name != named or name not in COMPONENTS | TEMPLATES:
                self.fault(f"{shown(source)} is no script of AMP for Email; there are {listed(sorted(COMPONENTS | TEMPLATES))}")
            else:
                self.components.add(name)
        if "async" not in attributes:
            self.fault("scripts of AMP are loaded with `async`")


def faults(template: str) -> list[Fault]:
    """Return what is wrong with an AMP part as its author wrote it: line, column, sentence."""
    reader = _Reader()
    reader.feed(_JINJA.sub(lambda found: "".join("\n" if letter == "\n" else "x" for letter in found[0]), template))
    reader.close()
    found = list(reader.found)
    needed = {
        "doctype": "begin with <!doctype html>", "html": "there is no <html ⚡4email>",
        "head": "there is no <head>", "body": "there is no <body>",
        "charset": 'the head begins with <meta charset="utf-8">',
        "runtime": f'the head needs <script async src="{RUNTIME}"></script>',
        "amp4email-boilerplate": f"the head needs <style amp4email-boilerplate>{BOILERPLATE}</style>",
    }  # fmt: skip
    found += [(1, 1, message) for what, message in needed.items() if what not in reader.seen]
    if reader.css > MAX_CSS:
        found.append((1, 1, f"more than {MAX_CSS // 1000} kB of style; AMP for Email takes no more"))
    for name, (line, column) in reader.used.items():
        if name in _BUILT_IN or name in reader.components or (name == "amp-state" and "amp-bind" in reader.components):
            continue
        if name in COMPONENTS | TEMPLATES:
            kind, number = ("custom-template", "0.2") if name in TEMPLATES else ("custom-element", "0.1")
            script = f'<script async {kind}="{name}" src="https://cdn.ampproject.org/v0/{name}-{number}.js"></script>'
            found.append((line, column + 1, f"<{name}> needs its script in the head: {script}"))
        else:
            there = listed(sorted(COMPONENTS | _BUILT_IN))
            found.append((line, column + 1, f"<{name}> is no component of AMP for Email; there are {there}"))
    return sorted(found)


def rendered_faults(part: str) -> Iterator[tuple[str, str]]:
    """Give what is wrong with an AMP part as it comes out: words that stand there, and the sentence."""
    size = len(part.encode())
    if size > MAX_BYTES:
        yield "", f"{size // 1000} kB of AMP; a mail program takes at most {MAX_BYTES // 1000} kB"
    for found in re.finditer(r"\b(src|action-xhr)\s*=\s*\"(http:[^\"]*)\"", part, re.IGNORECASE):
        yield found[2], f"`{found[1]}` has to begin with https://"
