"""What is wrong with a content, found before anyone gets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

from jinja2 import TemplateError, nodes

from sojourn.content import amp, blocks
from sojourn.content.calling import CALLABLE, MAX_RECOMMENDED, unclear_counts
from sojourn.content.facts import Rendered, RenderFacts
from sojourn.content.header_text import MAX_SUBJECT, cleaned_differs
from sojourn.content.legible import illegible
from sojourn.content.markup import allowed_tags, faults, may_hold, misplaced, stray_texts
from sojourn.content.pictures import SOURCE as PICTURE
from sojourn.content.pictures import allowing
from sojourn.content.reach import File, Reach
from sojourn.content.sample import ROOTS as SAMPLED
from sojourn.content.sample import everything
from sojourn.content.sandbox import LINE, ROOTS
from sojourn.content.source import Source
from sojourn.content.styles import unsupported
from sojourn.errors import RenderError
from sojourn.language.conditions import Condition, ConditionError
from sojourn.language.conditions import parse as parse_condition
from sojourn.language.finding import Known
from sojourn.language.problems import Problem, listed, nearest, shown, unknown
from sojourn.language.shop import ShopSettings

if TYPE_CHECKING:
    from sojourn.content.contents import Contents

GMAIL_CLIPS_AT = 102 * 1024
_LINKS = {"unsubscribe_url", "preferences_url", "confirm_url"}
_GIVEN = {*ROOTS, *_LINKS, *CALLABLE, "subject", "language", "range", "loop", "self", "super", "caller", "varargs", "kwargs"}
_UNSAID = {"loop", "self", "super", "caller", "varargs", "kwargs"}
UNSUBSCRIBE = RenderFacts().unsubscribe_url  # as it stands in what is rendered for a check
_NEEDED = ("profile", "event", "shop", "with", "score")


def check(contents: Contents, source: Source, known: Known) -> list[Problem]:
    """Return the problems of a content, sorted by place."""
    name = source.name
    found = contents.reach(name)
    parts = Reach(contents.every_file(name), found.slots)
    problems = [*_tokens(contents, source, parts), *_front(contents, source), *_asked(contents, source, parts, known)]
    problems += [*_fetches(contents, source, known), *_counts(contents, parts), *_amp(contents, source)]
    for language in contents.library.languages(name):
        problems += _tokens(contents, source, Reach(contents.every_file(name, language)))
        problems += _translated(contents, source, language)
    for file in found.files:
        seen = [*faults(file.body), *unsupported(file.body, source.front.accepts)]
        problems += [contents.place(file.path, line, column, message) for line, column, message in seen]
    used = {path for file in found.files for path, _ in _paths(file.tree)}
    if source.front.commercial:
        if "unsubscribe_url" not in used:
            problems.append(Problem(source.file, source.first_line, 1, "no link to {{ unsubscribe_url }}; a commercial message needs one"))
        if "shop.postal_address" not in used:
            problems.append(Problem(source.file, source.first_line, 1, "no {{ shop.postal_address }}; a commercial message needs it"))
    return sorted({*problems, *(_rendered(contents, source, found, known) if not problems else [])})


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
        if isinstance(at, nodes.Name) and at.ctx == "load" and not getattr(at, "input", False):
            yield ".".join([at.name, *way]), node.lineno


def _stored(tree: nodes.Node) -> set[str]:
    """Return the names that a template sets itself; the inputs of the blocks that it uses are theirs."""
    names = (name for name in tree.find_all(nodes.Name) if name.ctx in ("store", "param") and not getattr(name, "input", False))
    return {name.name for name in names} | {macro.name for macro in tree.find_all(nodes.Macro)}


def _tokens(contents: Contents, source: Source, found: Reach) -> Iterable[Problem]:
    anywhere = _GIVEN.union(*(_stored(file.tree) for file in found.files))
    for file in found.files:
        block = contents.library.blocks.get(file.path)
        declared = anywhere if block is None else {*_GIVEN, *_stored(file.tree), *block.inputs}
        for path, line in _paths(file.tree):
            message = _token_fault(path, source, declared)
            if message and block is not None and path.partition(".")[0] not in declared:
                message = f"{message.partition(';')[0]}; declare it under `inputs`{nearest(path, block.inputs)}"
            if message:
                yield contents.place(file.path, line, 1, message)
        yield from _included(contents, file, anywhere)


def _included(contents: Contents, file: File, names: set[str]) -> Iterable[Problem]:
    """Give the blocks that are included, not used, without what they need; a `use` was checked where it was read."""
    for include in file.tree.find_all(nodes.Include):
        target = include.template.node if isinstance(include.template, nodes.Filter) else None
        path = str(target.value) if isinstance(target, nodes.Const) else ""
        block = contents.library.blocks.get(path)
        if block is not None and not getattr(include, "used", False):
            for message in blocks.lacking(path, block, names):
                yield contents.place(file.path, include.lineno, 1, message)


def _token_fault(path: str, source: Source, declared: set[str]) -> str | None:
    root, _, rest = path.partition(".")
    first = rest.split(".")[0]
    if root not in declared:
        return unknown("token", root, declared - _UNSAID)
    if root in ROOTS and not rest:
        return None
    if root == "shop" and first not in ShopSettings.model_fields:
        return unknown("token", f"shop.{first}", {f"shop.{name}" for name in ShopSettings.model_fields})
    if root == "fetched" and first not in source.front.fetches:
        return f"{unknown('token', f'fetched.{first}', {f'fetched.{name}' for name in source.front.fetches})}; say it under `fetches`"
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
    said = {key: [getattr(front, key), *(getattr(variant, key) for variant in front.variants.values())] for key in ("subject", "preheader")}
    for key, message in _lines(contents, source, None, said):
        yield Problem(source.file, *(source.places.get(key) or source.places.get("variants", (1, 1))), f"`{key}`: {message}")
    for key, tokens, roots in (("needs", front.needs, _NEEDED), ("sample", front.sample, SAMPLED)):
        for token in tokens:
            root, dot, _ = token.partition(".")
            if root not in roots or not dot:
                yield Problem(source.file, *source.places[key], f"`{key}`: {unknown('token', token, {f'{name}.…' for name in roots})}")


def _fetches(contents: Contents, source: Source, known: Known) -> Iterable[Problem]:
    """Give what is wrong with what other services are asked."""
    place = source.places.get("fetches", (1, 1))
    for name, fetch in source.front.fetches.items():
        if known.hosts is not None and fetch.host not in known.hosts:
            hint = nearest(fetch.host, known.hosts) or "; name it in shop.yaml under `connected: {hosts: […]}`"
            yield Problem(source.file, *place, f"`fetches.{name}`: the host {shown(fetch.host)} is not allowed{hint}")
        try:
            tree = contents.environments(None).plain.parse(fetch.url, f"{source.name}.mjml")
        except TemplateError as error:
            yield Problem(source.file, *place, f"`fetches.{name}`: {error.message}")
            continue
        for path, _ in _paths(tree):
            message = _token_fault(path, source, _GIVEN - {"fetched", "subject", *_LINKS, *CALLABLE})
            if message:
                yield Problem(source.file, *place, f"`fetches.{name}`: {message}")


def _counts(contents: Contents, found: Reach) -> Iterable[Problem]:
    """Give the places in which it is not known before how many items are recommended."""
    for file in found.files:
        for line in unclear_counts(file.tree):
            yield contents.place(file.path, line, 1, f"`recommend` takes numbers from 1 to {MAX_RECOMMENDED}, such as recommend(3)")


def _amp(contents: Contents, source: Source) -> Iterable[Problem]:
    """Give what is wrong with the AMP part as it stands in its file."""
    path = f"{source.name}{amp.SUFFIX}"
    if path in contents.bodies:
        yield from (contents.place(path, line, column, message) for line, column, message in amp.faults(contents.bodies[path]))


def _translated(contents: Contents, source: Source, language: str) -> Iterable[Problem]:
    translation = contents.library.translations[source.name, language]
    said = {
        key: [getattr(translation, key), *(getattr(variant, key) for variant in translation.variants.values())]
        for key in ("subject", "preheader")
    }
    for key, message in _lines(contents, source, language, said):
        yield contents.library.key(f"{source.name}.{language}.yaml", key, f"`{key}`: {message}")


def _lines(contents: Contents, source: Source, language: str | None, said: Mapping[str, list[str | None]]) -> Iterable[tuple[str, str]]:
    """Give what is wrong in the lines of a front matter or translation: the key, the sentence."""
    plain = contents.environments(language).plain
    for key, texts in said.items():
        for text in filter(None, texts):
            try:
                tree = plain.parse(text, f"{source.name}.mjml")
            except TemplateError as error:
                yield key, str(error.message)
                continue
            yield from ((key, message) for _, message in getattr(tree, "noted", ()))
            yield from ((key, message) for path, _ in _paths(tree) if (message := _token_fault(path, source, _GIVEN)))
            said_itself = "".join(data.data for data in tree.find_all(nodes.TemplateData)).strip()
            if key == "subject" and cleaned_differs(said_itself):
                yield key, "a line break, a control character or `=?`, which cannot stand in a header; write it on one line, without"
            if key == "subject" and len(said_itself) > MAX_SUBJECT:
                yield key, f"longer than {MAX_SUBJECT} characters, at which it is cut; say less"


def _asked(contents: Contents, source: Source, found: Reach, known: Known) -> Iterable[Problem]:
    """Give what is wrong with the conditions of sections and with what fills slots."""
    for file in found.files:
        for node in file.tree.find_all(nodes.If):
            if hasattr(node, "condition"):
                for message in _condition_faults(node.condition, known):
                    yield contents.place(file.path, node.lineno, 1, f"`section`: {message}")
    place = source.places.get("slots", (1, 1))
    for slot, lines in source.front.slots.items():
        if slot not in found.slots:
            hint = nearest(slot, found.slots) or "; write <div data-content=…> where it is to stand"
            yield Problem(source.file, *place, f"no slot is called {shown(slot)}{hint}")
        for i, line in enumerate(lines):
            if line.if_ is None and line.by is None and i + 1 < len(lines):
                yield Problem(source.file, *place, f"`slots.{slot}`: a line without `if` always holds, so it stands last")
            for message in _condition_faults(line.if_, known) if line.if_ is not None else ():
                yield Problem(source.file, *place, f"`slots.{slot}`: {message}")
            if line.by is not None and known.models is not None and line.by not in known.models:
                yield Problem(source.file, *place, f"`slots.{slot}`: {unknown('model', line.by, known.models)}")


def _condition_faults(text: str, known: Known) -> Iterable[str]:
    try:
        condition: Condition = parse_condition(text)
    except ConditionError as error:
        yield f"{shown(text)}: {error}"
        return
    if known.segments is not None:
        yield from (unknown("segment", name, known.segments) for name in sorted(condition.names.segments - known.segments))
    if known.models is not None:
        yield from (unknown("model", name, known.models) for name in sorted(condition.names.scores - known.models))


def _rendered(contents: Contents, source: Source, found: Reach, known: Known) -> Iterable[Problem]:
    line, column = source.places.get("sample", (1, 1))
    spoken = [None, *contents.library.languages(source.name)]
    problems: set[Problem] = set()
    for facts in everything(contents.sample(source.name), contents.asks(source.name), spoken):
        for variant in (None, *source.front.variants):
            try:
                mjml = contents.mjml(source.name, facts, variant)
                for _, _, outer, inner in misplaced(mjml):
                    if outer is not None:
                        problems.add(_misplaced(contents, source, found, outer, inner))
                for outer, words in stray_texts(mjml):
                    stays = f"`{words}` stands in `{outer}` by itself, where mail programs show it anywhere; put it in an `mj-text`"
                    problems.add(_where(contents, source, found, words, stays))
                rendered = contents.render(source.name, facts, variant)
            except RenderError as error:
                message = f"cannot be rendered with its `sample`: {error}"
                if error.at is not None and error.at[0] != LINE:
                    return [contents.place(*error.at, 1, message.rpartition(", in ")[0])]
                return [Problem(source.file, line, column, message)]
            if source.front.commercial:
                problems.update(_commercial(source, rendered))
            if rendered.amp is not None:
                problems.update(_amp_rendered(contents, source, rendered.amp))
            problems.update(_strangers(contents, source, rendered, known))
            size = len(rendered.html.encode())
            if size > GMAIL_CLIPS_AT:
                limit = GMAIL_CLIPS_AT // 1024
                message = f"{size // 1024} kB of HTML; Gmail cuts a message at {limit} kB, so show less"
                return [Problem(source.file, source.first_line, 1, message)]
            for words, message in illegible(rendered.html):
                problems.add(_where(contents, source, found, words, message))
    return problems


def _strangers(contents: Contents, source: Source, rendered: Rendered, known: Known) -> Iterable[Problem]:
    """Give the hosts of pictures that the sample brings in and the shop did not name: real events would bring none either."""
    if known.pictures is None:
        return
    allows = allowing(known.home, known.pictures | contents.picture_hosts)
    for name, token in rendered.tokens.items():
        host = name.removeprefix(f"{PICTURE}.")
        if token["source"] == PICTURE and not allows(host):
            message = f"a picture of {host} is left out, as the shop did not name it; say in shop.yaml `pictures: {{hosts: [{host}]}}`"
            yield Problem(source.file, *source.places.get("sample", (1, 1)), message)


def _commercial(source: Source, rendered: Rendered) -> Iterable[Problem]:
    """Give what one of the ways in which a commercial message may come out lacks."""
    link = rendered.tokens.get("unsubscribe_url")
    shown = link is not None and f'href="{escape(link["value"])}"' in rendered.html
    missing = [] if shown else ["a link to {{ unsubscribe_url }}"]
    missing += [] if "shop.postal_address" in rendered.tokens else ["{{ shop.postal_address }}"]
    for what in missing:
        yield Problem(source.file, source.first_line, 1, f"some get it without {what}; take it out of the condition")


def _amp_rendered(contents: Contents, source: Source, part: str) -> Iterable[Problem]:
    path = f"{source.name}{amp.SUFFIX}"
    for words, message in amp.rendered_faults(part):
        at = max(contents.bodies[path].find(words), 0) if words else 0
        yield contents.place(path, contents.bodies[path].count("\n", 0, at) + 1, 1, message)
    if source.front.commercial and UNSUBSCRIBE not in part:
        yield contents.place(path, 1, 1, "no link to {{ unsubscribe_url }} in the AMP part; a commercial message needs one")


def _misplaced(contents: Contents, source: Source, found: Reach, outer: str, inner: str) -> Problem:
    """Return a component in the wrong place, in the line in which it stands, be it within its file or at the beginning of a block."""
    stands = f"`{inner}`" if inner.startswith("mj") else f"`{inner}`, which is HTML,"
    holding = sorted(tag for tag in allowed_tags() if tag != "mj-attributes" and may_hold(tag, inner))
    inside = holding if inner.startswith("mj") else ["mj-text", "mj-raw"]
    message = f"{stands} cannot stand in `{outer}`; it stands in {listed(inside)}"
    for beginning in (outer, None):
        for file in found.files:
            for line, column, around, tag in misplaced(file.body):
                if (around, tag) == (beginning, inner):
                    return contents.place(file.path, line, column, message)
    return Problem(source.file, source.first_line, 1, message)


def _where(contents: Contents, source: Source, found: Reach, words: str, message: str) -> Problem:
    """Return a problem of words of the message, in the line of the file in which they stand; else where the content begins."""
    for file in found.files:
        at = file.body.find(words)
        if words and at >= 0:
            return contents.place(file.path, file.body.count("\n", 0, at) + 1, 1, message)
    return Problem(source.file, source.first_line, 1, message)
