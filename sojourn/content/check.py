"""What is wrong with a content, found before anyone gets it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jinja2 import TemplateError, nodes

from sojourn.content.markup import faults
from sojourn.content.reach import Reach
from sojourn.content.sandbox import ROOTS
from sojourn.content.source import Source
from sojourn.errors import RenderError
from sojourn.language.problems import Problem, unknown
from sojourn.language.shop import ShopSettings

if TYPE_CHECKING:
    from sojourn.content.contents import Contents

GMAIL_CLIPS_AT = 102 * 1024
_LINKS = {"unsubscribe_url", "preferences_url", "confirm_url"}
_GIVEN = {*ROOTS, *_LINKS, "subject", "range", "loop", "self", "super", "caller", "varargs", "kwargs"}
_SAMPLED = ("profile", "event", "shop", "with", "score")


def check(contents: Contents, source: Source) -> list[Problem]:
    """Return the problems of a content, sorted by place."""
    found = contents.reach(source.name)
    problems = [*_tokens(contents, source, found), *_front(contents, source)]
    for file in found.files:
        problems += [contents.place(file.path, line, column, message) for line, column, message in faults(file.body)]
    used = {path for file in found.files for path, _ in _paths(file.tree)}
    if source.front.commercial:
        if "unsubscribe_url" not in used:
            problems.append(Problem(source.file, source.first_line, 1, "no link to {{ unsubscribe_url }}; a commercial message needs one"))
        if "shop.postal_address" not in used:
            problems.append(Problem(source.file, source.first_line, 1, "no {{ shop.postal_address }}; a commercial message needs it"))
    return sorted({*problems, *(_rendered(contents, source) if not problems else [])})


def _paths(tree: nodes.Node) -> Iterable[tuple[str, int]]:
    """Give each token of a template as a dotted path (or its root alone), with its line."""
    inner: set[int] = set()
    for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Name)):
        if id(node) in inner:
            continue
        way: list[str] = []
        at: nodes.Node = node
        while isinstance(at, nodes.Getattr | nodes.Getitem):
            way = [at.attr, *way] if isinstance(at, nodes.Getattr) else []
            at = at.node
            inner.add(id(at))
        if isinstance(at, nodes.Name) and at.ctx == "load":
            yield ".".join([at.name, *way]), node.lineno


def _tokens(contents: Contents, source: Source, found: Reach) -> Iterable[Problem]:
    declared = set(_GIVEN)
    for file in found.files:
        declared |= {name.name for name in file.tree.find_all(nodes.Name) if name.ctx in ("store", "param")}
        declared |= {macro.name for macro in file.tree.find_all(nodes.Macro)}
    for file in found.files:
        for path, line in _paths(file.tree):
            message = _token_fault(path, source, declared)
            if message:
                yield contents.place(file.path, line, 1, message)


def _token_fault(path: str, source: Source, declared: set[str]) -> str | None:
    root, _, rest = path.partition(".")
    first = rest.split(".")[0]
    if root not in declared:
        return unknown("token", root, declared - {"loop", "self", "super", "caller", "varargs", "kwargs"})
    if root in ROOTS and not rest:
        return None
    if root == "shop" and first not in ShopSettings.model_fields:
        return unknown("token", f"shop.{first}", {f"shop.{name}" for name in ShopSettings.model_fields})
    if root == "variant" and first not in {"name", *_variant_tokens(source)}:
        return f"{unknown('token', f'variant.{first}', {f'variant.{name}' for name in _variant_tokens(source)})}; say it under `tokens`"
    return None


def _variant_tokens(source: Source) -> set[str]:
    named = set(source.front.tokens)
    for variant in source.front.variants.values():
        named |= set(variant.tokens)
    return named


def _front(contents: Contents, source: Source) -> Iterable[Problem]:
    front = source.front
    for key in ("subject", "preheader"):
        texts = [getattr(front, key), *(getattr(variant, key) for variant in front.variants.values())]
        for text in filter(None, texts):
            try:
                tree = contents.plain.parse(text)
            except TemplateError as error:
                yield Problem(source.file, *source.places.get(key, (1, 1)), f"`{key}`: {error.message}")
                continue
            for path, _ in _paths(tree):
                message = _token_fault(path, source, _GIVEN)
                if message:
                    place = source.places.get(key) or source.places.get("variants", (1, 1))
                    yield Problem(source.file, *place, f"`{key}`: {message}")
    for key, tokens in (("needs", front.needs), ("sample", front.sample)):
        for token in tokens:
            root, dot, _ = token.partition(".")
            if root not in _SAMPLED or not dot:
                yield Problem(source.file, *source.places[key], f"`{key}`: {unknown('token', token, {f'{name}.…' for name in _SAMPLED})}")


def _rendered(contents: Contents, source: Source) -> Iterable[Problem]:
    line, column = source.places.get("sample", (1, 1))
    for variant in (None, *source.front.variants):
        try:
            rendered = contents.render(source.name, contents.sample(source.name), variant)
        except RenderError as error:
            yield Problem(source.file, line, column, f"cannot be rendered with its `sample`: {error}")
            return
        size = len(rendered.html.encode())
        if size > GMAIL_CLIPS_AT:
            limit = GMAIL_CLIPS_AT // 1024
            yield Problem(source.file, source.first_line, 1, f"{size // 1024} kB of HTML; Gmail cuts a message at {limit} kB, so show less")
