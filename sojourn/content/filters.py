"""The filters that a content may use; each bounded in what it builds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import filters as jinja

from sojourn.content import speech
from sojourn.content.budget import MAX_ITEMS, MAX_TEXT, current
from sojourn.content.facts import kind_of
from sojourn.content.header_text import is_blank
from sojourn.content.missing import Missing
from sojourn.content.speech import Speech
from sojourn.errors import RenderError

_KEPT = (
    "abs", "capitalize", "count", "e", "escape", "first", "float", "int", "last", "length", "list", "lower", "map",
    "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "sum", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip
_OF_TEXTS = frozenset({"capitalize", "e", "escape", "lower", "title", "trim", "truncate", "upper"})  # Jinja would take a mapping's repr


def default(value: Any, fallback: Any = "") -> Any:
    """Return the value, or the fallback where it is missing or blank."""
    if isinstance(value, Missing) or (isinstance(value, str) and is_blank(value)):
        run = current()
        if run is not None and isinstance(value, Missing) and isinstance(fallback, str | int | float):
            run.token(value.path, fallback, "fallback")
        return fallback
    return value


def _speech() -> Speech:
    run = current()
    if run is None:
        raise RenderError("nobody is spoken to")  # Jinja tries what is constant while it compiles: it must wait for a reader
    return run.speech


def money(value: Any, currency: str | None = None) -> str:
    """Return an amount as people write it where the reader lives: `€140`, `€19.90`, `19,90 €`."""
    return speech.money(value, _speech(), None if isinstance(currency, Missing) else currency)


def number(value: Any, decimals: int | None = None) -> str:
    """Return a number as people write it where the reader lives: `1,234.5`."""
    return speech.number(value, _speech(), decimals)


def percent(value: Any) -> str:
    """Return a share as per cent: `0.25 | percent` is `25%`."""
    return speech.percent(value, _speech())


def date(value: Any, length: str = "medium") -> str:
    """Return a day in the reader's language; of a moment, that in the reader's zone."""
    return speech.day(value, _speech(), length)


def time(value: Any, length: str = "short") -> str:
    """Return the time of day in the reader's language and zone."""
    return speech.clock_time(value, _speech(), length)


def datetime(value: Any, length: str = "medium") -> str:
    """Return day and time in the reader's language and zone."""
    return speech.moment(value, _speech(), length)


def relative(value: Any) -> str:
    """Return how far off a moment is: `in 3 days`."""
    return speech.relative(value, _speech())


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


def plural(value: Any, *forms: str, **named: str) -> str:
    """Return the word that fits a number by the rules of the reader's language (CLDR).

    `3 | plural("item", "items")`, or by category: `plural(one="plik", few="pliki", many="plików", other="pliku")`.
    """
    words = {**dict(zip(("one", "other"), forms, strict=False)), **named}
    unknown = set(words) - {"zero", "one", "two", "few", "many", "other"}
    if len(forms) > 2 or unknown or "other" not in words:
        raise RenderError('`plural` takes two words, or words by zero, one, two, few, many and other: plural(one="item", other="items")')
    return words.get(speech.category(value, _speech()), words["other"])


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
    if isinstance(value, Missing):
        value._fail_with_undefined_error()
    raise RenderError(f"a text or number is needed where {kind_of(value)} stands")


def _size(size: int) -> None:
    if size > MAX_TEXT:
        raise RenderError(f"a text of more than {MAX_TEXT // 1024} kB; show less")


def _counted(filter_: Callable[..., Any], of_texts: bool = False) -> Callable[..., Any]:
    """Let a filter use up steps in proportion to what it is given."""
    passes = getattr(filter_, "jinja_pass_arg", None)
    at = 0 if passes is None else 1

    def bounded(*args: Any, **kwargs: Any) -> Any:
        run = current()
        if run is not None:
            given = args[at] if len(args) > at else ()
            run.step(1 + (len(given) // 10 if isinstance(given, list | tuple | dict) else 0))
        if of_texts:
            _text(args[at])
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
        "number": number,
        "percent": percent,
        "date": date,
        "time": time,
        "datetime": datetime,
        "relative": relative,
        "link": link,
        "urlencode": urlencode,
        "plural": plural,
        "replace": replace,
        "join": join,
        "round": round_number,
    }
    kept = {name: jinja.FILTERS[name] for name in _KEPT}
    return {name: _counted(filter_, name in _OF_TEXTS) for name, filter_ in {**kept, **own}.items()}
