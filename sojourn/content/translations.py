"""Contents in several languages: one structure, and for each language a file with its texts.

    cart_reminder.mjml        the content, in the shop's language
    cart_reminder.de.yaml     its subject, preheader, tokens, texts and variants in German
    texts.yaml, texts.de.yaml texts that layouts and blocks share, as `text.<name>`

A file beside the content, and not a second content: a button that moves is moved once, and what a
translation lacks can be told by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from pydantic import Field, RootModel

from sojourn.content.source import Front, Variant
from sojourn.language.model import Model, Name
from sojourn.language.problems import nearest, shown

SHARED = "texts"
FILE = re.compile(r"^(?P<name>[a-z][a-z0-9_]*)(?:\.(?P<language>[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*))?\.yaml$")


class Translation(Model):
    """A content's words in another language."""

    subject: str = Field(min_length=1, description="the subject line, with tokens")
    preheader: str = Field(default="", description="the line that an inbox shows after the subject, with tokens")
    tokens: dict[Name, str | int | float] = Field(default_factory=dict, description="the content's own texts, as `variant.<name>`")
    texts: dict[Name, str] = Field(default_factory=dict, description="texts with tokens, as `text.<name>`")
    variants: dict[Name, Variant] = Field(default_factory=dict, description="by name, what a variant changes")


class Texts(RootModel[dict[Name, str]]):
    """Texts that layouts and blocks share, by name."""


@dataclass
class Catalogue:
    """All texts by language; None is the language that contents are written in.

    Attributes:
        shared: texts of layouts and blocks.
        own: texts of a content.
    """

    shared: dict[str | None, dict[str, str]] = field(default_factory=dict)
    own: dict[tuple[str, str | None], dict[str, str]] = field(default_factory=dict)

    def find(self, content: str | None, language: str | None, name: str) -> str | None:
        """Return a text: of the content in the language, else the shared one; in the content's own language where that has none."""
        for spoken in dict.fromkeys((language, None)):
            for texts in (self.own.get((content, spoken)) if content is not None else None, self.shared.get(spoken)):
                if texts is not None and name in texts:
                    return texts[name]
        return None

    def names(self, content: str | None) -> set[str]:
        """Return the names of the texts that a content may show."""
        return {*self.shared.get(None, ()), *(self.own.get((content, None), ()) if content is not None else ())}


def code(tag: str) -> str:
    """Return a language tag in one spelling, such as `de-AT`."""
    language, *rest = re.split(r"[-_]", tag)
    return "-".join([language.lower(), *(part.upper() if len(part) == 2 else part.title() for part in rest)])


def base(tag: str) -> str:
    """Return the language of a tag alone, such as `de`."""
    return code(tag).partition("-")[0]


def chain(*tags: str | None) -> Iterator[str]:
    """Give the languages in which to look, each before its wider one: `de-AT`, `de`, then those of the next tag."""
    for tag in tags:
        parts = code(tag).split("-") if tag else []
        yield from ("-".join(parts[:end]) for end in range(len(parts), 0, -1))


def chosen(available: Collection[str], own: str, locale: str | None, shop: str | None) -> tuple[str | None, str]:
    """Return the language of a message, None for that of the content itself, and why.

    Args:
        available: languages that it is translated into.
        own: the language that it is written in.
        locale: the person's.
        shop: the shop's.
    """
    spoken = set(chain(own))
    for tag, whose in ((locale, "the person's"), (shop, "the shop's")):
        for language in chain(tag):
            if language in available:
                return language, f"{whose} locale is {tag}"
            if language in spoken:
                return None, f"{whose} locale is {tag}"
    return None, "nothing else is there"


def lacks(front: Front, translation: Translation) -> Iterator[tuple[str, str]]:
    """Give what a translation lacks or has too much: the key by which it stands there, the sentence."""
    if front.preheader and not translation.preheader:
        yield "", "`preheader` is not translated"
    for key in ("tokens", "texts"):
        yield from _differ(key, set(getattr(front, key)), set(getattr(translation, key)))
    for name in translation.variants:
        if name not in front.variants:
            yield "variants", f"the content has no variant {shown(name)}{nearest(name, front.variants)}"
    for name, variant in front.variants.items():
        own = translation.variants.get(name, Variant())
        yield from _differ(f"variants.{name}.tokens", set(variant.tokens), set(own.tokens))
        for key in ("subject", "preheader"):
            if getattr(variant, key) is not None and getattr(own, key) is None:
                yield "variants" if name in translation.variants else "", f"`variants.{name}.{key}` is not translated"


def _differ(key: str, there: set[str], here: set[str]) -> Iterator[tuple[str, str]]:
    place = key.split(".")[0]
    for name in sorted(there - here):
        yield place, f"`{key}.{name}` is not translated"
    for name in sorted(here - there):
        yield place, f"the content has no `{key}.{name}`{nearest(name, there)}"
