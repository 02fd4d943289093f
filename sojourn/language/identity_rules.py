"""Which identifiers say whose an event is, how many of each a person may have, and which are nobody's.

The section `identity:` of `journeys/profile.yaml`; every part has a default, and none is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, field_validator

from sojourn.language.model import Model

USER, ANONYMOUS, EMAIL, PHONE = "user_id", "anonymous_id", "email", "phone"
MAX_KIND = 32
KIND_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
Kind = Annotated[str, Field(pattern=KIND_PATTERN)]

# What programs send where there is no value.
_NOWHERE = ("null", "undefined", "none", "nil", "nan", "unknown", "anonymous", "nobody")
_PLACEHOLDERS = frozenset(
    (*_NOWHERE, "guest", "n/a", "(null)", "(none)", "(not set)", "[object object]", "user_id", "userid", "anonymous_id", "anonymousid")
)
# Words of programs and templates that are no id whatever their kind: PostHog's "illegal distinct ids" and mParticle's and Segment's
# advice name most of them; the others are how languages and analytics tools write nothing.
_NOTHING = frozenset(
    (
        *("true", "false", "null", "none", "nil", "undefined", "nan", "[object object]", "[object undefined]", "object", "<null>", "<nil>"),
        *("(null)", "(none)", "(nil)", "(not set)", "(undefined)", "n/a", "na", "#n/a", "-1", "0", "\\n", "\\0", "void 0", "void"),
        *("anonymous", "guest", "unknown", "not_authenticated", "not authenticated", "unauthenticated", "id", "uid", "uuid", "email"),
        *("user_id", "userid", "user-id", "user.id", "anonymous_id", "anonymousid", "distinct_id", "distinctid", "profile_id", "profileid"),
        *("customer_id", "customerid", "device_id", "deviceid", "null null", "undefined undefined", "none none", "string", "str", "int"),
        *('""', "''", "[]", "{}", "-", "--", "00000000-0000-0000-0000-000000000000"),
    )
)
_UNFILLED = re.compile(  # what a template leaves where nobody filled it in
    r"\{\{.*\}\}|\{%.*%\}|[$#@]\{[^}]*\}|\$\([^)]*\)|<%.*%>|\*\|.*\|\*|%%.+%%|%7b%7b|\[\[.*\]\]", re.IGNORECASE | re.DOTALL
)
_ALL_UNFILLED = re.compile(
    r"\{[^{}]*\}|%[a-z_][\w.\- ]*%|<[a-z_][\w.\- ]*>|\[[a-z_][\w.\- ]*\]|\$[a-z_.]*(?:id|email|name)|__[a-z_]+__|:[a-z_]*id",
    re.IGNORECASE,
)
_BRACED_GUID = re.compile(r"\{[0-9a-f-]{32,36}\}", re.IGNORECASE)
_NOBODYS_MAIL = frozenset((*_NOWHERE, "noreply", "no-reply", "no_reply", "donotreply", "do-not-reply"))
_MADE_UP_MAIL = frozenset(["test", "tests", "testing", "example", "email", "mail", "user", "name", "me", "a", "abc", "asdf", "foo", "bar"])
_MADE_UP_HOST = re.compile(r"^(?:example|test|email|domain|mail|asdf|abc|a|foo)\.[a-z]{2,4}$")
_ZEROS = re.compile(r"^[0\W_]*$")
_ALIKE = re.compile(r"^\+\d{1,3}?(\d)\1{5,}$")  # every digit of the subscriber's number is the same
_COUNTED = re.compile(r"^\+\d{0,3}?1234567(?:8(?:90?)?)?$")


class KindRule(Model):
    """What holds for the identifiers of one kind."""

    limit: int = Field(default=3, ge=1, le=1000, description="how many of them a profile may have; more are recorded and left out")
    shared_after: int = Field(
        default=3, ge=1, le=1000, description="claimed by more profiles than so many it is held to be shared, and tells nobody apart"
    )
    merges: bool = Field(default=True, description="an exact key: profiles that share it are one person's; false: it only finds them")


DEFAULT_KINDS: Mapping[str, KindRule] = {
    USER: KindRule(limit=1, shared_after=1000),
    ANONYMOUS: KindRule(limit=100, shared_after=10),  # browsers forget theirs: one a week is 52 a year
    EMAIL: KindRule(limit=5, shared_after=3),
    PHONE: KindRule(limit=3, shared_after=3),
}


class IdentityRules(Model):
    """How identifiers join profiles.

    Two profiles of different user ids are never joined by a weaker identifier, only by an alias, by hand or by a
    resolution that someone approved. In a conflict `user_id` decides, then `anonymous_id`, then the order of `priority`.
    """

    kinds: dict[Kind, KindRule] = Field(
        default_factory=lambda: dict(DEFAULT_KINDS), description="what differs from the defaults, by kind", validate_default=True
    )
    others: KindRule = Field(default=KindRule(), description="what holds for kinds that are not named, such as a CRM's ids")
    priority: tuple[Kind, ...] = Field(default=(EMAIL, PHONE), description="which kind decides first; kinds left out come before, by name")
    users_by_alias: int = Field(default=5, ge=1, le=1000, description="how many user ids an alias, or a merge by hand, may bring together")
    blocked: tuple[str, ...] = Field(default=(), description="values that are nobody's, such as info@shop.example; * stands for anything")

    @field_validator("kinds", mode="before")
    @classmethod
    def _over_the_defaults(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        known = {kind: rule.model_dump() for kind, rule in DEFAULT_KINDS.items()}
        said = {kind: rule.model_dump(exclude_unset=True) if isinstance(rule, KindRule) else rule for kind, rule in given.items()}
        return known | {
            kind: {**known.get(kind, {}), **rule} if isinstance(rule, Mapping) and isinstance(kind, str) else rule
            for kind, rule in said.items()
        }

    def rule(self, kind: str) -> KindRule:
        """Return what holds for a kind."""
        return self.kinds.get(kind, self.others)

    def at_least(self, limit: int) -> IdentityRules:
        """Return the same rules for a profile that may have so many identifiers of each kind, as a person of many records has."""
        kinds = {kind: rule.model_copy(update={"limit": max(rule.limit, limit)}) for kind, rule in self.kinds.items() if kind != USER}
        others = self.others.model_copy(update={"limit": max(self.others.limit, limit)})
        return self.model_copy(
            update={"kinds": {**self.kinds, **kinds}, "others": others, "users_by_alias": max(self.users_by_alias, limit)}
        )

    def rank(self, kind: str) -> tuple[int, str]:
        """Return a kind's place where several name different people; the least decides."""
        if kind in (USER, ANONYMOUS):
            return -2 if kind == USER else -1, kind
        return (self.priority.index(kind) + 1 if kind in self.priority else 0), kind

    def blocks(self, kind: str, value: str) -> bool:
        """Tell whether a value is nobody's: a placeholder, a made-up one, or one that the rules name."""
        known = self._judged.get((kind, value))
        if known is None:
            if len(self._judged) >= _JUDGED_AT_MOST:
                self._judged.clear()
            known = self._judged[kind, value] = is_placeholder(kind, value) or any(p.fullmatch(value) for p in self._patterns)
        return known

    @cached_property
    def _judged(self) -> dict[tuple[str, str], bool]:
        return {}

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(".*".join(map(re.escape, text.split("*"))), re.IGNORECASE | re.DOTALL) for text in self.blocked]


_JUDGED_AT_MOST = 5_000  # what comes again comes soon; more would only push other things out of the processor's memory


def is_nothing(value: str) -> bool:
    """Tell whether a text is a word for nothing, or a template that nobody filled in: it is no identifier of any kind."""
    text = value.strip().casefold()
    if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if text in _NOTHING or not text or _UNFILLED.search(text):
        return True
    return _ALL_UNFILLED.fullmatch(text) is not None and _BRACED_GUID.fullmatch(text) is None


def is_placeholder(kind: str, value: str) -> bool:
    """Tell whether a value of a kind can be nobody's: what programs and people write where they have none."""
    text = value.casefold()
    if text in _PLACEHOLDERS or _ZEROS.match(text) or is_nothing(text):
        return True
    if kind == EMAIL:
        local, _, host = text.rpartition("@")
        if is_nothing(local) or host.partition(".")[0] in _NOWHERE:
            return True
        return local in _NOBODYS_MAIL or (local in _MADE_UP_MAIL and _MADE_UP_HOST.match(host) is not None)
    if kind == PHONE:
        return _ALIKE.match(text) is not None or _COUNTED.match(text) is not None
    return False
