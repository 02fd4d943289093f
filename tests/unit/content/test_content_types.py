"""A value of the wrong type is said with file, line and its type."""

from __future__ import annotations

import pytest

from sojourn.errors import RenderError
from tests.unit.content.pages import FOOT, facts, one, problems

EVENT = {"text": "some words", "n": 3, "items": [1], "map": {"a": 1}, "yes": True, "day": "soon", "mixed": [1, "a"]}
BLOCK = "---\ninputs:\n  n: {type: number}\n---\n\n<mj-text>{{ n | length }}</mj-text>"
# What stands in line 6 of the file, and what is said of it.
WRONG = {
    "{{ event.text + 1 }}": "`+` cannot be used with a text and a number",
    "{{ event.items * 2 }}": "`*` cannot be used with a list and a number",
    "{% if event.text > 3 %}a{% endif %}": "'>' not supported between instances of a text and a number",
    "{% for each in event.n %}a{% endfor %}": "cannot loop over a number",
    "{% for each in event.text %}a{% endfor %}": "cannot loop over a text",
    "{{ event.items }}": "a list cannot be shown",
    "{{ event.map }}": "a mapping cannot be shown",
    "{{ event.yes }}": "true or false cannot be shown",
    "{{ event.items | upper }}": "a text or number is needed where a list stands",
    "{{ event.n | length }}": "object of type a number has no len()",
    "{{ event.text | money }}": "`money` needs an amount, such as event.price | money(shop.currency), not a text that is none",
    "{{ event.items | number }}": "`number` needs a number, not a list",
    "{{ event.day | date }}": "a day or moment is needed",
    "{{ event.n | date }}": "not a number",
    "{{ event.mixed | sort | first }}": "'<' not supported between instances of",
    '{{ event.text | replace(1, "a") }}': "a number",
}


def test_the_error_of_a_message_names_file_line_and_type() -> None:
    for body, told in WRONG.items():
        contents = one(f"<mj-text>\n{body}</mj-text>")
        for ahead in (True, False):
            with pytest.raises(RenderError) as error:
                contents.render("mail", facts(event=EVENT), ahead=ahead)
            assert told in str(error.value), (body, str(error.value))
            assert str(error.value).endswith("in journeys/content/mail.mjml:6"), (body, str(error.value))
            assert "some words" not in str(error.value)


def test_the_check_says_it_where_it_stands() -> None:
    sample = "sample: {event.text: some words, event.n: 3, event.items: [1], event.map: {a: 1}, event.yes: true, event.day: soon, "
    sample += "event.mixed: [1, a]}"
    for body, told in WRONG.items():
        (found,) = problems(f"<mj-text>\n{body}</mj-text>", f"subject: Hello\n{sample}")
        assert found.startswith("mail.mjml:7:1: "), (body, found)
        assert told in found, (body, found)


def test_a_fault_in_a_block_a_text_part_or_a_subject_is_said_there() -> None:
    block = one('{% use "b" n=event.n %}', blocks__b=BLOCK)
    text = one("<mj-text>x</mj-text>", "subject: Hello", FOOT, **{"mail.txt": "a\nb {{ event.items }}"})
    subject = one("<mj-text>x</mj-text>", "subject: 'Hello {{ event.items }}'")
    preheader = one("<mj-text>x</mj-text>", "subject: Hello\npreheader: '{{ event.n | length }}'")
    for contents, place in (
        (block, "journeys/content/blocks/b.mjml:6"), (text, "journeys/content/mail.txt:2"),
        (subject, "journeys/content/mail.mjml:2 (`subject`)"), (preheader, "journeys/content/mail.mjml:3 (`preheader`)"),
    ):  # fmt: skip
        with pytest.raises(RenderError) as error:
            contents.render("mail", facts(event=EVENT))
        assert str(error.value).endswith(f", in {place}"), str(error.value)
