"""A condition that cannot be understood says where, what and what to write instead."""

from __future__ import annotations

import pytest

from sojourn.language.conditions import ConditionError, parse

WRONG = [
    ("", 0, "the condition is empty", "event.price"),
    ("event.price = 3", 12, "'=' is not expected here", "write == to compare"),
    ('event.city is "Bern"', 11, "'is' compares nothing", "write == to compare"),
    ("event.city is not 'Bern'", 11, "'is not' compares nothing", "write != to compare"),
    ("event.price is 5", 12, "'is' compares nothing", "write == to compare"),
    ('event.city == “Bern”', 14, "'“' is no quotation mark here", 'write "'),
    ("event.a == 1 AND event.b == 2", 13, "'AND' is not expected here", "write and"),
    ("NOT event.a", 4, "'event.a' is not expected here", "write not"),
    ("event.a <> 1", 9, "'>' is not expected here", "write != to compare"),
    ("event.a === 1", 10, "'=' is not expected here", "write == to compare"),
    ('event.a contains "x"', 8, "'contains' is not expected here", '"x" in'),
    ("event.a between 1 and 2", 8, "'between' is not expected here", "5 <= event.price <= 9"),
    ("event.a && event.b", 8, "'&&' is not expected here", "write and"),
    ("event.price >=", 14, "the condition stops too early", ""),
    ("(event.price > 1", 16, "the condition stops too early", ""),
    ("event.price > 1 )", 16, "')' is not expected here", ""),
    ("{{ event.price > 1 }}", 19, "'}}' is not expected here", "without braces"),
    ("event.city == 'Bern", 14, "\"'Bern\" is not expected here", "close the quotation mark"),
    ("evnt.price > 1", 0, "unknown name 'evnt.price'", "did you mean event.price?"),
    ("event.a > 1 and prfile.b", 16, "unknown name 'prfile.b'", "did you mean profile.b?"),
    ("revenue > 5", 0, "unknown name 'revenue'", "event.revenue"),
    ("reminder.clickd", 0, "unknown name 'reminder.clickd'", "did you mean reminder.clicked?"),
    ("event", 0, "event alone says nothing", "event.price"),
    ("now", 0, "now is a moment, which alone says nothing", "compare"),
    ('event.city == "Bern" or "Basel"', 24, '"Basel" alone asks nothing', "x in [a, b]"),
    ('cuont("X") > 1', 0, "unknown function 'cuont'", "did you mean count?"),
    ("did(order)", 4, "the first argument of did is the name of an event", 'did("Order Completed"'),
    ('did("X", wihtin="1h")', 16, "unknown option of did 'wihtin'", "did you mean within?"),
    ('did("X", within="1 hour")', 16, "within: '1 hour' is not a duration", ""),
    ('did("X", within="0s")', 16, "within needs a duration longer than nothing", "24h"),
    ('did("X", where="evnt.a == 1")', 16, "unknown name in where 'evnt'", "did you mean event?"),
    ('did("X", where="event.a == ")', 26, "in where: the condition stops too early", ""),
    ("""did("X", where="did('Y')")""", 16, "did cannot stand in a where", "one event"),
    ('sum("X")', 0, "sum needs a property", 'sum("Order Completed", "revenue"'),
    ('sum("X", "time") > 1', 9, "sum adds numbers, not the event's time", ""),
    ('count("X", minus="Y") > 1', 17, "unknown option of count 'minus'", ""),
    ('sum("X", "a", minus="X") > 1', 0, "minus names the event that gives back, and not 'X' itself", 'minus="Order Refunded"'),
    ('sum("X", "a", minus=5) > 1', 20, "minus stands in quotation marks", ""),
    ('sum("X", "a", minus_value="b") > 1', 0, "minus_value is the property of the event that minus names", 'minus="Order Refunded"'),
    ('sum("X", "a", minus="Y", minus_value="time") > 1', 37, "sum adds numbers, not the event's time", ""),
    ('sum("X", "a", mins="Y") > 1', 19, "unknown option of sum 'mins'", "did you mean minus?"),
    ('last("X", "re venue") > 1', 11, "'re venue' is not the name of a property", "cart.id"),
    ('last("X").revenue > 1', 0, "only a name can be followed by a dot", 'last("Order Completed", "revenue")'),
    ('count("X") >= "3"', 14, 'count("X") is a number and "3" is a text: this never holds', ""),
    ('event.time > "soon"', 13, '"soon" is not a moment', "2026-01-31"),
    ('event.time > 5', 13, "event.time is a moment and 5 is a number: this never holds", ""),
    ('did("X") > true', 11, "true and false cannot be compared by >", ""),
    ('did("X") + 1 > 2', 0, "+ - * / need numbers", ""),
    ("now - event.time > 1", 0, "now is a moment", "days_since(x)"),
    ("event.a == none", 11, "nothing can be compared with none", "is defined"),
    ("event.a is none", 0, "unknown test 'is none'", "is defined"),
    ("event.name|lower == 'x'", 0, "a filter ('|') cannot be used", ""),
    ("1 if event.a else 2", 0, "'… if … else …' cannot be used", ""),
    ("event.a ** 2 > 1", 0, "'**' cannot be used", "+ - * /"),
    ("event[x] == 1", 0, "in brackets stands a name in quotation marks or a position", "products[0]"),
    ("event.get('a') == 1", 0, "only functions can be called", "did, count"),
    ("event.a == [1, 2]", 11, "a list cannot be compared", "x in [a, b]"),
    ("event.a in 5", 11, "to the right of in stands a list or a text", "x in [a, b]"),
    ("at_least(3, event.a, event.b)", 9, "at_least counts from 1 to the number of its conditions, here 2", ""),
    ("event.a > 1e999", 10, "this number is too large", ""),
    ("event.a > 99999999999999999999", 10, "this number is too large", ""),
    ("not " * 40 + "event.a", 40, "nested too deeply", "segments"),
    ("(" * 4000, 0, "nested too deeply", "segments"),
    ("event.__class__ is defined and x", 31, "unknown name 'x'", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "position", "message", "hint"), WRONG, ids=[text[:40] for text, *_ in WRONG])
def test_it_says_where_what_and_what_instead(text: str, position: int, message: str, hint: str) -> None:
    with pytest.raises(ConditionError) as raised:
        parse(text)
    assert raised.value.position == position
    assert message in raised.value.message
    assert hint in raised.value.hint


def test_positions_count_through_line_breaks() -> None:
    with pytest.raises(ConditionError) as raised:
        parse("event.a > 1 and\n  evnt.b > 2")
    assert raised.value.position == 18


def test_a_very_long_chain_of_or_is_no_depth() -> None:
    assert len(parse(" or ".join(f"event.a == {i}" for i in range(300))).text) > 3000
