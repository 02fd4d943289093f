"""Compiling a structure once gives what MJML gives for each person by itself."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law

from sojourn.content import Contents, RenderFacts
from sojourn.content.sample import everything
from sojourn.errors import RenderError

JOURNEYS = Path(__file__).parents[3] / "journeys"
SHIPPED = Contents.load(JOURNEYS)
SHOP = {"name": "Linden & Co", "url": "https://shop.example", "currency": "EUR", "locale": "en-GB", "postal_address": "12 Weaver Lane"}
# Without a backslash and what cannot be seen: MJML writes both into attributes in a spelling of its own.
WORD = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), exclude_characters="\\\u00a0"), max_size=12)
TEXT = st.lists(WORD, max_size=3).map(" ".join).filter(lambda text: text.replace(" ", "").isprintable() and text.split() == text.split(" "))
URL = st.sampled_from(["https://shop.example/a?b=1&c=2", "https://cdn.example/x.png", "/cart", "https://evil.example", "#", "tel:+49301"])


def one(body: str, front: str = "subject: Hello", **more: str) -> Contents:
    page = f"<mjml><mj-body><mj-section><mj-column>{body}</mj-column></mj-section></mj-body></mjml>"
    return Contents(Path("journeys"), {"mail.mjml": f"---\n{front}\n---\n{page}", **more})


def same(contents: Contents, name: str, facts: RenderFacts, variant: str | None = None) -> Any:
    """Hold both ways to one answer, be it a message or an error, and return it; a letter may be spelt out by its number."""
    answers: list[Any] = []
    for ahead in (True, False):
        try:
            made = contents.render(name, facts, variant, ahead=ahead)
            answers.append(replace(made, html=re.sub(r"&#(\d{3,7});", lambda found: chr(int(found[1])), made.html)))
        except RenderError as error:
            answers.append(str(error))
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.slow
@law(60)
@given(st.sampled_from(sorted(SHIPPED.names())), st.data())
def test_a_shipped_content_is_the_same_compiled_once_as_compiled_for_each_person(name: str, data: st.DataObject) -> None:
    profile = data.draw(st.fixed_dictionaries({}, optional={"first_name": TEXT, "tier": TEXT}))
    price = st.sampled_from([-1, 0, 19.9, 140, 1e6])
    asked = {"name": TEXT, "price": price, "image_url": URL, "cart_url": URL, "currency": st.sampled_from(["USD", "CHF"])}
    event = data.draw(st.fixed_dictionaries({}, optional=asked))
    with_ = data.draw(st.fixed_dictionaries({"discount_percent": st.integers(1, 90), "code": TEXT, "valid_days": st.integers(0, 9)}))
    variant = data.draw(st.sampled_from([None, *sorted(SHIPPED.variants(name))]))
    locale = data.draw(st.sampled_from([None, "de-AT", "en-US", "fr"]))
    answers = data.draw(st.sampled_from(everything(SHIPPED.sample(name), SHIPPED.asks(name), [None]))).answers
    url = "https://sojourn.example/u/abc?a=1&b=2"
    rendered = same(SHIPPED, name, RenderFacts(profile, event, SHOP, with_, unsubscribe_url=url, answers=answers, locale=locale), variant)
    assert not isinstance(rendered, str) or "needs with." in rendered


BODIES = {
    "a branch around a component": "{% if profile.a %}<mj-text>{{ profile.a }}</mj-text>{% else %}<mj-divider />{% endif %}",
    "a loop over components": "{% for x in event.list %}<mj-text>{{ loop.index }}: {{ x }}</mj-text>{% endfor %}",
    "a width that MJML reckons with": "<mj-image src='https://x.example/a.png' alt='{{ profile.a }}' width='{{ event.width }}px' />",
    "a colour": "<mj-text color='{{ event.colour }}'>{{ profile.a }}</mj-text>",
    "a value in an attribute of HTML": "<mj-text><a href='https://x.example/{{ event.n }}' title='{{ profile.a }}'>go</a></mj-text>",
    "a link that is its own words": "<mj-text><a href='{{ event.url }}'>{{ event.url }}</a> end</mj-text>",
    "words that may be an address": "<mj-text><a href='https://shop.example/a?b=1&amp;c=2'>{{ event.url }}</a></mj-text>",
    "a picture as a link": "<mj-text><a href='{{ event.url }}'><img src='https://x.example/a.png' alt='{{ profile.a }}'></a></mj-text>",
    "a button": "<mj-button href='{{ event.url }}'>{{ profile.a }}</mj-button>",
    "a text kept by set": "{% set x %}<b>{{ profile.a }}</b>{% endset %}<mj-text>{{ x }}{{ x | length }}</mj-text>",
    "a component kept by set": "{% set x %}<mj-text>{{ profile.a }}</mj-text>{% endset %}{{ x }}{{ x }}",
    "a macro": "{% macro m(t) %}<mj-text>{{ t }}!</mj-text>{% endmacro %}{{ m(profile.a) }}{{ m(event.n) }}",
    "a filter's block": "<mj-text>{% filter upper %}{{ profile.a }}{% endfilter %}</mj-text>",
    "an include within set": "{% set x %}{% include 'blocks/b.mjml' %}{% endset %}<mj-text>{{ x | upper }}</mj-text>",
    "a table": "<mj-table><tr><td>{{ profile.a }}</td><td>{{ event.n }}</td></tr></mj-table>",
    "raw HTML": "<mj-raw><p title='{{ profile.a }}'>{{ profile.a }}</p></mj-raw>",
    "a style": "<mj-text><style>.a { width: {{ event.n }}px }</style>{{ profile.a }}</mj-text>",
    "a comment": "<mj-text><!-- {{ profile.a }} -->x</mj-text>",
    "an unsubscribe link": "<mj-text><a href='{{ unsubscribe_url }}'>stop, {{ profile.a }}</a></mj-text>",
    "a tag's name": "<mj-text><h{{ event.n }}>x</h{{ event.n }}></mj-text>",
}


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@law(25)
@given(data=st.data())
def test_any_way_to_show_a_value_is_the_same_compiled_once(body: str, data: st.DataObject) -> None:
    contents = one(body, **{"blocks/b.mjml": "{{ profile.a }}"})
    for _ in range(3):  # of one content: the second and third time a page may be there
        event = {
            "list": data.draw(st.lists(TEXT, max_size=3)), "width": data.draw(st.sampled_from([100, 240])),
            "n": data.draw(st.integers(1, 3)), "colour": data.draw(st.sampled_from(["#111111", "red"])), "url": data.draw(URL),
        }  # fmt: skip
        same(contents, "mail", RenderFacts({"a": data.draw(TEXT)}, event, SHOP))


ODD = [
    "a\\b", "a\u115fb", "a\u0301b", "a\ufe0fb", "a\u00a0b", "a\u200bb", "a  b", " a", "a\n\nb", "a\tb",
    "<b>", "&amp;", "sjrnhole0z", "sjrnhole7z",
]  # fmt: skip


@pytest.mark.parametrize("value", ODD)
def test_a_value_is_shown_whole_whatever_it_is_made_of(value: str) -> None:
    contents = one("<mj-text>{{ profile.a }}|{% set x %}<i>{{ profile.a }}</i>{% endset %}{{ x }}</mj-text>")
    rendered = same(contents, "mail", RenderFacts({"a": value}))
    assert " ".join(rendered.text.split()) == " ".join(f"{value}|{value}".split())


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("value", ["a\\b", "a\u00a0b", "a\u200bb", "a\nb", "Größe 5 €"])
def test_an_attribute_holds_a_value_whole_whatever_it_is_made_of(value: str, ahead: bool) -> None:
    contents = one("<mj-image src='https://x.example/a.png' alt='{{ profile.a }}' /><mj-text><i title='{{ profile.a }}'>x</i></mj-text>")
    html = contents.render("mail", RenderFacts({"a": value}), ahead=ahead).html
    assert [unescape(html.split(f'{name}="')[1].split('"')[0]) for name in ("alt", "title")] == [value, value]


def test_a_value_with_control_characters_stops_nothing() -> None:
    contents = one("<mj-image src='https://x.example/a.png' alt='{{ profile.a }}' /><mj-text>{{ profile.a }}</mj-text>")
    assert "a b" in same(contents, "mail", RenderFacts({"a": "a\x0b\x00b"})).text


def test_mjml_is_asked_once_for_many_people_and_once_more_for_each_other_structure() -> None:
    contents = one("{% if profile.a %}<mj-text>{{ profile.a }}</mj-text>{% endif %}<mj-text>{{ event.n }}</mj-text>")
    pages = contents._compiled["mail", None].pages
    assert pages is not None
    for number in range(50):
        contents.render("mail", RenderFacts({"a": f"name {number}"}, {"n": number}))
    assert pages.compiled == 1
    contents.render("mail", RenderFacts({}, {"n": 1}))
    assert pages.compiled == 2


def test_the_structures_that_are_kept_are_bounded() -> None:
    contents = one("<mj-text font-size='{{ event.n }}px'>x</mj-text>")
    for number in range(1, 200):
        contents.render("mail", RenderFacts({}, {"n": number}))
    pages = contents._compiled["mail", None].pages
    assert pages is not None
    assert len(pages._pages) <= 64


def test_what_cannot_be_compiled_once_is_told_with_its_place() -> None:
    contents = one("\n{% set x %}{% include 'blocks/b.mjml' %}{% endset %}<mj-text>{{ x }}</mj-text>", **{"blocks/b.mjml": "b"})
    note = contents.per_person("mail")
    assert note is not None
    assert str(note).startswith("journeys/content/mail.mjml:5:1: an include or block within `set`")
    assert one("<mj-text>x</mj-text>").per_person("mail") is None
