"""Words for nothing and templates that nobody filled in are no identifiers, at any door: strangers do not meet under them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.bulk.policy import Policy
from sojourn.bulk.preparing import prepare
from sojourn.bulk.problems import BadRow
from sojourn.bulk.records import Origin, event
from sojourn.customers.identity import random_id
from sojourn.errors import BadEvent, NotFound
from sojourn.intake.envelope import read_call
from sojourn.language.identity_rules import IdentityRules, is_nothing
from sojourn.metrics import metrics
from sojourn.testing import Shop
from sojourn.testing.opened import START

WORDS = [
    *("true", "false", "null", "none", "nil", "undefined", "NaN", "[object Object]", "0", "-1", "n/a", "N/A", "(not set)", "anonymous"),
    *("guest", "unknown", "distinct_id", "id", "email", "None", "'null'", '"undefined"', " null ", "\\N"),
]
TEMPLATES = [
    *("{{user.id}}", "{{ user_id }}", "{% user %}", "${userId}", "#{id}", "%user_id%", "%%EMAIL%%", "<user.id>", "<%= id %>", "[USER_ID]"),
    *("*|UNIQID|*", "u-{{id}}", "%7B%7Buser.id%7D%7D", "{user_id}", "$user_id", "{{user.id", "$(id)", "[[id]]", "__USER_ID__"),
]
SOMEONES = ["u1", "42", "ann@example.com", "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", "truelove", "100", "-5", "00a", "a b", "[1]"]


@pytest.mark.parametrize("value", [*WORDS, *(one for one in TEMPLATES if one != "{{user.id")])
def test_it_is_a_word_for_nothing_in_any_case(value: str) -> None:
    assert is_nothing(value)
    assert is_nothing(value.upper())
    assert IdentityRules().blocks("crm_id", value.strip())


@pytest.mark.parametrize("value", SOMEONES)
def test_it_is_someones(value: str) -> None:
    assert not is_nothing(value)


@given(st.text("abcdefgh0123456789-_", min_size=9, max_size=30).filter(lambda text: text.strip("0-_")))
def test_a_plain_id_is_someones(value: str) -> None:
    assert not is_nothing(value) or value.startswith("__")


@pytest.mark.parametrize("value", [*WORDS, "{{user.id}}", "%user_id%", 0, -1])
@pytest.mark.parametrize("key", ["userId", "anonymousId"])
def test_an_event_that_names_nobody_else_is_set_aside_with_the_reason(key: str, value: Any) -> None:
    before = metrics().ids_refused.labels(key)._value.get()
    read = read_call("track", orjson.dumps({key: value, "event": "Looked"}), received_at=START)
    assert read.envelopes == []
    assert f"{key}: a word for nothing" in read.quarantined[0].reason
    assert metrics().ids_refused.labels(key)._value.get() == before + 1


def test_an_event_that_names_someone_else_is_theirs() -> None:
    (found,) = read_call("identify", b'{"userId": "undefined", "anonymousId": "browser-1", "traits": {}}', received_at=START).envelopes
    assert (found.user_id, found.anonymous_id) == (None, "browser-1")


def test_an_external_id_and_an_alias_are_no_other_doors() -> None:
    outside = {"userId": "u1", "event": "E", "context": {"externalIds": [{"type": "crm_id", "id": "null"}, {"type": "crm_id", "id": "c1"}]}}
    (found,) = read_call("track", orjson.dumps(outside), received_at=START).envelopes
    assert found.context["externalIds"] == [{"type": "crm_id", "id": "c1"}]
    for ids in ({"userId": "true", "previousId": "u1"}, {"userId": "u1", "previousId": "{{id}}"}):
        assert read_call("alias", orjson.dumps(ids), received_at=START).quarantined


def test_a_message_id_for_nothing_makes_no_two_events_one() -> None:
    calls = [orjson.dumps({"userId": "u1", "event": name, "messageId": "undefined"}) for name in ("A", "B")]
    first, second = (read_call("track", body, received_at=START).envelopes[0].message_id for body in calls)
    assert first != second


@pytest.mark.parametrize("value", ["true", "null", "{{user.id}}", "[object Object]"])
def test_an_import_refuses_the_row_and_an_event(value: str) -> None:
    origin = Origin("c" * 64, START, START)
    for record in ({"user_id": value, "traits": {"city": "Rome"}}, {"user_id": value, "last_seen": "2026-01-01T00:00:00Z"}):
        with pytest.raises(BadRow):
            prepare(record, 1, 1, origin, Policy(), random_id)
    with pytest.raises(BadRow):
        event({"user_id": value, "event": "Looked"}, 1, origin)


def test_strangers_do_not_meet() -> None:
    with Shop(journeys_dir="journeys") as shop:
        for word in ("true", "{{user.id}}"):
            for who in ("ann", "bob"):
                shop.identify(word, {"email": f"{who}@example.com", "first_name": who}, anonymous_id=who)
            with pytest.raises(NotFound):
                shop.profile(word)
            with pytest.raises(BadEvent, match="word for nothing"):
                shop.track(word, "Looked")
        assert shop.profile("ann").id != shop.profile("bob").id
        assert shop.profile("ann").traits["first_name"] == "ann"
        for who in ("cat", "dan"):
            shop.identify(who, {"email": "undefined@undefined.com"})
        assert shop.profile("cat").id != shop.profile("dan").id
