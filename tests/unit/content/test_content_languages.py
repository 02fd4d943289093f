"""Languages: one structure, a file of texts for each language, a chain of fallbacks; and how amounts and times are said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.content.translations import chain, chosen
from sojourn.errors import RenderError
from tests.unit.content.pages import SHOP, facts, one, problems, text

FRONT = """subject: Hello {{ profile.name | default('you') }}
preheader: One
tokens: {a: cat}
texts: {b: '{{ variant.a }} and {{ profile.name }}'}"""
BODY = "<mj-text>{{ text.b }} {{ text.shared }}</mj-text>"
SHARED = "shared: <b>bread</b>"
GERMAN = "subject: Hallo\npreheader: Eins\ntokens: {a: Katze}\ntexts: {b: '{{ variant.a }} und {{ profile.name }}'}"
FILES = {"texts.yaml": SHARED, "mail.de.yaml": GERMAN, "texts.de.yaml": "shared: <b>Brot</b>"}
ADA = {"name": "<Ada>"}


@pytest.mark.parametrize(
    ("locale", "words", "language"),
    [
        (None, "cat and <Ada> bread", None), ("de", "Katze und <Ada> Brot", "de"), ("de-AT", "Katze und <Ada> Brot", "de"),
        ("de_ch", "Katze und <Ada> Brot", "de"), ("fr", "cat and <Ada> bread", None), ("en-US", "cat and <Ada> bread", None),
        ("de\"><script>", "cat and <Ada> bread", None), ("", "cat and <Ada> bread", None),
    ],
)  # fmt: skip
def test_a_person_is_written_to_in_their_language_else_the_shops_else_the_contents_own(locale: str, words: str, language: str) -> None:
    contents = one(BODY, FRONT, **FILES)
    assert text(contents, profile=ADA, locale=locale) == words
    rendered = contents.render("mail", facts(profile=ADA, locale=locale))
    assert rendered.language == language
    assert rendered.tokens["language"]["value"] == (language or "en-GB")
    assert rendered.subject == ("Hallo" if language else "Hello <Ada>")


def test_the_shops_language_comes_before_a_content_written_in_another() -> None:
    contents = one(BODY, f"{FRONT}\nlanguage: en", **FILES)
    german = {**SHOP, "locale": "de-DE"}
    assert text(contents, profile=ADA, shop=german, locale="fr") == "Katze und <Ada> Brot"
    assert text(contents, profile=ADA, shop=german, locale="en-US") == "cat and <Ada> bread"
    because = contents.render("mail", facts(profile=ADA, shop=german, locale="fr")).tokens["language"]["because"]
    assert because == "the shop's locale is de-DE"


TAG = st.from_regex(r"[a-z]{2}(-[A-Z]{2})?", fullmatch=True)


@given(st.sets(TAG, max_size=4), TAG, st.none() | TAG, st.none() | TAG)
def test_the_language_chosen_is_there_and_nothing_nearer_is(available: set[str], own: str, locale: str | None, shop: str | None) -> None:
    language, _ = chosen(available, own, locale, shop)
    there = available | set(chain(own))
    wanted = [tag for tag in chain(locale, shop) if tag in there]
    assert language in available or language is None
    if wanted:
        assert (language or wanted[0]) == wanted[0]


def test_a_variant_is_translated_with_it() -> None:
    front = FRONT + "\nvariants: {playful: {subject: Meow, tokens: {a: lion}}}"
    files = {**FILES, "mail.de.yaml": GERMAN + "\nvariants: {playful: {subject: Miau, tokens: {a: Löwe}}}"}
    rendered = one(BODY, front, **files).render("mail", facts(profile=ADA, locale="de"), "playful")
    assert rendered.subject == "Miau"
    assert "Löwe und <Ada> Brot" in rendered.text


@pytest.mark.parametrize(
    ("file", "changed", "told"),
    [
        ("mail.de.yaml", "subject: Hallo\ntokens: {a: Katze}\ntexts: {b: b}", "mail.de.yaml:1:1: `preheader` is not translated"),
        ("mail.de.yaml", "subject: Hallo\npreheader: Eins\ntokens: {a: Katze}", "mail.de.yaml:1:1: `texts.b` is not translated"),
        ("mail.de.yaml", GERMAN.replace("{a: K", "{z: K"), "mail.de.yaml:3:1: `tokens.a` is not translated"),
        ("mail.de.yaml", GERMAN.replace("b:", "bb:"), "mail.de.yaml:4:1: the content has no `texts.bb`; did you mean `b`?"),
        ("mail.de.yaml", GERMAN.replace("profile.name", "profil.name"), "unknown token `profil`; did you mean `profile`?"),
        ("mail.de.yaml", GERMAN.replace("Hallo", '"Hallo {{ profil.x }}"'), "mail.de.yaml:1:1: `subject`: unknown token `profil`"),
        ("mail.de.yaml", GERMAN.replace("und", "{% if"), "`text.b` in de"),
        ("mail.de.yaml", "betreff: Hallo", "unknown key `betreff`"),
        ("texts.de.yaml", "{}", "texts.de.yaml:1:1: `shared` is not translated"),
        ("texts.de.yaml", SHARED + "\nother: x", "texts.de.yaml:2:1: texts.yaml has no `other`"),
        ("mial.fr.yaml", "subject: x", "mial.fr.yaml:1:1: unknown content `mial`; did you mean `mail`?"),
        ("them.yaml", "subject: x", "unknown file `them`; did you mean `theme`?"),
    ],
)
def test_what_a_translation_lacks_or_has_too_much_is_told_by_name(file: str, changed: str, told: str) -> None:
    assert told in "\n".join(problems(BODY, FRONT + "\nsample: {profile.name: Ada}", **{**FILES, file: changed}))


def test_a_language_without_the_shared_texts_is_told() -> None:
    files = {name: body for name, body in FILES.items() if name != "texts.de.yaml"}
    assert "texts.de.yaml:1:1: `shared` is not translated" in problems(BODY, FRONT, **files)


def test_a_text_is_a_value_where_it_is_worked_with_and_so_is_escaped() -> None:
    block = "---\ninputs: {x: {type: text}}\n---\n<mj-text>{{ x | upper }}</mj-text>"
    contents = one("{% use 'a' x=text.b %}", "subject: a\ntexts: {b: 'one < {{ profile.name }}'}", blocks__a=block)
    assert text(contents, profile=ADA) == "ONE < <ADA>"


def test_a_text_with_a_branch_can_only_be_shown() -> None:
    texts = "subject: a\ntexts: {b: '{% if profile.name %}x{% endif %}'}"
    assert text(one("<mj-text>{{ text.b }}</mj-text>", texts), profile=ADA) == "x"
    assert "can only be shown by itself" in problems("<mj-text>{{ text.b | upper }}</mj-text>", texts)[0]


@pytest.mark.parametrize("body", ["{{ text.nope }}", "{{ theme.colors.inkk }}", "{{ text }}", "{% set x = theme %}{{ x }}"])
def test_unknown_texts_and_parts_of_the_theme_are_told(body: str) -> None:
    found = problems(f"<mj-text>{body}</mj-text>")
    assert len(found) == 1
    assert found[0].startswith("mail.mjml:5:1: ")


SAID = [
    ("en-GB", "1234.5 | money", "€1,234.50"), ("de-DE", "1234.5 | money", "1.234,50 €"), ("de-AT", "1234.5 | money", "€ 1.234,50"),
    ("de-DE", "45 | money", "45 €"), ("fr-FR", "19.9 | money('USD')", "19,90 $US"), ("ja-JP", "1234 | money('JPY')", "\uffe51,234"),
    ("de-DE", "1234.5 | number", "1.234,5"), ("en-US", "1234.567 | number(1)", "1,234.6"), ("de-DE", "0.25 | percent", "25 %"),
    ("de-DE", "'2026-01-05' | date", "05.01.2026"), ("en-US", "'2026-01-05' | date('long')", "January 5, 2026"),
    ("de-DE", "'2026-01-05T23:30:00Z' | date('long')", "6. Januar 2026"), ("de-DE", "'2026-07-05T10:00:00Z' | time", "12:00"),
    ("en-US", "'2026-01-05T10:00:00Z' | datetime('short')", "1/5/26, 11:00 AM"),
    ("de-DE", "'2026-01-08T10:00:00Z' | relative", "in 3 Tagen"),
    ("en-US", "'2026-01-05T08:00:00+00:00' | relative", "2 hours ago"),
    ("pl", "1 | plural(one='plik', few='pliki', many='plików', other='pliku')", "plik"),
    ("pl", "3 | plural(one='plik', few='pliki', many='plików', other='pliku')", "pliki"),
    ("pl", "5 | plural(one='plik', few='pliki', many='plików', other='pliku')", "plików"),
    ("fr", "0 | plural('jour', 'jours')", "jour"), ("en", "0 | plural('day', 'days')", "days"),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "expression", "said"), SAID)
def test_amounts_times_and_plurals_are_said_as_people_say_them_there(locale: str, expression: str, said: str) -> None:
    shop = {**SHOP, "locale": locale}
    contents = one(f"<mj-text>{{{{ {expression} }}}}</mj-text>")
    now = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
    assert text(contents, shop=shop, locale=locale, zone="Europe/Berlin", now=now) == " ".join(said.split())


def test_a_message_in_another_language_is_not_said_by_the_persons_locale() -> None:
    assert text(one("<mj-text>{{ '2026-01-05' | date('long') }}</mj-text>"), locale="fr-FR") == "5 January 2026"


@pytest.mark.parametrize(
    "expression",
    ["'soon' | date", "5 | date", "'a' | money", "1e20 | money", "true | number", "'x' | percent", "1 | plural", "1 | plural('a')",
     "1 | plural(einz='a', other='b')", "'2026-01-05' | date('wide')", "'2026-01-05' | relative"],
)  # fmt: skip
def test_what_cannot_be_said_is_an_error_that_names_the_content_or_the_filter(expression: str) -> None:
    with pytest.raises(RenderError):
        one(f"<mj-text>{{{{ {expression} }}}}</mj-text>").render("mail", facts())


@given(st.text(max_size=12), st.text(max_size=20), st.decimals("-1e9", "1e9", places=2))
def test_no_locale_or_zone_stops_a_message(locale: str, zone: str, amount: object) -> None:
    contents = _AMOUNT
    assert contents.render("mail", facts(locale=locale, zone=zone, event={"x": amount})).text.strip()


_AMOUNT = one("<mj-text>{{ event.x | money }} {{ '2026-01-05T10:00:00Z' | datetime }}</mj-text>")
