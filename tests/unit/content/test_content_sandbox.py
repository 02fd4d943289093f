"""P15: a template cannot hurt; P16: nothing of a person gets into a header's syntax."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from sojourn.clock import processor_time
from sojourn.content import Contents, RenderFacts
from sojourn.errors import RenderError
from sojourn.language.problems import DefinitionError

STOPS_WITHIN = 3.0
MEMORY = 64 * 1024 * 1024


def one(body: str, subject: str = "Hello", **files: str) -> Contents:
    page = f"<mjml><mj-body><mj-section><mj-column><mj-text>{body}</mj-text></mj-column></mj-section></mj-body></mjml>"
    return Contents(Path("journeys"), {"mail.mjml": f"---\nsubject: {subject!r}\n---\n{page}", **files})


def doubling(first: str, again: str, times: int = 60) -> str:
    return f"{{% set x = {first} %}}" + f"{{% set x = {again} %}}" * times


BOMBS = {
    "power": "{{ 9 ** 9 ** 9 }}",
    "text times number": "{{ 'a' * 10 ** 9 }}",
    "number times text": "{{ 1000000000 * 'a' }}",
    "list times number": "{{ ([1] * 1000000000) | length }}",
    "squares": doubling("999999", "x * x") + "{{ x }}",
    "format": "{{ '%0999999999d' % 1 }}",
    "method format": "{{ '{:>999999999}'.format(1) }}",
    "center": "{{ 'a' | center(1000000000) }}",
    "method center": "{{ 'a'.center(1000000000) }}",
    "indent": "{{ 'a\nb' | indent(1000000000) }}",
    "text doubled by plus": doubling("'aaaaaaaa'", "x + x") + "{{ x }}",
    "text doubled by tilde": doubling("'aaaaaaaa'", "x ~ x") + "{{ x }}",
    "text doubled by join": doubling("'aaaaaaaa'", "[x, x] | join") + "{{ x }}",
    "text doubled by replace": doubling("'aaaaaaaa'", "x | replace('a', 'aa')") + "{{ x }}",
    "text doubled by block set": "{% set x %}aaaaaaaa{% endset %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60 + "{{ x }}",
    "list doubled by plus": doubling("[1]", "x + x") + "{{ x | length }}",
    "list doubled by nesting": doubling("[1]", "[x, x]") + "{{ x }}",
    "nested lists compared": doubling("[1]", "[x, x]") + doubling("[1]", "[x, x]").replace("x", "y") + "{{ x == y }}",
    "list doubled by sum": doubling("[1]", "[x, x] | sum(start=[])") + "{{ x | length }}",
    "range": "{% for i in range(1000000000) %}a{% endfor %}",
    "nested loops": "{% for a in range(100) %}{% for b in range(100) %}{% for c in range(100) %}x{% endfor %}{% endfor %}{% endfor %}",
    "empty nested loops": "{% for a in range(100) %}{% for b in range(100) %}{% for c in range(100) %}{% endfor %}{% endfor %}{% endfor %}",
    "loop over a text": "{% for a in 'abc' %}{% endfor %}",
    "macro calling itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "block calling itself": "{% block b %}{{ self.b() }}{{ self.b() }}{% endblock %}",
    "lipsum": "{{ lipsum(100000) }}",
    "cycler": "{{ cycler('a').next() }}",
    "joiner": "{{ joiner(',')() }}",
    "namespace": "{% set n = namespace(a=1) %}{{ n.a }}",
    "dict": "{{ dict(a=1) }}",
    "class": "{{ ''.__class__.__mro__ }}",
    "class by item": "{{ ''['__class__'] }}",
    "class by filter": "{{ '' | attr('__class__') }}",
    "globals": "{{ self.__init__.__globals__ }}",
    "macro globals": "{% macro m() %}{% endmacro %}{{ m.__init__.__globals__ }}",
    "loop internals": "{% for a in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "context": "{{ self._TemplateReference__context }}",
    "method of a dict": "{{ profile.pop('a') }}",
    "unescaped": "{{ '<b>' | safe }}",
    "map to a refused filter": "{{ ['a'] | map('center', 1000000000) | join }}",
    "wide slice text": "{{ 'a' | wordwrap(1) }}",
    "a list shown": "{{ [1, 2] }}",
    "truth shown": "{{ profile.a == 1 }}",
    "division by zero": "{{ 1 / 0 }}",
    "recursive loop": "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "import": "{% import 'mail.mjml' as m %}",
    "from import": "{% from 'mail.mjml' import m %}",
    "include by a value": "{% include profile.name %}",
    "use by a value": "{% use profile.name %}",
    "use with a bomb": "{% use 'a' x='a' * 10 ** 9 %}",
    "slot by a value": "{% slot profile.name %}x{% endslot %}",
    "section by a value": "{% section if=profile.name %}x{% endsection %}",
    "section that nobody judged": "{% section if='1 == 1' %}x{% endsection %}",
    "inputs asked by hand": "{{ profile | _given('a', 'b') }}",
    "blocks asked by hand": "{{ profile | _kept('blocks/a.mjml') }}",
    "a template named by hand": "{% include profile.name | _slot_file %}",
    "money of the deep": "{{ '9e999999999' | money }}",
    "number of decimals": "{{ 1 | number(10 ** 9) | replace('0', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 99) }}",
    "plural of a list": "{{ [1] | plural('a', 'b') }}",
    "autoescape off": "{% autoescape false %}{{ profile.name }}{% endautoescape %}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_soon_and_in_little_memory(name: str) -> None:
    began = processor_time()
    tracemalloc.start()
    try:
        with pytest.raises((RenderError, DefinitionError)):
            one(BOMBS[name]).render("mail", RenderFacts(profile={"name": "mail.mjml", "a": 1}))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert processor_time() - began < STOPS_WITHIN
    assert peak < MEMORY


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


def test_control_characters_of_a_name_do_not_reach_the_subject() -> None:
    contents = one("x", "Hello {{ profile.name }}")
    assert (
        contents.render("mail", RenderFacts(profile={"name": "Bob\r\nBcc: evil@x.example\t\u202e!"})).subject
        == "Hello Bob Bcc: evil@x.example !"
    )


@pytest.mark.parametrize("name", ["=?utf-8?q?Bob=0D=0ABcc:_evil@x.example?=", "a =?", "=?="])
def test_a_name_that_mail_programs_would_decode_is_refused(name: str) -> None:
    with pytest.raises(RenderError, match=r"=\?"):
        one("x", "Hello {{ profile.name }}").render("mail", RenderFacts(profile={"name": name}))


def test_an_encoded_word_put_together_from_two_tokens_is_refused() -> None:
    with pytest.raises(RenderError, match=r"=\?"):
        one("x", "Hello {{ profile.a }}{{ profile.b }}").render("mail", RenderFacts(profile={"a": "=", "b": "?utf-8?q?x?="}))


def test_an_empty_or_endless_subject_is_refused() -> None:
    contents = one("x", "{{ profile.name | trim }}")
    for name in ("", "x" * 300):
        with pytest.raises(RenderError):
            contents.render("mail", RenderFacts(profile={"name": name}))
