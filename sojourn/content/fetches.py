"""What a content asks of other services before it is rendered: declared in its front matter, used as `fetched.<name>`.

    fetches:
      weather:
        url: https://api.example/v1/weather?city={{ profile.city }}
        ttl: 10m
        on_failure: fallback
        default: {sky: fair}

A template never reaches the web. Whoever renders asks first, hands the answers over, and a failure does what was declared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from jinja2 import nodes
from pydantic import Field, field_validator, model_validator

from sojourn.language.durations import parse_duration
from sojourn.language.model import DurationText, Model

MAX_TIMEOUT = 5.0  # seconds
MAX_TTL = 86_400.0  # seconds
MAX_FETCHES = 5  # of one content
_HOST = re.compile(r"^https://[A-Za-z0-9.-]{1,253}(:\d{1,5})?(?=[/?]|$)")


class Fetch(Model):
    """One question to another service."""

    url: str = Field(
        min_length=9, max_length=1000, description="https://host/…, the host as shop.yaml allows it; tokens in it are encoded by themselves"
    )
    timeout: DurationText = Field(default="1s", description="how long it may take, at most 5s")
    ttl: DurationText = Field(default="5m", description="how long an answer may be used again, at most 1d; 0s: never")
    on_failure: Literal["fallback", "drop", "do_not_send"] = Field(
        default="fallback",
        description="what no answer does: fallback (`default` stands for it), drop (it is missing, as a fact is) or do_not_send",
    )
    default: Any = Field(default=None, description="what stands for the answer where there is none")

    @field_validator("url")
    @classmethod
    def _has_a_host(cls, url: str) -> str:
        if _HOST.match(url) is None:
            raise ValueError("an address begins with https:// and a host that is written out, such as https://api.example/v1/stock")
        return url

    @field_validator("timeout", "ttl")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.on_failure == "fallback" and self.default is None:
            raise ValueError("say what stands for the answer, `default: …`, or write `on_failure: drop` or `on_failure: do_not_send`")
        if self.on_failure != "fallback" and self.default is not None:
            raise ValueError(f"`default` is never used with `on_failure: {self.on_failure}`; leave one of them out")
        if not 0 < self.seconds <= MAX_TIMEOUT:
            raise ValueError(f"a person's mail waits for it: `timeout` is at most {MAX_TIMEOUT:.0f}s")
        if self.kept_seconds > MAX_TTL:
            raise ValueError("an answer is used for one day at most: `ttl: 1d`")
        return self

    @property
    def seconds(self) -> float:
        """How long it may take."""
        return parse_duration(self.timeout).total_seconds()

    @property
    def kept_seconds(self) -> float:
        """How long an answer may be used again."""
        return parse_duration(self.ttl).total_seconds()

    @property
    def host(self) -> str:
        """The host that is asked."""
        return (urlsplit(self.url.split("{")[0]).hostname or "").lower()


@dataclass(frozen=True)
class Wanted:
    """A question with a person's values in it.

    Attributes:
        url: None where a token in it is missing.
        because: why there is no URL.
    """

    name: str
    url: str | None
    seconds: float
    kept_seconds: float
    because: str = ""


@dataclass(frozen=True)
class Fetched:
    """What came of a question: a value, or None, and why."""

    value: Any
    because: str


def encoded(tree: nodes.Template) -> nodes.Template:
    """Return an address's template in which each value stands encoded, so that none can lead elsewhere."""
    for output in tree.find_all(nodes.Output):
        output.nodes = [
            each if isinstance(each, nodes.TemplateData) or _is_encoded(each)
            else nodes.Filter(each, "urlencode", [], [], None, None, lineno=output.lineno)
            for each in output.nodes
        ]  # fmt: skip
    return tree


def _is_encoded(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Filter) and node.name == "urlencode"


def stands_for(name: str, fetch: Fetch, found: Fetched) -> tuple[Any, str]:
    """Return what stands for an answer, and the word that is kept of it; None where it is missing."""
    if found.value is not None:
        return found.value, "answered"
    return (fetch.default, "fallback") if fetch.on_failure == "fallback" else (None, "missing")


def samples(declared: Mapping[str, Fetch], given: Mapping[str, Any]) -> dict[str, Fetched]:
    """Return answers for a check or preview: of the content's `sample`, else what stands for them."""
    return {name: Fetched(given.get(name), "of the sample" if name in given else "nobody was asked") for name in declared}
