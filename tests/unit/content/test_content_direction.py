"""Which way a message is read follows the language that it is in."""

from __future__ import annotations

import re

import pytest
from lxml import html as lxml_html

from sojourn.content.direction import direction_of
from tests.unit.content.pages import facts, one

BODY = (
    "<mj-text>{{ text.hello }} {{ profile.name }}!</mj-text></mj-column><mj-column>"
    '<mj-image src="https://shop.example/a.png" alt="a" align="ALIGN" />'
)
AMP = "<!doctype html><html ⚡4email><body><p>{{ text.hello }} {{ profile.name }}</p></body></html>"


def contents(language: str, align: str = "start"):  # type: ignore[no-untyped-def]
    front = f'subject: Hello\nlanguage: {language}\ntexts: {{hello: "Hi"}}'
    return one(BODY.replace("ALIGN", align), front, **{"mail.amp.html": AMP})


@pytest.mark.parametrize("language", ["he", "ar", "fa", "ur", "ar-EG", "he_IL", "ckb", "yi", "ps", "ug", "sd", "dv", "az-Arab"])
def test_a_language_of_the_right_is_right_to_left(language: str) -> None:
    assert direction_of(language) == "rtl"


@pytest.mark.parametrize("language", ["en", "de-AT", "tr", "az", "az-Latn", "ku-Latn", "ur-Latn", "ja", "hi", "ru", "", "armenian"])
def test_any_other_is_left_to_right(language: str) -> None:
    assert direction_of(language) == "ltr"


@pytest.mark.parametrize(("language", "direction", "side"), [("he", "rtl", "right"), ("ar-EG", "rtl", "right"), ("de", "ltr", "left")])
def test_direction_alignment_and_columns_follow_the_language(language: str, direction: str, side: str) -> None:
    for ahead in (True, False):
        rendered = contents(language).render("mail", facts(profile={"name": "x"}, locale=language), ahead=ahead)
        root = lxml_html.document_fromstring(rendered.html)
        assert (root.get("dir"), (root.get("lang") or "").split("-")[0]) == (direction, language.split("-")[0])
        styles = [element.get("style") or "" for element in root.find("body").iter() if isinstance(element.tag, str)]
        assert {found for style in styles for found in re.findall(r"direction:(\w+)", style)} == {direction}
        assert {found for style in styles for found in re.findall(r"text-align:(\w+)", style)} == {"center", side}
        assert {cell.get("align") for cell in root.iter("td") if cell.get("align")} == {side}
        assert rendered.amp is not None
        assert re.search(rf'<html ⚡4email lang="{language.split("-")[0]}[^"]*" dir="{direction}">', rendered.amp)


def test_what_an_author_says_of_direction_and_side_stays() -> None:
    html = contents("he", align="left").render("mail", facts(profile={"name": "x"}, locale="he")).html
    assert 'align="left"' in html
    own = one("<mj-text align='center'>x</mj-text>", "subject: Hello\nlanguage: he")
    own_html = own.render("mail", facts(locale="he")).html
    assert re.findall(r'<td align="(\w+)"', own_html) == ["center"]


def test_a_name_that_is_written_the_other_way_stands_apart() -> None:
    for language, name, apart in (("he", "Ann", True), ("he", "דנה", False), ("en", "דנה", True), ("en", "Ann", False), ("ar", "1", False)):
        given = facts(profile={"name": name}, locale=language)
        ahead, alone = (contents(language).render("mail", given, ahead=each) for each in (True, False))
        assert ahead.text == alone.text
        assert ahead.html == alone.html
        assert (f"\u2068{name}\u2069!" in ahead.html) is apart, (language, name)
        assert (f"{name}!" in ahead.html) is not apart, (language, name)


def test_an_address_or_an_attribute_is_never_set_apart() -> None:
    body = '<mj-text><a href="https://shop.example/{{ profile.name }}" title="{{ profile.name }}">x</a> {{ profile.url }}</mj-text>'
    given = facts(profile={"name": "Ann", "url": "https://shop.example/Ann"}, locale="he")
    html = one(body, "subject: Hello\nlanguage: he").render("mail", given).html
    assert "\u2068" not in html
