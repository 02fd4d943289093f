"""What a content is rendered from, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sojourn.content.answers import Answers
from sojourn.content.fetches import Fetched
from sojourn.errors import RenderError

MAX_DEPTH = 8
MAX_VALUES = 20_000
MAX_DIGITS = 40
# What contents call the types of values.
KINDS = {
    "str": "a text", "int": "a number", "float": "a number", "bool": "true or false", "list": "a list", "tuple": "a list",
    "dict": "a mapping", "NoneType": "nothing",
}  # fmt: skip


@dataclass(frozen=True)
class RenderFacts:
    """All that a content may speak of; each attribute is a root of tokens.

    Attributes:
        profile: traits by name (`profile.first_name`).
        event: properties of the event that began the entry (`event.price`); `event.name` is the property.
        shop: `journeys/shop.yaml` as plain data (`shop.name`).
        with_: what the `send` step passes (`with.discount_percent`).
        scores: scores taken earlier in the entry (`score.rfm`).
        unsubscribe_url: where one click unsubscribes; never tracked.
        preferences_url: where people choose what they get; never tracked.
        confirm_url: where a consent is confirmed; never tracked.
        answers: to what the content asks (`Contents.asks`, `answer`); a content that asks cannot be rendered without.
        locale: the person's, such as `de-AT`; None: the shop's.
        zone: the person's time zone; None: the shop's.
        now: the moment at which the message is made.
        fetched: what other services answered, by the name under which the content asks them (`Contents.wanted`).
        live_url: gives the address of a live part, by its form (`picture` or `list`) and number; never tracked.
    """

    profile: Mapping[str, Any] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    shop: Mapping[str, Any] = field(default_factory=dict)
    with_: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    unsubscribe_url: str = "https://unsubscribe.invalid/"
    preferences_url: str = "https://preferences.invalid/"
    confirm_url: str = "https://confirm.invalid/"
    answers: Answers | None = None
    locale: str | None = None
    zone: str | None = None
    now: datetime | None = None
    fetched: Mapping[str, Fetched] | None = None
    live_url: Callable[[str, int], str] | None = None

    def own_links(self) -> dict[str, str]:
        """Return the addresses that lead to a page of ours, by their tokens."""
        return {"unsubscribe_url": self.unsubscribe_url, "preferences_url": self.preferences_url, "confirm_url": self.confirm_url}


@dataclass(frozen=True)
class Rendered:
    """A message, ready to be frozen.

    Attributes:
        html: with the original URLs; `rewrite_links` puts in the tracked ones.
        links: the URLs that may be tracked, in the order of their appearance; an index names one.
        tokens: each token used: `{"value": …, "source": …}`, where source is profile, event, shop, with,
            score, variant, link, recommendation, fetch or fallback; and each decision with its `because`: sections (condition),
            slots (slot), blocks that were dropped (missing), items (recommendation), answers (fetch), live parts, the language.
        language: the translation that was used; None: the content's own language.
        amp: the AMP part; None where the content has none.
        live: what is shown as it is when the message is opened, by number.
    """

    subject: str
    preheader: str
    html: str
    text: str
    links: tuple[str, ...]
    tokens: dict[str, dict[str, Any]]
    language: str | None = None
    amp: str | None = None
    live: tuple[dict[str, Any], ...] = ()


def kind_of(value: Any) -> str:
    """Return what contents call the type of a value."""
    name = type(value).__name__
    return KINDS.get(name, f"a {name}")


def plain(value: Any) -> Any:
    """Return a copy made of dicts, lists and scalars only, so that a template can reach nothing else.

    Raises:
        RenderError: it holds anything else, or too much, or too deep.
    """
    return _plain(value, 0, [0])


def _plain(value: Any, depth: int, seen: list[int]) -> Any:
    seen[0] += 1
    if depth > MAX_DEPTH or seen[0] > MAX_VALUES:
        raise RenderError(f"the facts for a message are too large: more than {MAX_DEPTH} levels or {MAX_VALUES} values")
    if value is None or type(value) in (str, bool, float):
        return value
    if type(value) is int:
        if value.bit_length() > MAX_DIGITS * 4:
            raise RenderError(f"the facts for a message hold a number of more than {MAX_DIGITS} digits")
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1, seen) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1, seen) for inner in value]
    if isinstance(value, Decimal | datetime | date):
        return str(value)
    if isinstance(value, str):
        return str(value)
    raise RenderError(f"the facts for a message hold a {type(value).__name__}, which is not plain data")
