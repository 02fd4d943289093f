"""What calls are read into, and what is set aside."""

import json
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.intake.envelope import CALLS, MAX_CALL_BYTES, UnreadableCall, read_call
from sojourn.intake.strict import read_json

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def read(call, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_call(call, body, received_at=NOW)


def one(call, content):
    result = read(call, content)
    assert result.quarantined == []
    assert len(result.envelopes) == 1
    return result.envelopes[0]


def reason(content, call="track"):
    result = read(call, content)
    assert result.envelopes == []
    assert len(result.quarantined) == 1
    return result.quarantined[0].reason


TRACK = {"messageId": "m1", "userId": "u1", "event": "Product Added", "properties": {"price": 20}}


def test_a_track_is_read_whole():
    e = one("track", {**TRACK, "anonymousId": "a1", "writeKey": "wk"})
    assert (e.message_id, e.kind, e.name, e.user_id, e.anonymous_id) == ("m1", "track", "Product Added", "u1", "a1")
    assert e.properties == {"price": 20}
    assert e.time == e.received_at == NOW
    assert read("track", {**TRACK, "writeKey": "wk"}).write_key == "wk"


@pytest.mark.parametrize(
    ("call", "body", "kind"),
    [
        ("t", TRACK, "track"), ("i", {"userId": "u"}, "identify"), ("p", {"userId": "u"}, "page"), ("s", {"userId": "u"}, "screen"),
        ("g", {"userId": "u", "groupId": "g"}, "group"), ("a", {"userId": "u", "previousId": "a"}, "alias"),
    ],
)  # fmt: skip
def test_short_forms_mean_the_long_ones(call, body, kind):
    assert one(call, body).kind == kind
    assert CALLS[call] == kind


def test_a_batch_tells_each_event_by_its_type_and_keeps_their_order():
    result = read("b", {"batch": [{"type": "identify", "userId": "u"}, {**TRACK, "type": "track"}, {"type": "page", "userId": "u"}]})
    assert [e.kind for e in result.envelopes] == ["identify", "track", "page"]


def test_traits_are_taken_from_traits_and_from_the_context_and_traits_win():
    e = one("identify", {"userId": "u", "context": {"traits": {"plan": "old", "city": "Bonn"}}, "traits": {"plan": "new"}})
    assert e.traits == {"plan": "new", "city": "Bonn"}


def test_the_context_keeps_what_is_used_and_no_address():
    e = one(
        "track",
        {**TRACK, "context": {"ip": "203.0.113.9", "locale": "de-DE", "timezone": "Europe/Berlin", "userAgent": "x", "page": {"url": "u"}}},
    )
    assert e.context == {"locale": "de-DE", "timezone": "Europe/Berlin", "userAgent": "x"}


@pytest.mark.parametrize("odd", [7, [], {}, True, "x" * 40])
def test_an_odd_locale_is_left_out_and_costs_nothing_else(odd):
    assert one("track", {**TRACK, "context": {"locale": odd}}).context == {}


def test_an_anonymous_id_of_null_is_none_and_a_number_is_its_text():
    e = one("track", {**TRACK, "userId": 42, "anonymousId": None})
    assert (e.user_id, e.anonymous_id) == ("42", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"userId": None}, "needs a userId or an anonymousId"),
        ({"userId": "  "}, "needs a userId or an anonymousId"),
        ({"userId": {"a": 1}}, "userId must be text"),
        ({"userId": True}, "userId must be text"),
        ({"userId": "x" * 256}, "userId is longer than 255 characters"),
        ({"messageId": "x" * 256}, "messageId is longer than 255 characters"),
        ({"event": ""}, "needs its event's name"),
        ({"event": 3}, "needs its event's name"),
        ({"event": "x" * 201}, "longer than 200 characters"),
        ({"properties": [1]}, "properties must be a JSON object"),
        ({"context": "x"}, "context must be a JSON object"),
        ({"timestamp": "yesterday"}, "timestamp must be a moment in ISO 8601"),
        ({"timestamp": 1700000000}, "timestamp must be a moment in ISO 8601"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp must be a moment in ISO 8601"),
        ({"timestamp": "9999-12-31T23:00:00Z", "sentAt": "0001-01-01T00:00:00Z"}, "outside of all calendars"),
        ({"properties": {"x": "y" * 40_000}}, "an event has at most 32768"),
        ({"properties": {"x": float("nan")}}, "not finite"),
        ({"properties": {"x": float("-inf")}}, "not finite"),
        ({"properties": {"x": "a\0b"}}, "NUL"),
        ({"properties": {"x": "\ud800"}}, "surrogate"),
        ({"properties": {"\ud800": 1}}, "surrogate"),
    ],
)
def test_a_bad_event_is_set_aside_with_its_reason(change, said):
    assert said in reason({**TRACK, **change})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"userId":"u","event":"E","properties":{"x":1e999}}', "not finite"),
        (b'{"userId":"u","event":"E","properties":{"x":' + b"9" * 400 + b"}}", "not finite"),
        (b'{"userId":"u","userId":"v","event":"E"}', "'userId' twice"),
        (b'{"userId" : "u","event":"E","properties":{"a":1,"a" :2}}', "'a' twice"),
        (b'{"userId":"u","event":"E","properties":' + b'{"a":' * 33 + b"1" + b"}" * 33 + b"}", "nested deeper than 32"),
        (b'{"userId":"u","event":"E","properties":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", "nested deeper than 32"),
        (b'{"userId":"u","event":"E","properties":' + b"[" * 99_000 + b"]" * 99_000 + b"}", "nested deeper than 32"),
    ],
    ids=["1e999", "huge integer", "duplicate", "duplicate with spaces", "33 deep", "900 deep", "99000 deep"],
)
def test_json_that_readers_differ_about_is_set_aside(body, said):
    assert said in reason(body)


@pytest.mark.parametrize("kind", ["alias", "group"])
def test_a_call_needs_its_own_ids(kind):
    if kind == "alias":
        assert "previousId" in reason({"userId": "u"}, "alias")
    else:
        assert "groupId must be text" in reason({"userId": "u", "groupId": []}, "group")


def test_an_unknown_type_in_a_batch_is_set_aside_and_its_neighbours_are_taken():
    result = read("batch", {"batch": [{**TRACK, "type": "teleport"}, 7, {**TRACK, "type": "track"}, {**TRACK, "type": ["x"]}]})
    assert [e.message_id for e in result.envelopes] == ["m1"]
    assert [q.message_id for q in result.quarantined] == ["m1", None, "m1"]
    assert "an event must be a JSON object" in result.quarantined[1].reason


def test_one_bad_number_costs_a_batch_only_that_event():
    body = b'{"batch":[{"type":"track","userId":"u","event":"A","properties":{"n":NaN}},{"type":"track","userId":"u","event":"B"}]}'
    result = read("batch", body)
    assert [e.name for e in result.envelopes] == ["B"]
    assert "not finite" in result.quarantined[0].reason
    assert "NaN" in result.quarantined[0].body


def test_a_call_past_the_limit_is_kept_whole_in_quarantine():
    body = json.dumps({"batch": [TRACK], "padding": "x" * MAX_CALL_BYTES}).encode()
    result = read("batch", body)
    assert "send smaller batches" in result.quarantined[0].reason
    assert result.quarantined[0].body == body.decode()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"{'a':1}", b'{"batch":{}}', b'{"batch":null}', b"null"])
def test_a_body_that_cannot_be_read_is_refused_with_a_sentence(body):
    with pytest.raises(UnreadableCall, match=r"JSON|batch"):
        read("batch", body)


# -- message ids -------------------------------------------------------------------------------


def test_without_a_message_id_the_same_event_gets_the_same_one_each_time_it_is_sent():
    bare = {"userId": "u", "event": "E", "timestamp": "2026-01-05T10:00:00Z"}
    first, again = one("track", {**bare, "sentAt": "2026-01-05T10:00:01Z"}), one("track", {**bare, "sentAt": "2026-01-05T11:00:01Z"})
    assert first.message_id == again.message_id
    assert one("track", {**bare, "event": "F"}).message_id != first.message_id


# -- time --------------------------------------------------------------------------------------


def at(**given):
    return one("track", {**TRACK, **given}).time


def test_a_wrong_clock_is_corrected_by_when_it_says_it_sent():
    assert at(originalTimestamp="2031-07-01T10:00:00Z", sentAt="2031-07-01T10:00:30Z") == NOW - timedelta(seconds=30)
    assert at(timestamp="2031-07-01T10:00:00+02:00", sentAt="2031-07-01T08:00:30Z") == NOW - timedelta(seconds=30)


def test_the_batchs_sent_at_serves_its_events():
    body = {"sentAt": "2026-01-05T13:00:10Z", "batch": [{**TRACK, "type": "track", "timestamp": "2026-01-05T13:00:00Z"}]}
    assert read("batch", body).envelopes[0].time == NOW - timedelta(seconds=10)


def test_without_sent_at_the_stamp_stands_and_an_old_one_is_taken():
    assert at(timestamp="2019-01-05T12:00:00Z") == datetime(2019, 1, 5, 12, tzinfo=UTC)


def test_the_future_happened_now():
    assert at(timestamp="2027-01-05T12:00:00Z") == NOW
    assert at(originalTimestamp="2026-01-05T12:00:30Z", sentAt="2026-01-05T12:00:00Z") == NOW


def test_a_stamp_that_was_corrected_already_stands():
    assert at(originalTimestamp="2026-01-01T00:00:00Z", sentAt="2026-01-01T00:00:05Z", timestamp="2026-01-02T00:00:00Z").day == 2


# -- the reader --------------------------------------------------------------------------------

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet='ab":\\{}, é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='ab":\\ ', max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(_json, st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]))
def test_whatever_json_can_say_is_read_as_the_standard_library_reads_it(value, separators):
    body = json.dumps(value, separators=separators, ensure_ascii=False).encode()
    found, _ = read_json(body)
    assert found == value


@given(
    _json,
    _json,
    st.text(alphabet='ab":\\ ', max_size=4),
    st.sampled_from([":", ": ", " :", "\t:\n"]),
    st.text(alphabet='a":\\', max_size=6),
)
def test_a_key_that_stands_twice_is_always_found(first, second, key, colon, decoy):
    name = json.dumps(key)
    body = '{"userId":"u","event":"E","properties":{"decoy":%s,%s%s%s,%s:%s}}'
    text = body % (json.dumps(decoy), name, colon, json.dumps(first), name, json.dumps(second))
    result = read("track", text.encode())
    assert result.envelopes == []
    assert "twice" in result.quarantined[0].reason


@given(_json)
def test_no_event_is_ever_lost_between_log_and_quarantine(value):
    body = orjson.dumps({"batch": [value, {**TRACK, "type": "track", "properties": {"x": value}}]})
    result = read("batch", body)
    assert len(result.envelopes) + len(result.quarantined) == 2
