"""P15: a template cannot hurt; P16: nothing of a person gets into a header's syntax."""

from __future__ import annotations

import json
import re
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from sojourn.clock import processor_time
from sojourn.content import Contents, RenderFacts
from sojourn.content.header_text import cleaned_differs
from sojourn.errors import RenderError
from sojourn.language.problems import DefinitionError

STOPS_WITHIN = 3.0
MEMORY = 64 * 1024 * 1024
CORPUS = Path(__file__).parents[2] / "attacks"
AGAIN = 60  # times that what doubles is doubled
REACHING = ("class", "globals", "subclasses", "base", "dict ", "list ", "format of", "attr ")  # no bomb is among them
AMP = """<!doctype html><html ⚡4email data-css-strict><head><meta charset="utf-8"><script async src="https://cdn.ampproject.org/v0.js"></script>
<style amp4email-boilerplate>body{visibility:hidden}</style></head><body>%s</body></html>"""


def one(body: str, subject: str = "Hello", **files: str) -> Contents:
    page = f"<mjml><mj-body><mj-section><mj-column><mj-text>{body}</mj-text></mj-column></mj-section></mj-body></mjml>"
    return Contents(Path("journeys"), {"mail.mjml": f"---\nsubject: {json.dumps(subject)}\n---\n{page}", **files})


def placed(attack: str, place: str) -> Contents:
    """Return contents with an attack in one of the places where a template may stand."""
    if place == "amp":
        return one("x", **{"mail.amp.html": AMP % attack})
    if place == "address":
        return one(f'<a href="https://shop.example/?q={attack}">x</a>')
    return one("x", attack) if place == "subject" else one(attack)


def attacks() -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in (CORPUS / "templates.jsonl").read_text("utf-8").splitlines()]
    by_name = {one["name"]: one for one in found}
    assert len(by_name) == len(found) >= 250  # a test of nothing proves nothing
    return by_name


def written(attack: dict[str, Any]) -> str:
    return attack.get("before", "") + attack.get("again", "") * AGAIN + attack["body"]


ATTACKS = attacks()
ELSEWHERE = [
    (name, place) for name, one in ATTACKS.items() for place in ("subject", "address", "amp") if place not in one.get("harmless_in", ())
]


def facts() -> dict[str, Any]:
    return {"name": "mail.mjml", "a": 1, "tags": ["b", "a"], "long": "x" * 5_000}


def refused(name: str, place: str) -> None:
    contents_of, given = written(ATTACKS[name]), facts()
    with pytest.raises((RenderError, DefinitionError)) as error:
        placed(contents_of, place).render("mail", RenderFacts(profile=given))
    said = str(error.value)
    assert 10 < len(said) < 400
    assert not {word for word in ("object at 0x", "<class", "Traceback", "xxxxxxxxxx") if word in said}
    assert given == facts()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_soon_and_in_words(name: str) -> None:
    began = processor_time()
    refused(name, "body")
    assert processor_time() - began < STOPS_WITHIN


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_in_little_memory(name: str) -> None:
    tracemalloc.start()
    try:
        refused(name, "body")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY


@pytest.mark.slow
@pytest.mark.parametrize(("name", "place"), ELSEWHERE)
def test_an_attack_is_refused_wherever_a_template_may_stand(name: str, place: str) -> None:
    began = processor_time()
    refused(name, place)
    assert processor_time() - began < STOPS_WITHIN


def test_many_of_them_would_succeed_without_a_sandbox() -> None:
    bare, given, hits = Environment(), facts(), []
    for name, attack in ATTACKS.items():
        if name.startswith(REACHING) and "again" not in attack and not re.search(r"\d{5}", attack["body"]):
            with suppress(Exception):
                bare.from_string(attack["body"]).render(profile=given)
                hits.append(name)
    assert len(hits) >= 25
    assert given != facts()  # and the facts were changed by them


def test_a_file_that_includes_itself_by_way_of_others_is_refused_at_load() -> None:
    with pytest.raises(DefinitionError, match="includes itself"):
        one(
            "{% include 'blocks/a.mjml' %}",
            **{"blocks/a.mjml": "{% include 'blocks/b.mjml' %}", "blocks/b.mjml": "{% include 'blocks/a.mjml' %}"},
        )


def test_includes_that_double_at_each_level_are_stopped() -> None:
    twice = {f"blocks/b{i}.mjml": f"{{% include 'blocks/b{i + 1}.mjml' %}}" * 2 for i in range(30)}
    contents = one("{% include 'blocks/b0.mjml' %}", **twice, **{"blocks/b30.mjml": ""})
    began = processor_time()
    with pytest.raises(RenderError, match="steps"):
        contents.render("mail", RenderFacts())
    assert processor_time() - began < STOPS_WITHIN


def test_the_clock_stops_a_render_whatever_it_does() -> None:
    contents = one("{% for a in range(100) %}{{ a }}{% endfor %}")
    with pytest.raises(RenderError, match="longer than"):
        contents.render("mail", RenderFacts(), seconds=0.0)


def test_a_message_that_grows_too_large_is_stopped() -> None:
    contents = one("{% for a in range(100) %}{{ profile.long }}{% endfor %}")
    with pytest.raises(RenderError, match="kB"):
        contents.render("mail", RenderFacts(profile={"long": "x" * 60_000}))


def test_a_page_that_grows_too_large_without_any_value_is_stopped() -> None:
    row = "</mj-text></mj-column></mj-section><mj-section><mj-column><mj-text>"
    contents = one("{% for a in range(100) %}{% for b in range(20) %}" + row + "{% endfor %}{% endfor %}")
    began = processor_time()
    with pytest.raises(RenderError, match="kB"):
        contents.render("mail", RenderFacts())
    assert processor_time() - began < STOPS_WITHIN


@pytest.mark.parametrize("value", [object(), len, Path("."), {"a": {1, 2}}, 10**200])
def test_only_plain_data_reaches_a_template(value: object) -> None:
    with pytest.raises(RenderError):
        one("hello").render("mail", RenderFacts(profile={"x": value}))


def test_facts_are_not_changed_by_a_template_and_renders_do_not_meet() -> None:
    contents = one("{% set x = profile.tags %}{{ x | join }}")
    tags = {"tags": ["b", "a"]}
    assert contents.render("mail", RenderFacts(profile=tags)).text == "ba\n"
    assert tags == {"tags": ["b", "a"]}
    assert "profile.first_name" not in contents.render("mail", RenderFacts(profile=tags)).tokens


def header_values() -> list[Any]:
    found = [json.loads(line) for line in (CORPUS / "header_values.jsonl").read_text("utf-8").splitlines()]
    assert len(found) >= 60
    return [pytest.param(one, id=one["name"]) for one in found]


@pytest.mark.parametrize("attack", header_values())
def test_a_name_that_would_be_a_header_does_not_come_through_a_subject(attack: dict[str, Any]) -> None:
    contents, given = one("x", "Hello {{ profile.name }}, welcome"), RenderFacts(profile={"name": attack["value"]})
    subject = contents.render("mail", given).subject
    assert subject.startswith("Hello ")
    assert not cleaned_differs(subject)
    assert len(subject) <= 250
    assert "=?" not in subject
    assert len(subject.splitlines()) == 1


def test_an_encoded_word_put_together_from_two_tokens_is_none() -> None:
    given = RenderFacts(profile={"a": "=", "b": "?utf-8?q?x?="})
    assert one("x", "Hello {{ profile.a }}{{ profile.b }}").render("mail", given).subject == "Hello = ?utf-8?q?x?="


def test_a_value_of_nothing_that_shows_takes_the_fallback() -> None:
    contents = one("x", 'Hello {{ profile.name | default("you") }}')
    for name in ("\x00", "\u202e\u2069", "\ud800", "\x85\u2028"):
        assert contents.render("mail", RenderFacts(profile={"name": name})).subject == "Hello you"


def test_an_empty_subject_is_refused_and_an_endless_one_cut() -> None:
    contents = one("x", "{{ profile.name | trim }}")
    assert contents.render("mail", RenderFacts(profile={"name": "x" * 300})).subject == "x" * 249 + "…"
    for name in ("", " "):
        with pytest.raises(RenderError):
            contents.render("mail", RenderFacts(profile={"name": name}))
