"""The functions that a condition may call, and how their arguments are read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from jinja2 import nodes

from sojourn.language.conditions import tree
from sojourn.language.conditions.tree import Kind, Node, kind_of, to_text
from sojourn.language.durations import parse_duration
from sojourn.local_time import parse_moment

if TYPE_CHECKING:
    from sojourn.language.conditions.parser import Reader

ENGAGEMENTS = ("delivered", "opened", "clicked", "bounced", "complained")
FUNCTIONS = {
    "did": 'did("Order Completed", within="7d")',
    "count": 'count("Product Viewed", within="1h")',
    "sum": 'sum("Order Completed", "revenue", within="90d")',
    "distinct": 'distinct("Product Viewed", "category", within="1h")',
    "first": 'first("Order Completed", "revenue")',
    "last": 'last("Order Completed", "time")',
    "at_least": "at_least(2, a, b, c)",
    "days_since": 'days_since(last("Order Completed"))',
}
NET = 'sum("Order Completed", "revenue", minus="Order Refunded", within="90d")'


def read_call(reader: Reader, call: nodes.Call) -> Node:
    """Read a call of one of the functions."""
    if not isinstance(call.node, nodes.Name):
        reader.fail(call, "only functions can be called", f"they are {', '.join(FUNCTIONS)}")
    name = call.node.name
    if name not in FUNCTIONS:
        reader.fail_unknown(call, "function", name, FUNCTIONS)
    if call.dyn_args is not None or call.dyn_kwargs is not None:
        reader.fail(call, "* cannot be used in a condition", f"write {FUNCTIONS[name]}")
    if name == "at_least":
        return _at_least(reader, call)
    if name == "days_since":
        return _days_since(reader, call)
    if reader.nested:
        reader.fail(call, f"{name} cannot stand in a where", "a where asks about one event: event.price >= 20")
    return _past(reader, call, name)


def _at_least(reader: Reader, call: nodes.Call) -> Node:
    if call.kwargs or len(call.args) < 2:
        reader.fail(call, "at_least needs a number and conditions", f"write {FUNCTIONS['at_least']}")
    first, *rest = call.args
    count = first.value if isinstance(first, nodes.Const) else None
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= len(rest):
        reader.fail(first, f"at_least counts from 1 to the number of its conditions, here {len(rest)}", f"write {FUNCTIONS['at_least']}")
    return tree.AtLeast(count, tuple(reader.condition(item) for item in rest))


def _days_since(reader: Reader, call: nodes.Call) -> Node:
    if call.kwargs or len(call.args) != 1:
        reader.fail(call, "days_since needs one moment", f"write {FUNCTIONS['days_since']}")
    of = reader.value(call.args[0])
    if kind_of(of) not in (Kind.MOMENT, Kind.TEXT, Kind.ANY):
        reader.fail(call.args[0], f"{to_text(of)} is {kind_of(of).value}; days_since needs a moment", f"write {FUNCTIONS['days_since']}")
    if isinstance(of, tree.Literal) and parse_moment(str(of.value)) is None:
        reader.fail(call.args[0], f"{to_text(of)} is not a moment", "write one such as 2026-01-31")
    return tree.DaysSince(of)


def _past(reader: Reader, call: nodes.Call, name: str) -> Node:
    example = f"write {FUNCTIONS[name]}"
    takes = {"did": (1, 1), "count": (1, 1), "sum": (2, 2), "distinct": (2, 2), "first": (1, 2), "last": (1, 2)}[name]
    if not call.args:
        reader.fail(call, f"{name} needs the name of an event", example)
    event = _text(reader, call.args[0], f"the first argument of {name} is the name of an event, in quotation marks", example)
    if len(call.args) < takes[0]:
        reader.fail(call, f"{name} needs a property as its second argument", example)
    if len(call.args) > takes[1]:
        reader.fail(call.args[takes[1]], f"{name} takes no further argument here", example)
    of: tree.EventPart | None = tree.EventTime() if takes[1] == 2 else None
    if len(call.args) == 2:
        of = _part(reader, call.args[1], example)
        if name == "sum" and not isinstance(of, tree.EventProperty):
            reader.fail(call.args[1], f"sum adds numbers, not the event's {to_text(of).removeprefix('event.')}", example)
    known = ("within", "where", "minus", "minus_value") if name == "sum" else ("within", "where")
    within, within_text, where, where_text = None, "", None, ""
    minus, minus_of = "", None
    seen: set[str] = set()
    for option in call.kwargs:
        if option.key not in known:
            reader.fail_unknown(option.value, f"option of {name}", option.key, known)
        if option.key in seen:
            reader.fail(option.value, f"{option.key} is given twice")
        seen.add(option.key)
        text = _text(reader, option.value, f"{option.key} stands in quotation marks", example)
        if option.key == "within":
            within, within_text = _within(reader, option.value, text), text
        elif option.key == "minus":
            minus = text
        elif option.key == "minus_value":
            minus_of = _refunded(reader, option.value)
        else:
            where, where_text = reader.where(text, option.value.lineno + 1), text
    past = tree.Past(name, event, of, within, within_text, where, where_text)  # type: ignore[arg-type]
    if minus_of is not None and not minus:
        reader.fail(call, "minus_value is the property of the event that minus names", f"write {NET}")
    if minus == event:
        reader.fail(call, f"minus names the event that gives back, and not {minus!r} itself", f"write {NET}")
    return tree.Net(past, minus, minus_of) if minus else past


def _refunded(reader: Reader, expression: nodes.Expr) -> tree.EventProperty:
    of = _part(reader, expression, f"write {NET}")
    if not isinstance(of, tree.EventProperty):
        reader.fail(expression, f"sum adds numbers, not the event's {to_text(of).removeprefix('event.')}", f"write {NET}")
    return of


def _text(reader: Reader, expression: nodes.Expr, message: str, hint: str) -> str:
    if not isinstance(expression, nodes.Const) or not isinstance(expression.value, str) or not expression.value.strip():
        reader.fail(expression, message, hint)
    return str(expression.value)


def _part(reader: Reader, expression: nodes.Expr, example: str) -> tree.EventPart:
    text = _text(reader, expression, "the second argument is the name of a property, in quotation marks", example)
    return tree.event_part(reader.path_of(text, expression.lineno + 1))


def _within(reader: Reader, expression: nodes.Expr, text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        reader.fail(expression, f"within: {error}")
    if not duration:
        reader.fail(expression, "within needs a duration longer than nothing", "such as 24h or 7d")
    return duration
