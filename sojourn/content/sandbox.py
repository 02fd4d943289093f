"""The Jinja environment of contents: it reaches plain data only, and stops.

What could repeat or grow passes through a `Run` (budget.py): loops, includes, calls, filters, operators and
outputs, by Jinja's own hooks where there are some and by rewriting the parsed template where there are none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from jinja2 import BaseLoader, Template, TemplateSyntaxError, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from sojourn.content.blocks import Block
from sojourn.content.budget import MAX_ITEMS, MAX_TEXT, current
from sojourn.content.calling import CALLABLE, RECOMMENDED
from sojourn.content.direction import direction_of, isolated
from sojourn.content.facts import kind_of
from sojourn.content.fetches import encoded
from sojourn.content.filters import allowed
from sojourn.content.header_text import value_text
from sojourn.content.holes import FILTER, Hole, Holing, hole, refuse_markers
from sojourn.content.inline import Inlining
from sojourn.content.missing import Missing
from sojourn.content.quoting import ISOLATED, Quoting
from sojourn.content.slots import FOLDER as SLOTS
from sojourn.content.tags import FILE, Verbs
from sojourn.content.tags import FILTERS as VERBS
from sojourn.content.theme import Theme
from sojourn.content.translations import Catalogue
from sojourn.errors import RenderError

ROOTS = {
    "profile": "profile", "event": "event", "shop": "shop", "with": "with", "score": "score", "variant": "variant",
    "fetched": "fetch",
}  # fmt: skip
_CALLABLE = tuple(CALLABLE.values())
_SOURCES = {**ROOTS, RECOMMENDED: "recommendation"}
MAX_RANGE = 100
MAX_NUMBER = 10**15
_LOOP = {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem", "cycle", "changed"}
_NO_HTML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")  # MJML stops at the first of these
LINE = "<line>"  # the file of a line of the front matter, as an error's traceback calls it
_TOO_DEEP = "it is nested too deeply; say less in one expression, and include less within one block"


def small_range(*bounds: int) -> range:
    """Return a range of at most a hundred numbers."""
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise RenderError(f"a range of more than {MAX_RANGE} numbers")
    return numbers


def _hole(value: Any) -> Hole:
    """Return what a page shows: a hole, where its structure is compiled for many."""
    return hole(_shown(value))


def _isolated(value: Any) -> Any:
    """Return a person's text so that it does not turn the words around it; what is not text of theirs as it is."""
    run = current()
    if run is None or type(value) is not str or "://" in value:
        return value
    direction = direction_of(run.speech.locale)
    return value if direction == "ltr" and value.isascii() else isolated(value, direction)


def _finalize(value: Any) -> Any:
    """Return what an output shows; count it."""
    if type(value) is Hole:
        return value
    shown = _shown(value)
    if isinstance(shown, str):
        refuse_markers(shown)
    return shown


def _shown(value: Any) -> Any:
    if isinstance(value, Missing):
        value._fail_with_undefined_error()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RenderError(f"{kind_of(value)} cannot be shown; show a text or a number")
    if isinstance(value, float) and not isfinite(value):
        raise RenderError("a number without end cannot be shown")
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_NUMBER:
        value = int(value)
    run = current()
    if run is not None:
        text = value if isinstance(value, str) else str(value)
        run.step()
        run.write(len(text))
        if run.header:
            return value_text(text)
        if not text.isprintable() and _NO_HTML.search(text):
            return type(value)(_NO_HTML.sub(" ", text))
    return value


@pass_context
def _items(context: Context, value: Any) -> Any:
    """Return what a loop goes through, having counted it."""
    if isinstance(value, Missing):
        value._fail_with_undefined_error()
    if not isinstance(value, list | tuple | dict | range):
        raise RenderError(f"cannot loop over {kind_of(value)}; loop over a list")
    run = current()
    if run is not None:
        run.step(1 + len(value))
        path = run.paths.get(id(value))
        if path is not None and isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, dict | list):
                    run.paths[id(item)] = f"{path}[{i}]"
    return value


@pass_context
def _weigh(context: Context, value: Any) -> Any:
    """Return a list or mapping written in the template, refused where it has grown too large."""
    left, todo = MAX_ITEMS, [value]
    while todo:
        inner = todo.pop()
        if isinstance(inner, list | tuple | dict):
            todo.extend(inner.values() if isinstance(inner, dict) else inner)
        left -= 1
        if left < 0 or len(todo) > MAX_ITEMS:
            raise RenderError(f"a list of more than {MAX_ITEMS} values; show less")
    return value


@pass_context
def _step(context: Context, value: Any) -> Any:
    """Return the name of an included template, having counted it."""
    run = current()
    if run is not None:
        run.step()
    return value


class _Bounding(NodeTransformer):
    """Rewrites a parsed template so that what has no hook in Jinja is bounded too."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """Count what a loop goes through."""
        if node.recursive:
            raise TemplateSyntaxError("a recursive loop cannot be used here", node.lineno)
        self.generic_visit(node)
        node.iter = _through("_items", node.iter)
        return node

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        """Count includes; a name that is only known while rendering is refused."""
        if isinstance(node.template, nodes.Filter) and node.template.name == FILE:
            return node  # a slot: what fills it was chosen among this content's own templates, and is counted there
        if not (isinstance(node.template, nodes.Const) and isinstance(node.template.value, str)):
            raise TemplateSyntaxError("`include` needs the name of a file in quotes", node.lineno)
        node.template = _through("_step", nodes.Const(node.template.value, lineno=node.lineno))
        return node

    def visit_Extends(self, node: nodes.Extends) -> nodes.Node:
        """Refuse a layout whose name is only known while rendering."""
        if not (isinstance(node.template, nodes.Const) and isinstance(node.template.value, str)):
            raise TemplateSyntaxError("`extends` needs the name of a file in quotes", node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """Join texts by the bounded filter."""
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes, lineno=node.lineno), "join", [], [], None, None, lineno=node.lineno)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        """Weigh a tuple that is a value, not a target."""
        return self._literal(node) if node.ctx == "load" else node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        """Weigh a list."""
        return self._literal(node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        """Weigh a mapping."""
        return node if getattr(node, "weighed", False) else self._literal(node)

    def visit_Import(self, node: nodes.Import) -> nodes.Node:
        """Refuse imports."""
        raise TemplateSyntaxError("`import` cannot be used here; use `include`", node.lineno)

    def visit_FromImport(self, node: nodes.FromImport) -> nodes.Node:
        """Refuse imports."""
        raise TemplateSyntaxError("`from … import` cannot be used here; use `include`", node.lineno)

    def visit_ScopedEvalContextModifier(self, node: nodes.ScopedEvalContextModifier) -> nodes.Node:
        """Refuse to turn escaping off."""
        raise TemplateSyntaxError("`autoescape` cannot be used here; values are always escaped", node.lineno)

    def _literal(self, node: nodes.Expr) -> nodes.Node:
        self.generic_visit(node)
        return _through("_weigh", node)


def _through(name: str, node: nodes.Node) -> nodes.Filter:
    assert isinstance(node, nodes.Expr)
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


@dataclass(frozen=True)
class Words:
    """What is the same for everyone of a language, and part of each template.

    Attributes:
        language: None for the one that contents are written in.
        blocks: by file, what each declares; None where it declares nothing.
    """

    language: str | None = None
    catalogue: Catalogue = field(default_factory=Catalogue)
    theme: Theme = field(default_factory=Theme)
    blocks: Mapping[str, Block | None] = field(default_factory=dict)


class ContentEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox over plain data, bounded by the current `Run`."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, loader: BaseLoader, words: Words, *, html: bool) -> None:
        super().__init__(
            loader=loader, autoescape=html, undefined=Missing, finalize=_finalize, auto_reload=False, cache_size=-1, extensions=[Verbs]
        )
        self.globals.clear()
        self.globals.update({"range": small_range, **CALLABLE})
        self.filters = {**allowed(), **VERBS, "_items": _items, "_weigh": _weigh, "_step": _step, FILTER: _hole, ISOLATED: _isolated}
        self.html, self.words, self.blocks = html, words, words.blocks
        self.noted: list[tuple[int, str]] = []  # what the last template that was parsed has wrong: (line, message)
        self._trees: dict[tuple[str, str], nodes.Template] = {}

    def tree(self, path: str, body: str) -> nodes.Template:
        """Return a file parsed, to be read: most files are shared by many contents, and each is parsed once."""
        if (path, body) not in self._trees:
            self._trees[path, body] = self.parse(body, path)
        return self._trees[path, body]

    def line(self, source: str, content: str) -> Template:
        """Return a line of a content's front matter as a template."""
        return Template.from_code(self, self.compile(source, f"{content}.mjml", LINE), self.make_globals(None), None)

    def address(self, source: str, content: str) -> Template:
        """Return an address of a content's front matter as a template that encodes each value."""
        tree = encoded(self.parse(source, f"{content}.mjml"))
        return Template.from_code(self, self.compile(tree, f"{content}.mjml", LINE), self.make_globals(None), None)

    def compile(self, source: Any, name: str | None = None, filename: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Return a template's code; one that Python cannot read to its end is refused as any other that is wrong."""
        try:
            return super().compile(source, name, filename or name, *args, **kwargs)
        except (RecursionError, MemoryError):  # the second is what Python's own compiler says of parentheses without end
            raise TemplateSyntaxError(_TOO_DEEP, 1, name, filename) from None

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        try:
            return self._made(source, name, filename)
        except RecursionError:
            raise TemplateSyntaxError(_TOO_DEEP, 1, name, filename) from None

    def _made(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        noted: list[tuple[int, str]] = []
        self.noted = noted

        def text(words: str) -> nodes.Template:
            return super(ContentEnvironment, self)._parse(words, name, filename)

        words = self.words
        tree: Any = super()._parse(source, name, filename)
        tree = Inlining(_content_of(name), words.language, words.catalogue, words.theme, words.blocks, text, noted).visit(tree)
        tree = _Bounding().visit(tree)
        tree = Holing().visit(Quoting(noted).visit(tree)) if self.html else tree
        tree.noted = noted
        made: nodes.Template = tree
        return made

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a value of plain data, and keep the token; of anything else only what a loop or block offers."""
        if isinstance(obj, dict | list | tuple):
            return self._look_up(obj, attribute)
        if isinstance(obj, Missing):
            return Missing(name=f"{obj.path}.{attribute}")
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        if isinstance(obj, TemplateReference) and isinstance(attribute, str) and not attribute.startswith("_"):
            return obj[attribute]
        return Missing(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return a value of plain data, and keep the token."""
        if isinstance(obj, str) and isinstance(argument, int | slice):
            return obj[argument] if isinstance(argument, slice) or -len(obj) <= argument < len(obj) else Missing(name=str(argument))
        if isinstance(obj, list | tuple) and isinstance(argument, slice):
            return obj[argument]
        return self.getattr(obj, argument)

    def _look_up(self, obj: dict[str, Any] | list[Any] | tuple[Any, ...], key: Any) -> Any:
        run = current()
        base = run.paths.get(id(obj)) if run is not None else None
        listed = isinstance(obj, list | tuple)
        path = (f"{base}[{key}]" if listed else f"{base}.{key}") if base else str(key)
        try:
            value = obj[key]
        except (LookupError, TypeError):
            value = None
        if value is None:
            return Missing(name=path)
        if run is not None and base is not None:
            if isinstance(value, dict | list):
                run.paths[id(value)] = path
            else:
                run.token(path, value, _SOURCES[re.split(r"[.\[]", path, maxsplit=1)[0]])
        return value

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a macro, a block, a loop's helper, `range` or what `calling.py` offers; nothing else can be called."""
        run = current()
        if run is not None:
            run.step()
        if isinstance(__obj, Missing):
            __obj._fail_with_undefined_error()
        helper = getattr(__obj, "__self__", None)
        ours = __obj is small_range or __obj in _CALLABLE
        if ours or isinstance(__obj, Macro | BlockReference) or isinstance(helper, LoopContext):
            return __context.call(__obj, *args, **kwargs)
        raise SecurityError(f"a {type(__obj).__name__} cannot be called")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers; of texts and lists only `+`, within bounds."""
        run = current()
        if run is not None:
            run.step()
        for side in (left, right):
            if isinstance(side, Missing):
                side._fail_with_undefined_error()
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            if len(left) + len(right) > MAX_TEXT:
                raise RenderError(f"a text of more than {MAX_TEXT // 1024} kB; show less")
            return left + right
        if operator == "+" and isinstance(left, list) and isinstance(right, list):
            return _weigh(context, left + right)
        if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise RenderError(f"`{operator}` cannot be used with {kind_of(left)} and {kind_of(right)}; it takes two numbers")
        if abs(left) > MAX_NUMBER or abs(right) > MAX_NUMBER:
            raise RenderError(f"a number beyond {MAX_NUMBER:g}")
        if operator in ("/", "//", "%") and right == 0:
            raise RenderError("a division by zero")
        return super().call_binop(context, operator, left, right)


def _content_of(template: str | None) -> str | None:
    """Return the content that a template belongs to; None for a layout or block."""
    *folder, file = (template or "/").split("/")
    return folder[1] if folder[:1] == [SLOTS] else None if folder else file.partition(".")[0]


def roots(values: Mapping[str, Any]) -> dict[int, str]:
    """Return by identity what the containers at the root are called."""
    return {id(value): name for name, value in values.items() if isinstance(value, dict)}
