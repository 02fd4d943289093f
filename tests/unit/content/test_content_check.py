"""What the check of a content finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.content import Contents
from sojourn.language.problems import DefinitionError

FOOT = "<mj-text><a href='{{ unsubscribe_url }}'>stop</a> {{ shop.postal_address }}</mj-text>"


def page(body: str, foot: str = FOOT) -> str:
    return f"<mjml><mj-body><mj-section><mj-column>\n{body}\n{foot}</mj-column></mj-section></mj-body></mjml>"


def problems(body: str, front: str = "subject: Hello", foot: str = FOOT, **files: str) -> list[str]:
    contents = Contents(Path("journeys"), {"mail.mjml": f"---\n{front}\n---\n{page(body, foot)}", **files})
    return [str(problem) for problem in contents.check("mail")]


def test_a_good_content_has_no_problem() -> None:
    assert problems("<mj-text>{{ profile.first_name | default('you') }}</mj-text>") == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<mj-text>{{ profil.name }}</mj-text>", "content/mail.mjml:5:1: unknown token `profil`; did you mean `profile`?"),
        ("<mj-text>{{ shop.nam }}</mj-text>", "unknown token `shop.nam`; did you mean `shop.name`?"),
        ("<mj-text>{{ variant.title }}</mj-text>", "unknown token `variant.title`"),
        ("<mj-txt>x</mj-txt>", "content/mail.mjml:5:1: unknown tag `mj-txt`; did you mean `mj-text`?"),
        ("<mj-text colour='red'>x</mj-text>", "`mj-text` has no attribute `colour`; did you mean `color`?"),
        ("<mj-text>\n<a href='cart'>x</a></mj-text>", "content/mail.mjml:6:1: `cart` is not a whole address"),
        ("<mj-image src='https://x.example/a.png' />", "content/mail.mjml:5:1: `mj-image` needs an `alt`"),
        ("<mj-text><img src='https://x.example/a.png' /></mj-text>", "`img` needs an `alt`"),
        ("<mj-include path='x' />", "`mj-include` is not used here"),
        ("<mj-text>{{ event.price }}</mj-text>", "cannot be rendered with its `sample`: event.price is missing"),
        ("<mj-text>" + "x" * 110_000 + "</mj-text>", "Gmail cuts a message at 102 kB"),
    ],
)
def test_a_fault_is_told_with_its_place_and_remedy(body: str, told: str) -> None:
    found = problems(body)
    assert len(found) == 1
    assert told in found[0]


def test_a_commercial_message_needs_unsubscribe_link_and_postal_address() -> None:
    found = "\n".join(problems("<mj-text>x</mj-text>", foot=""))
    assert "unsubscribe_url" in found
    assert "shop.postal_address" in found
    assert problems("<mj-text>x</mj-text>", "subject: Hello\ncommercial: false", foot="") == []


def test_a_commercial_message_needs_both_for_everyone() -> None:
    foot = "{% section if='segment.vip' %}" + FOOT + "{% endsection %}"
    found = "\n".join(problems("<mj-text>x</mj-text>", foot=foot))
    assert "some get it without a link to {{ unsubscribe_url }}" in found
    assert "some get it without {{ shop.postal_address }}" in found


def test_faults_of_an_included_block_are_told_in_its_file() -> None:
    found = problems("{% include 'blocks/a.mjml' %}", **{"blocks/a.mjml": "<mj-text>\n{{ wrong.name }}</mj-text>"})
    assert found == [next(line for line in found if line.startswith("journeys/content/blocks/a.mjml:2:1: unknown token `wrong`"))]


def test_values_passed_to_a_block_are_known_in_it() -> None:
    block = {"blocks/a.mjml": "<mj-text>{{ words }}</mj-text>"}
    assert problems("{% with words='hi' %}{% include 'blocks/a.mjml' %}{% endwith %}", **block) == []


def test_an_unknown_include_is_told_at_load_with_the_nearest_name() -> None:
    with pytest.raises(DefinitionError, match=r"mail\.mjml:5:1: unknown file `blocks/buton\.mjml`; did you mean `blocks/button\.mjml`\?"):
        problems("{% include 'blocks/buton.mjml' %}", **{"blocks/button.mjml": "x"})


@pytest.mark.parametrize("front", ["subject: '{{ profil.x }}'", "subject: a\npreheader: '{{ evnt.x }}'", "subject: a\nneeds: [person.x]"])
def test_tokens_of_the_front_matter_are_checked(front: str) -> None:
    found = problems("<mj-text>x</mj-text>", front)
    assert len(found) == 1
    assert "unknown token" in found[0]


def test_a_subject_that_cannot_stand_in_a_header_is_said_with_its_place() -> None:
    for written in ('"Hello =?utf-8?q?x?="', '"Hello\\nyou"', '"Hello\\u2028you"', '"Hello \\u202eyou"', '"Hello\\x85you"'):
        found = problems("<mj-text>x</mj-text>", f"subject: {written}")
        assert [one.partition(": ")[0] for one in found] == ["journeys/content/mail.mjml:2:1"], (written, found)
        assert "cannot stand in a header" in found[0]
    assert "longer than 250 characters" in problems("<mj-text>x</mj-text>", f"subject: {'word ' * 60}")[0]
    assert problems("<mj-text>x</mj-text>", "subject: \"{{ profile.a | default('x') }}\"") == []
