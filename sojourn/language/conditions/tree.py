"""The checked tree of a condition: small frozen nodes, the kind of value each gives, and their text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Literal as Choice
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]


class Kind(Enum):
    """What a node gives, as far as that is known before it is asked."""

    BOOL = "true or false"
    NUMBER = "a number"
    TEXT = "a text"
    MOMENT = "a moment"
    ANY = "a value"
    LIST = "a list"


@dataclass(frozen=True)
class Literal:
    """A value written in the condition."""

    value: bool | int | float | str


@dataclass(frozen=True)
class ListOf:
    """A list written in the condition; stands only to the right of `in`."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Now:
    """The moment that the condition is asked about."""


@dataclass(frozen=True)
class EventName:
    """The name of the event."""


@dataclass(frozen=True)
class EventTime:
    """When the event happened."""


@dataclass(frozen=True)
class EventProperty:
    """A property of the event."""

    path: Path


@dataclass(frozen=True)
class Trait:
    """A trait of the profile."""

    path: Path


@dataclass(frozen=True)
class Segment:
    """Whether the profile is in a segment."""

    name: str


@dataclass(frozen=True)
class Listed:
    """Whether the profile stands on a kept list; what a segment without a condition of its own is. No author writes it."""

    name: str


@dataclass(frozen=True)
class Score:
    """A score taken earlier in this entry."""

    name: str


@dataclass(frozen=True)
class Called:
    """What a `call` of this entry was answered, at a path; without one: whether it was answered."""

    name: str
    path: Path = ()


@dataclass(frozen=True)
class Engagement:
    """Whether a message of this entry was delivered, opened, clicked, bounced or complained about."""

    send: str
    kind: str


EventPart: TypeAlias = EventName | EventTime | EventProperty


@dataclass(frozen=True)
class Past:
    """A question to the profile's history, such as `count("Product Viewed", within="1h")`."""

    function: Choice["did", "count", "sum", "distinct", "first", "last"]
    event: str
    of: EventPart | None = None
    within: timedelta | None = None
    within_text: str = ""
    where: Node | None = None
    where_text: str = ""


REFUND_VALUES: tuple[Path, ...] = (("revenue",), ("total",))
"""What an order and its refund came to, as the Segment spec names it: an order has both, a refund may have either."""


@dataclass(frozen=True)
class Net:
    """A sum less what was given back, such as `sum("Order Completed", "revenue", minus="Order Refunded")`.

    Attributes:
        sold: the sum that it is taken from.
        minus: the event that gives back, counted by its own time in the same window, under the same `where`.
        minus_of: its property; None is that of the sum, or where a refund lacks it the other of `revenue` and `total`.
    """

    sold: Past
    minus: str
    minus_of: EventProperty | None = None

    @property
    def refunds(self) -> tuple[Past, ...]:
        """The sums that are taken off."""
        own = self.minus_of or self.sold.of
        assert isinstance(own, EventProperty)
        first = replace(self.sold, event=self.minus, of=own)
        if self.minus_of is not None or own.path not in REFUND_VALUES:
            return (first,)
        (other,) = (path for path in REFUND_VALUES if path != own.path)
        lacking = Not(Defined(own))
        where = lacking if first.where is None else And((*_parts(first.where), lacking))
        return (first, replace(first, of=EventProperty(other), where=where, where_text=to_text(where)))


@dataclass(frozen=True)
class DaysSince:
    """Days from a moment to now, with fractions."""

    of: Node


@dataclass(frozen=True)
class Arithmetic:
    """Two numbers made one."""

    operator: Choice["+", "-", "*", "/"]
    left: Node
    right: Node


@dataclass(frozen=True)
class Negative:
    """A number's opposite."""

    of: Node


@dataclass(frozen=True)
class Comparison:
    """One value beside another."""

    operator: Choice["==", "!=", "<", "<=", ">", ">="]
    left: Node
    right: Node


@dataclass(frozen=True)
class Membership:
    """A value in a list, or a text in a text."""

    left: Node
    right: Node
    negated: bool = False


@dataclass(frozen=True)
class Defined:
    """Whether a value is there at all."""

    of: Node


@dataclass(frozen=True)
class Not:
    """Holds where the other does not."""

    of: Node


@dataclass(frozen=True)
class And:
    """Holds where all hold."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """Holds where any holds."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class AtLeast:
    """Holds where so many hold."""

    count: int
    items: tuple[Node, ...]


Node: TypeAlias = (
    Literal | ListOf | Now | EventName | EventTime | EventProperty | Trait | Segment | Listed | Score | Called | Engagement | Past | Net
    | DaysSince | Arithmetic | Negative | Comparison | Membership | Defined | Not | And | Or | AtLeast
)  # fmt: skip


def event_part(path: Path) -> EventPart:
    """Return what a path after `event` names: its name, its time or a property."""
    if path == ("name",):
        return EventName()
    if path == ("time",):
        return EventTime()
    return EventProperty(path[1:] if path[0] == "properties" and len(path) > 1 else path)


def kind_of(node: Node) -> Kind:
    """Return the kind of value that a node gives."""
    match node:
        case Literal(value=bool()):
            return Kind.BOOL
        case Literal(value=str()) | EventName():
            return Kind.TEXT
        case Literal() | Score() | DaysSince() | Arithmetic() | Negative() | Past(function="count" | "sum" | "distinct") | Net():
            return Kind.NUMBER
        case ListOf():
            return Kind.LIST
        case Now() | EventTime():
            return Kind.MOMENT
        case Called(path=()):
            return Kind.BOOL
        case EventProperty() | Trait() | Called():
            return Kind.ANY
        case Past(function="first" | "last", of=EventName() | EventTime() | EventProperty() as part):
            return kind_of(part)
    return Kind.BOOL


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below one, those of a `where` among them."""
    match node:
        case ListOf(items=items) | And(items=items) | Or(items=items) | AtLeast(items=items):
            return items
        case Arithmetic(left=left, right=right) | Comparison(left=left, right=right) | Membership(left=left, right=right):
            return (left, right)
        case DaysSince(of=of) | Negative(of=of) | Defined(of=of) | Not(of=of):
            return (of,)
        case Past(where=where) if where is not None:
            return (where,)
        case Net(sold=sold):
            return (sold, *node.refunds)
    return ()


def _parts(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, And) else (node,)


# -- text --------------------------------------------------------------------------------------

_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _UNARY, _ATOM = range(8)


def to_text(node: Node) -> str:
    """Return a node as an author would write it; parsing it gives the same node again."""
    return _write(node)[0]


def path_text(path: Path) -> str:
    """Return a path as it is written after `event` or `profile`, such as `cart.id` or `products[0].sku`."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part}]"
        elif part.isidentifier():
            written += f".{part}"
        else:
            written += f"[{_quoted(part)}]"
    return written.removeprefix(".")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _dotted(root: str, path: Path) -> str:
    written = path_text(path)
    return f"{root}{written}" if written.startswith("[") else f"{root}.{written}"


def _inside(node: Node, binding: int) -> str:
    text, own = _write(node)
    return text if own >= binding else f"({text})"


def _write(node: Node) -> tuple[str, int]:
    match node:
        case Or(items=items):
            return " or ".join(_inside(item, _AND) for item in items), _OR
        case And(items=items):
            return " and ".join(_inside(item, _NOT) for item in items), _AND
        case Not(of=of):
            return f"not {_inside(of, _NOT)}", _NOT
        case Comparison(operator=operator, left=left, right=right):
            return f"{_inside(left, _SUM)} {operator} {_inside(right, _SUM)}", _COMPARE
        case Membership(left=left, right=right, negated=negated):
            return f"{_inside(left, _SUM)} {'not in' if negated else 'in'} {_inside(right, _SUM)}", _COMPARE
        case Arithmetic(operator=operator, left=left, right=right):
            own = _SUM if operator in "+-" else _PRODUCT
            return f"{_inside(left, own)} {operator} {_inside(right, own + 1)}", own
        case Negative(of=of):
            return f"-{_inside(of, _ATOM)}", _UNARY
        case Defined(of=of):
            return f"{_inside(of, _ATOM)} is defined", _UNARY
        case Literal(value=value):
            if isinstance(value, str):
                return _quoted(value), _ATOM
            negative = not isinstance(value, bool) and value < 0
            return str(value).lower() if isinstance(value, bool) else repr(value), _UNARY if negative else _ATOM
    return _atom(node), _ATOM


def _atom(node: Node) -> str:
    match node:
        case ListOf(items=items):
            return f"[{', '.join(_inside(item, _OR) for item in items)}]"
        case Now():
            return "now"
        case EventName():
            return "event.name"
        case EventTime():
            return "event.time"
        case EventProperty(path=path):
            return _dotted("event.properties" if path[0] in ("name", "time", "properties") else "event", path)
        case Trait(path=path):
            return _dotted("profile", path)
        case Segment(name=name) | Listed(name=name):
            return f"segment.{name}"
        case Score(name=name):
            return f"score.{name}"
        case Called(name=name, path=path):
            return _dotted("call", (name, *path))
        case Engagement(send=send, kind=kind):
            return f"{send}.{kind}"
        case DaysSince(of=of):
            return f"days_since({to_text(of)})"
        case AtLeast(count=count, items=items):
            return f"at_least({count}, {', '.join(map(to_text, items))})"
        case Past():
            return _past(node)
        case Net(sold=sold, minus=minus, minus_of=of):
            return _past(sold, f"minus={_quoted(minus)}", *([] if of is None else [f"minus_value={_quoted(_property(of))}"]))
    raise AssertionError(node)


def _property(part: EventPart) -> str:
    return to_text(part).removeprefix("event").removeprefix(".")


def _past(node: Past, *options: str) -> str:
    arguments = [_quoted(node.event)]
    if node.of is not None and not (isinstance(node.of, EventTime) and node.function in ("first", "last")):
        arguments.append(_quoted(_property(node.of)))
    arguments.extend(options)
    if node.within is not None:
        arguments.append(f"within={_quoted(node.within_text)}")
    if node.where is not None:
        arguments.append(f"where={_quoted(node.where_text)}")
    return f"{node.function}({', '.join(arguments)})"
