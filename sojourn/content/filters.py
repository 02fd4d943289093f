"""The filters that a content may use; each bounded in what it builds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import filters as jinja

from sojourn.content.budget import MAX_ITEMS, MAX_TEXT, current
from sojourn.content.missing import Missing
from sojourn.errors import RenderError

_KEPT = (
    "abs", "capitalize", "count", "e", "escape", "first", "float", "int", "last", "length", "list", "lower", "map",
    "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "sum", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
_WITHOUT_CENTS = {"JPY", "KRW", "VND", "CLP", "ISK"}


def default(value: Any, fallback: Any = "") -> Any:
    """Return the value, or the fallback where it is missing or blank."""
    if isinstance(value, Missing) or (isinstance(value, str) and not value.strip()):
        run = current()
        if run is not None and isinstance(value, Missing) and isinstance(fallback, str | int | float):
            run.token(value.path, fallback, "fallback")
        return fallback
    return value


def money(value: Any, currency: Any = "EUR") -> str:
    """Return an amount as people read it: `€140`, `€19.90`, `CHF 19.90`."""
    code = str(currency).upper()
    try:
        amount = Decimal(str(value))
        if not amount.is_finite() or abs(amount) >= Decimal("1e12"):
            raise InvalidOperation
        amount = amount.quantize(Decimal(1) if code in _WITHOUT_CENTS else Decimal("0.01"), ROUND_HALF_UP)
    except InvalidOperation:
        raise RenderError("`money` needs an amount, such as event.price | money(shop.currency)") from None
    whole = amount == amount.to_integral_value()
    figure = f"{abs(amount):,.0f}" if whole else f"{abs(amount):,.2f}"
    return ("-" if amount < 0 else "") + _SIGNS.get(code, f"{code} ") + figure


def link(value: Any, home: Any) -> str:
    """Return a URL where it leads to the shop's own site (or a part of it), else the shop's address.

    Whoever can send an event can write its properties: without this, a stranger's URL could be mailed
    in the shop's name.
    """
    base = str(home)
    if not isinstance(value, str):
        return base
    if value.startswith("/") and not value.startswith("//") and "\\" not in value:
        return base.rstrip("/") + value
    try:
        there, here = urlsplit(value), urlsplit(base)
        host, own = (there.hostname or "").lower(), (here.hostname or "").lower()
    except ValueError:
        return base
    plain = there.scheme in ("http", "https") and "@" not in there.netloc and "\\" not in value
    return value if plain and own and (host == own or host.endswith("." + own.removeprefix("www."))) else base


def urlencode(value: Any) -> str:
    """Return a text as it may stand within a URL."""
    return quote(_text(value), safe="")


def plural(number: Any, one: str, many: str) -> str:
    """Return the word that fits a number: `3 | plural("item", "items")`."""
    return one if number == 1 else many


def replace(value: Any, old: str, new: str) -> str:
    """Return a text with each `old` replaced by `new`."""
    text = _text(value)
    times = text.count(old)
    _size(len(text) + times * len(new))
    return text.replace(old, new)


def join(value: Iterable[Any], between: str = "") -> str:
    """Return texts as one, with something between them."""
    parts = [_text(part) for part in value]
    _size(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def round_number(value: Any, precision: int = 0) -> Any:
    """Return a number rounded; to no decimals, without its point."""
    rounded = jinja.do_round(value, min(max(int(precision), 0), 6))
    return int(rounded) if precision == 0 else rounded


def _text(value: Any) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise RenderError("a text or number is needed where a list, a mapping or nothing stands")


def _size(size: int) -> None:
    if size > MAX_TEXT:
        raise RenderError(f"a text of more than {MAX_TEXT // 1024} kB; show less")


def _counted(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """Let a filter use up steps in proportion to what it is given."""
    passes = getattr(filter_, "jinja_pass_arg", None)
    at = 0 if passes is None else 1

    def bounded(*args: Any, **kwargs: Any) -> Any:
        run = current()
        if run is not None:
            given = args[at] if len(args) > at else ()
            run.step(1 + (len(given) // 10 if isinstance(given, list | tuple | dict) else 0))
        result = filter_(*args, **kwargs)
        if hasattr(result, "__next__"):
            result = list(result)
        if isinstance(result, list) and len(result) > MAX_ITEMS:
            raise RenderError(f"a list of more than {MAX_ITEMS} items; show less")
        return result

    if passes is not None:
        bounded.jinja_pass_arg = passes  # type: ignore[attr-defined]
    return bounded


def allowed() -> dict[str, Callable[..., Any]]:
    """Return the filters by name."""
    own = {
        "default": default,
        "d": default,
        "money": money,
        "link": link,
        "urlencode": urlencode,
        "plural": plural,
        "replace": replace,
        "join": join,
        "round": round_number,
    }
    kept = {name: jinja.FILTERS[name] for name in _KEPT}
    return {name: _counted(filter_) for name, filter_ in {**kept, **own}.items()}
