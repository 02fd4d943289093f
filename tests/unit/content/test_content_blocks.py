"""Blocks: declared inputs, and what a missing fact does."""

from __future__ import annotations

import pytest

from sojourn.errors import MissingFact
from tests.unit.content.pages import facts, one, problems, text

BUTTON = """---
inputs:
  label: {type: text, required: true}
  href: {type: url, required: true}
  size: {type: number, default: 3}
---
<mj-button href="{{ href }}">{{ label }} {{ size }}</mj-button>"""


def block(inputs: str, body: str = "<mj-text>[{{ x }}]</mj-text>") -> str:
    return f"---\ninputs: {inputs}\n---\n{body}"


def test_a_block_is_used_by_its_name_with_its_inputs() -> None:
    contents = one("{% use 'button' label='Go on', href=shop.url %}", blocks__button=BUTTON)
    assert text(contents) == "Go on 3 <https://shop.example>"


def test_a_block_is_known_by_its_path_too_and_inputs_reach_only_it() -> None:
    use = "{% use 'blocks/button.mjml' label='Go' href=shop.url size=4 %}"
    contents = one(use + "{% if size is defined %}<mj-text>leak</mj-text>{% endif %}", blocks__button=BUTTON)
    assert text(contents) == "Go 4 <https://shop.example>"


def test_an_include_with_values_set_around_it_takes_defaults_too() -> None:
    contents = one("{% with label='Go', href=shop.url %}{% include 'blocks/button.mjml' %}{% endwith %}", blocks__button=BUTTON)
    assert text(contents) == "Go 3 <https://shop.example>"


@pytest.mark.parametrize(
    ("use", "told"),
    [
        ("{% use 'buton' label='x' %}", "mail.mjml:5:1: unknown file `blocks/buton.mjml`; did you mean `blocks/button.mjml`?"),
        ("{% use 'button' label='x' %}", "mail.mjml:5:1: `blocks/button.mjml` needs `href`, a whole address"),
        ("{% use 'button' lable='x' href=shop.url %}", "`blocks/button.mjml` has no input `lable`; did you mean `label`?"),
        ("{% use 'button' label='x' href='cart' %}", "`blocks/button.mjml` takes a whole address, such as https://… as `href`"),
        ("{% use 'button' label=[1] href=shop.url %}", "`blocks/button.mjml` takes a text as `label`"),
        ("{% use 'button' label='x' href=shop.url size='big' %}", "`blocks/button.mjml` takes a number as `size`"),
        ("{% use button %}", "`use` needs the name of a block in quotes"),
        ("{% use 'button' label %}", "`label` needs a value, such as label=…"),
        ("{% use 'button' label='x' label='y' href=shop.url %}", "`label` is given twice"),
        ("{% include 'blocks/button.mjml' %}", "`blocks/button.mjml` needs `href`"),
    ],
)
def test_a_wrong_use_is_told_at_load_with_its_place(use: str, told: str) -> None:
    found = problems(use, blocks__button=BUTTON)
    assert found
    assert all(line.startswith("mail.mjml:5:1: ") for line in found)
    assert told in "\n".join(found)


def test_all_wrong_uses_of_a_file_are_told_in_one_go() -> None:
    assert len(problems("{% use 'button' label='x' %}\n{% use 'button' href=shop.url %}", blocks__button=BUTTON)) == 2


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ("{x: {typ: text}}", "unknown key `typ`; did you mean `type`?"),
        ("{x: {type: txt}}", "txt"),
        ("{x: {required: true, default: a}}", "leave out `required`"),
        ("{x: {missing: drop}}", "write `required: true` with it"),
        ("{x: {type: number, default: many}}", "the `default` has to be a number"),
    ],
)
def test_a_wrong_declaration_is_told_with_its_place(inputs: str, told: str) -> None:
    found = problems("{% use 'a' x='1' %}", blocks__a=block(inputs))
    assert found
    assert found[0].startswith("blocks/a.mjml:2:")
    assert told in found[0]


def test_a_block_knows_nothing_but_its_inputs_and_the_tokens_of_all() -> None:
    inner = block("{x: {type: text}}", "<mj-text>\n{{ y }} {{ shop.name }}</mj-text>")
    found = problems("{% set y = 1 %}{% use 'a' x='1' %}", blocks__a=inner)
    assert found == ["blocks/a.mjml:5:1: unknown token `y`; declare it under `inputs`"]


def test_a_block_that_declares_nothing_cannot_be_used() -> None:
    assert "declares no inputs" in problems("{% use 'a' x='1' %}", blocks__a="<mj-text>x</mj-text>")[0]


@pytest.mark.parametrize("value", [None, "", "  ", 7.5j, [1]], ids=repr)
def test_a_missing_fact_takes_the_default(value: object) -> None:
    contents = one("{% use 'a' x=profile.x %}", blocks__a=block("{x: {type: text, default: nothing}}"))
    profile = {} if value is None or isinstance(value, complex) else {"x": value}
    rendered = contents.render("mail", facts(profile=profile))
    assert "[nothing]" in rendered.text
    if not profile:
        assert rendered.tokens["profile.x"] == {"value": "nothing", "source": "fallback"}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text", "a", [1]), ("number", 3, "three"), ("number", "3.5", "nan"), ("money", "19.90", True), ("bool", True, "yes"),
        ("url", "https://a.example", "javascript:alert(1)"), ("image", "https://shop.example/x.png", "mailto:a@b.example"),
    ],
)  # fmt: skip
def test_a_fact_of_another_type_counts_as_missing(kind: str, good: object, bad: object) -> None:
    body = "<mj-text>{% if x %}there{% else %}none{% endif %}</mj-text>"
    contents = one("{% use 'a' x=event.x %}", blocks__a=block(f"{{x: {{type: {kind}}}}}", body))
    assert text(contents, event={"x": good}) == "there"
    assert text(contents, event={"x": bad}) == "none"


def test_a_required_fact_that_is_missing_refuses_the_message_and_is_named() -> None:
    contents = one("{% use 'a' x=event.order_id %}", blocks__a=block("{x: {type: text, required: true}}"))
    with pytest.raises(MissingFact, match=r"mail needs event\.order_id for blocks/a\.mjml, which is missing"):
        contents.render("mail", facts())


def test_or_drops_the_block_alone_where_the_block_says_so_and_that_is_kept() -> None:
    inner = block("{x: {required: true, missing: drop}}")
    contents = one("<mj-text>a</mj-text>{% use 'a' x=event.x %}<mj-text>b</mj-text>", blocks__a=inner)
    assert text(contents, event={"x": "1"}) == "a [1] b"
    assert text(contents) == "a b"
    kept = contents.render("mail", facts()).tokens["block.a"]
    assert kept == {"value": "dropped", "source": "missing", "because": "event.x is missing"}


def test_a_message_that_needs_a_fact_says_which_before_anything_is_made() -> None:
    with pytest.raises(MissingFact, match=r"mail needs event\.order_id, which is missing"):
        one("x", "subject: Hello\nneeds: [event.order_id]").render("mail", facts())


def test_a_list_and_a_nested_use_reach_the_block() -> None:
    outer = block("{items: {type: list, required: true}}", "{% for each in items %}{% use 'a' x=each.name %}{% endfor %}")
    contents = one("{% use 'outer' items=event.products %}", blocks__a=block("{x: {type: text}}"), blocks__outer=outer)
    assert text(contents, event={"products": [{"name": "one"}, {"name": "two"}]}) == "[one] [two]"


def test_a_block_that_uses_itself_is_refused_at_load() -> None:
    assert "includes itself" in problems("{% use 'a' x='1' %}", blocks__a=block("{x: {type: text}}", "{% use 'a' x=x %}"))[0]
