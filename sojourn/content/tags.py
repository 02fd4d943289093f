"""The verbs of contents that Jinja does not have: `use` a block, a `section` with a condition, a named `slot`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context

from sojourn.content.blocks import Block, as_given, faults, is_kept, path_of
from sojourn.content.budget import current
from sojourn.content.missing import Missing
from sojourn.errors import RenderError

GIVEN, KEPT, HOLDS, FILLED, FILE = "_given", "_kept", "_holds", "_filled", "_slot_file"


class Verbs(Extension):
    """`{% use "button" label="…" %}`, `{% section if="…" %}…{% endsection %}`, `{% slot "hero" %}…{% endslot %}`."""

    tags = {"use", "section", "slot"}  # noqa: RUF012 - Jinja asks for an attribute of the class

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the nodes of one verb."""
        verb = next(parser.stream)
        read = {"use": self._use, "section": self._section, "slot": self._slot}[verb.value]
        return read(parser, verb.lineno).set_lineno(verb.lineno)

    def _name(self, parser: Parser, what: str) -> str:
        if parser.stream.current.type != "string":
            parser.fail(what, parser.stream.current.lineno)
        return str(next(parser.stream).value)

    def _use(self, parser: Parser, lineno: int) -> nodes.Node:
        name = self._name(parser, '`use` needs the name of a block in quotes, such as {% use "button" label="…" %}')
        given: dict[str, nodes.Expr] = {}
        while parser.stream.current.type != "block_end":
            parser.stream.skip_if("comma")
            key = parser.stream.expect("name")
            if not parser.stream.skip_if("assign"):
                parser.fail(f"`{key.value}` needs a value, such as {key.value}=…", key.lineno)
            if key.value in given:
                parser.fail(f"`{key.value}` is given twice", key.lineno)
            given[str(key.value)] = parser.parse_expression()
        path = path_of(name)
        known: Mapping[str, Block | None] = self.environment.blocks  # type: ignore[attr-defined]
        node = using(path, known.get(path), given, lineno)
        if path in known:
            self.environment.noted += [(lineno, message) for message in faults(path, known[path], given)]  # type: ignore[attr-defined]
        return node

    def _section(self, parser: Parser, lineno: int) -> nodes.Node:
        help_ = '`section` needs a condition, such as {% section if="segment.high_value" %}'
        if not (parser.stream.skip_if("name:if") and parser.stream.skip_if("assign")):
            parser.fail(help_, lineno)
        condition = self._name(parser, help_)
        body = parser.parse_statements(("name:else", "name:endsection"))
        otherwise: list[nodes.Node] = []
        if next(parser.stream).value == "else":
            otherwise = parser.parse_statements(("name:endsection",), drop_needle=True)
        node = nodes.If(_ask(HOLDS, nodes.Const(condition)), body, [], otherwise, lineno=lineno)
        node.condition = condition  # type: ignore[attr-defined]
        return node

    def _slot(self, parser: Parser, lineno: int) -> nodes.Node:
        name = self._name(parser, '`slot` needs a name in quotes, such as {% slot "hero" %}')
        fallback = parser.parse_statements(("name:endslot",), drop_needle=True)
        include = nodes.Include(_ask(FILE, nodes.Const(name)), True, False, lineno=lineno)
        include.slot = name  # type: ignore[attr-defined]
        return nodes.If(_ask(FILLED, nodes.Const(name)), [include], [], fallback, lineno=lineno)


def using(path: str, block: Block | None, given: Mapping[str, Any], lineno: int) -> nodes.Node:
    """Return the nodes that include a block with its inputs."""
    include = nodes.Include(nodes.Const(path), True, False, lineno=lineno)
    include.used = True  # type: ignore[attr-defined]
    targets = [_input(name, "param") for name in (given if block is None else block.inputs)]
    if block is None:
        return nodes.With(targets, list(given.values()), [include], lineno=lineno)
    values = [_ask(GIVEN, given.get(name, nodes.Const(None)), nodes.Const(path), nodes.Const(name)) for name in block.inputs]
    required = [name for name, declared in block.inputs.items() if declared.required]
    kept: list[nodes.Node] = [include]
    if required:
        pairs = nodes.Dict([nodes.Pair(nodes.Const(name), _input(name, "load")) for name in required])
        pairs.weighed = True  # type: ignore[attr-defined]
        kept = [nodes.If(_ask(KEPT, pairs, nodes.Const(path)), [include], [], [], lineno=lineno)]
    return nodes.With(targets, values, kept, lineno=lineno)


def using_what_is_there(include: nodes.Include, known: Mapping[str, Block | None]) -> nodes.Node:
    """Return an include of a block as its use with the inputs that are set around it; any other include as it is."""
    path = include.template.value if isinstance(include.template, nodes.Const) else None
    block = known.get(path) if isinstance(path, str) else None
    if block is None or getattr(include, "used", False):
        return include
    around = {name: _input(name, "load") for name in block.inputs}
    whole = using(str(path), block, around, include.lineno).set_lineno(include.lineno)
    for inner in whole.find_all(nodes.Include):
        inner.used = False  # type: ignore[attr-defined]
    return whole


def _input(name: str, ctx: str) -> nodes.Name:
    """Return the name of a block's input where a template uses the block; it is no token of the template."""
    node = nodes.Name(name, ctx)
    node.input = True  # type: ignore[attr-defined]
    return node


def _ask(name: str, value: nodes.Expr, *more: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, list(more), [], None, None)


# -- what these nodes ask while a template runs; context is passed so that Jinja asks none of them while it compiles ----------------


@pass_context
def given(context: Context, value: Any, path: str, name: str) -> Any:
    """Return what a block's input stands for."""
    block: Block = context.environment.blocks[path]  # type: ignore[attr-defined]
    return as_given(Missing(name=name) if value is None else value, block, name)


@pass_context
def kept(context: Context, values: dict[str, Any], path: str) -> bool:
    """Tell whether a block is shown."""
    run = current()
    return is_kept(path, context.environment.blocks[path], run.content if run is not None else path, values)  # type: ignore[attr-defined]


@pass_context
def holds(context: Context, condition: str) -> bool:
    """Tell whether a section's condition holds, as it was judged before.

    Raises:
        RenderError: nobody judged it.
    """
    run = current()
    answer = run.answers.conditions.get(condition) if run is not None and run.answers is not None else None
    if run is None or answer is None:
        raise RenderError(f"the condition of a section was not judged before: {condition}")
    run.step()
    run.because(f"section {condition}", answer.holds, "condition", answer.because)
    return answer.holds


@pass_context
def filled(context: Context, slot: str) -> bool:
    """Tell whether something fills a slot."""
    run = current()
    found = run.answers.slots.get(slot) if run is not None and run.answers is not None else None
    if run is None or found is None:
        return False
    run.step()
    run.because(f"slot.{slot}", found.block or "its own", "slot", found.because)
    return found.file is not None


@pass_context
def slot_file(context: Context, slot: str) -> str:
    """Return the template that fills a slot."""
    run = current()
    found = run.answers.slots.get(slot) if run is not None and run.answers is not None else None
    if run is None or found is None or found.file is None:
        raise RenderError(f"nothing fills the slot {slot}")
    run.step()
    return found.file


FILTERS = {GIVEN: given, KEPT: kept, HOLDS: holds, FILLED: filled, FILE: slot_file}
