"""What is wrong with an AMP part is said at its line, before anyone gets it."""

from dataclasses import replace
from pathlib import Path

import pytest

from sojourn.content import Contents
from sojourn.content.amp import MAX_BYTES
from sojourn.errors import RenderError
from sojourn.language.problems import DefinitionError

MJML = """---
subject: Hello
commercial: false
---
<mjml><mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section></mj-body></mjml>
"""
AMP = """<!doctype html>
<html ⚡4email data-css-strict>
<head>
<meta charset="utf-8">
<script async src="https://cdn.ampproject.org/v0.js"></script>
<style amp4email-boilerplate>body{visibility:hidden}</style>
</head>
<body>
{% if profile.first_name %}<p>{{ profile.first_name }}</p>{% endif %}
</body>
</html>
"""


def problems(amp: str, mjml: str = MJML) -> list[str]:
    return [str(each) for each in Contents(Path("j"), {"hi.mjml": mjml, "hi.amp.html": amp}).check("hi")]


def test_a_good_part_has_no_problem_and_is_rendered_in_the_same_sandbox() -> None:
    assert problems(AMP) == []
    contents = Contents(Path("j"), {"hi.mjml": MJML, "hi.amp.html": AMP})
    rendered = contents.render("hi", replace(contents.sample("hi"), profile={"first_name": "<script>alert(1)</script>"}))
    assert rendered.amp is not None
    assert "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>" in rendered.amp
    assert rendered.tokens["profile.first_name"]["source"] == "profile"
    assert contents.traits("hi") == {"first_name"}


@pytest.mark.parametrize(
    ("found", "instead", "where", "words"),
    [
        ("<p>", '<p><img src="https://x.example/a.png">', "hi.amp.html:9:", "amp-img"),
        ("<p>", "<p><script>x()</script>", "hi.amp.html:9:", "script of your own"),
        ("<p>", "<p><amp-list></amp-list>", "hi.amp.html:9:", "needs its script"),
        ("<p>", "<p><amp-video></amp-video>", "hi.amp.html:9:", "no component"),
        (" ⚡4email", "", "hi.amp.html:2:", "⚡4email"),
        ("profile.first_name }}", "profil.first_name }}", "hi.amp.html:9:", "did you mean `profile`"),
        ("<p>", "<p>{% for x in recommend(event.n) %}{% endfor %}", "hi.amp.html:9:", "recommend(3)"),
        (
            "<body>",
            '<body><amp-img alt="" src="{{ event.x | default("http://shop.example/a.png") }}"></amp-img>',
            "hi.amp.html:8:",
            "https://",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_line(found: str, instead: str, where: str, words: str) -> None:
    told = problems(AMP.replace(found, instead))
    assert told, instead
    assert where in told[0], told
    assert words in told[0]


def test_a_commercial_part_needs_its_way_out() -> None:
    body = MJML.replace("commercial: false\n", "").replace(">x<", '><a href="{{ unsubscribe_url }}">Out</a> {{ shop.postal_address }}<')
    assert "unsubscribe_url" in problems(AMP, body)[0]
    assert problems(AMP.replace("</body>", '<a href="{{ unsubscribe_url }}">Out</a></body>'), body) == []


def test_a_part_of_no_content_is_said() -> None:
    with pytest.raises(DefinitionError, match=r"unknown content `ho`; there are `hi`"):
        Contents(Path("j"), {"hi.mjml": MJML, "ho.amp.html": AMP})


def test_a_part_that_grows_too_large_is_not_sent() -> None:
    many = "{% for i in range(100) %}" + "x" * (MAX_BYTES // 90) + "{% endfor %}"
    contents = Contents(Path("j"), {"hi.mjml": MJML, "hi.amp.html": AMP.replace("</body>", f"{many}</body>")})
    with pytest.raises(RenderError, match="200 kB"):
        contents.render("hi", contents.sample("hi"))


def test_a_script_in_an_address_is_refused() -> None:
    contents = Contents(Path("j"), {"hi.mjml": MJML, "hi.amp.html": AMP.replace("</body>", '<a href="{{ event.x }}">x</a></body>')})
    for bad in ("javascript:alert(1)", "data:text/html,x"):
        with pytest.raises(RenderError, match="https://"):
            contents.render("hi", replace(contents.sample("hi"), event={"x": bad}))
