"""What a rendered message holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.content import Contents, RenderFacts, rewrite_links
from sojourn.errors import NotFound, RenderError
from sojourn.language.problems import DefinitionError

JOURNEYS = Path(__file__).parents[3] / "journeys"
SHOP = {"name": "Linden", "url": "https://shop.example", "currency": "EUR", "postal_address": "12 Weaver Lane"}
UNSUBSCRIBE = "https://sojourn.example/u/abc?a=1&b=2"


def one(body: str, front: str = "subject: Hello", **more: str) -> Contents:
    """Return contents with one message, `mail`, whose body stands in a minimal MJML page."""
    page = f"<mjml><mj-body><mj-section><mj-column><mj-text>{body}</mj-text></mj-column></mj-section></mj-body></mjml>"
    return Contents(Path("journeys"), {"mail.mjml": f"---\n{front}\n---\n{page}", **more})


def facts(**parts: object) -> RenderFacts:
    return RenderFacts(shop=SHOP, unsubscribe_url=UNSUBSCRIBE, **parts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def contents() -> Contents:
    return Contents.load(JOURNEYS)


def test_every_content_of_the_repository_passes_its_check(contents: Contents) -> None:
    assert contents.names()
    assert [str(problem) for name in contents.names() for problem in contents.check(name)] == []


def test_a_message_has_subject_hidden_preheader_html_text_and_links(contents: Contents) -> None:
    rendered = contents.render("cart_reminder", facts(profile={"first_name": "Ada"}, event={"name": "Linen throw", "price": 45}))
    assert rendered.subject == "Your cart is still here"
    assert rendered.preheader == "We kept Linen throw as you left it."
    hidden = rendered.html.index("display:none")
    assert hidden < rendered.html.index(rendered.preheader) < rendered.html.index("Hello Ada")
    assert "Hello Ada," in rendered.text
    assert "Back to your cart <https://shop.example/cart>" in rendered.text
    assert rendered.preheader not in rendered.text
    assert rendered.links == ("https://shop.example", "https://shop.example/cart")


def test_tokens_say_what_was_filled_in_and_from_where(contents: Contents) -> None:
    rendered = contents.render(
        "cart_offer", facts(event={"name": "Table", "price": 140}, with_={"discount_percent": 10, "code": "C", "valid_days": 3})
    )
    assert rendered.tokens["with.code"] == {"value": "C", "source": "with"}
    assert rendered.tokens["event.price"] == {"value": 140, "source": "event"}
    assert rendered.tokens["profile.first_name"] == {"value": "there", "source": "fallback"}
    assert rendered.tokens["shop.name"] == {"value": "Linden", "source": "shop"}


def test_a_token_within_a_list_is_told_by_its_place() -> None:
    contents = one("{% for item in event.products %}{{ item.name }} {% endfor %}")
    rendered = contents.render("mail", facts(event={"products": [{"name": "a"}, {"name": "b"}]}))
    assert {token for token in rendered.tokens if token.startswith("event")} == {"event.products[0].name", "event.products[1].name"}


def test_a_blank_name_takes_the_fallback_too(contents: Contents) -> None:
    rendered = contents.render("welcome", facts(profile={"first_name": "  "}))
    assert "Hello there," in rendered.text


def test_a_variant_changes_subject_preheader_and_its_tokens_only(contents: Contents) -> None:
    event = {"name": "Linen throw", "price": 45}
    plain = contents.render("cart_reminder", facts(event=event), "plain")
    playful = contents.render("cart_reminder", facts(event=event), "playful")
    assert plain.subject != playful.subject
    assert "Not to interrupt" in playful.text
    assert plain.links == playful.links


def test_a_missing_token_is_named_with_its_remedy_and_no_one_elses_data() -> None:
    contents = one("{{ profile.first_name }}")
    with pytest.raises(RenderError, match=r"profile\.first_name is missing; give it a fallback") as error:
        contents.render("mail", facts(profile={"email": "ada@example.com"}))
    assert "ada" not in str(error.value)


def test_a_missing_need_is_named_before_anything_is_rendered() -> None:
    contents = one("hello", "subject: Hello\nneeds: [event.order_id]")
    with pytest.raises(RenderError, match=r"mail needs event\.order_id"):
        contents.render("mail", facts())


def test_an_unknown_content_is_not_found_and_the_nearest_is_named(contents: Contents) -> None:
    with pytest.raises(NotFound, match="did you mean `cart_reminder`"):
        contents.render("cart_remainder", facts())


@pytest.mark.parametrize("condition", ["event.x", "event.x >= 1", "event.x != 1", "event.x == 1", "1 in event.x", "event.x.y > 2"])
def test_a_comparison_with_something_missing_does_not_hold(condition: str) -> None:
    contents = one(f"{{% if {condition} %}}yes{{% else %}}no{{% endif %}}")
    assert contents.render("mail", facts()).text == "no\n"


def test_values_are_escaped_in_html_and_whole_in_text() -> None:
    rendered = one("{{ profile.name }}").render("mail", facts(profile={"name": "<script>alert('x')</script> & Co"}))
    assert "<script>" not in rendered.html
    assert rendered.text == "<script>alert('x')</script> & Co\n"


def test_a_property_called_like_a_method_is_the_property() -> None:
    assert one("{{ event.items }} {{ event.keys }}").render("mail", facts(event={"items": 3, "keys": "k"})).text == "3 k\n"


def test_a_text_file_beside_the_content_is_its_text_part() -> None:
    contents = one("html", **{"mail.txt": "Dear {{ profile.first_name | default('you') }} & all"})
    assert contents.render("mail", facts()).text == "Dear you & all"


def test_data_tables_keep_their_rows_in_the_text_part() -> None:
    body = "</mj-text><mj-table><tr><td>Throw</td><td>45</td></tr><tr><td>Table</td><td>140</td></tr></mj-table><mj-text>end"
    lines = one(body).render("mail", facts()).text.split("\n")
    assert "Throw 45" in lines
    assert "Table 140" in lines


def test_rewriting_tracks_each_link_by_its_index_and_adds_the_pixel() -> None:
    body = '<a href="https://a.example/?x=1&amp;y=2">A</a> <a href="https://b.example">B</a> <a href="https://a.example/?x=1&amp;y=2">A</a>'
    rendered = one(body).render("mail", facts())
    assert rendered.links == ("https://a.example/?x=1&y=2", "https://b.example", "https://a.example/?x=1&y=2")
    asked: list[tuple[int, str]] = []

    def url_for(index: int, url: str) -> str:
        asked.append((index, url))
        return f"https://t.example/{index}"

    html, text = rewrite_links(rendered.html, rendered.text, url_for, "https://t.example/open.gif")
    assert asked == list(enumerate(rendered.links))
    assert "a.example" not in html + text
    assert [f"https://t.example/{i}" in html for i in range(3)] == [True] * 3
    assert "A <https://t.example/0>" in text
    assert html.index("https://t.example/open.gif") < html.index("</body>")


def test_unsubscribe_mailto_and_marked_links_are_never_rewritten(contents: Contents) -> None:
    body = '<a href="{{ unsubscribe_url }}">stop</a> <a href="mailto:a@b.example">m</a> <a href="tel:+49301">t</a>'
    rendered = one(body + ' <a data-untracked href="https://p.example">p</a>').render("mail", facts())
    assert rendered.links == ()
    html, text = rewrite_links(rendered.html, rendered.text, lambda i, u: "https://tracked.example", None)
    assert "tracked.example" not in html + text
    assert UNSUBSCRIBE in text
    assert html == rendered.html
    real = contents.render("welcome", facts())
    assert UNSUBSCRIBE not in real.links


@pytest.mark.parametrize("url", ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example", "cart"])
def test_a_link_of_another_scheme_is_refused(url: str) -> None:
    with pytest.raises(RenderError, match="https://"):
        one('<a href="{{ event.url }}">x</a>').render("mail", facts(event={"url": url}))


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://shop.example/cart/1", "https://shop.example/cart/1"),
        ("https://www.shop.example/cart", "https://www.shop.example/cart"),
        ("/cart", "https://shop.example/cart"),
        ("https://evil.example/", "https://shop.example"),
        ("https://shop.example.evil.example/", "https://shop.example"),
        ("https://shop.example@evil.example/", "https://shop.example"),
        ("https://shop.example\\@evil.example/", "https://shop.example"),
        ("//evil.example", "https://shop.example"),
        ("javascript:alert(1)", "https://shop.example"),
        (7, "https://shop.example"),
    ],
)
def test_the_link_filter_never_leads_out_of_the_shop(url: object, leads: str) -> None:
    assert one('<a href="{{ event.url | link(shop.url) }}">x</a>').render("mail", facts(event={"url": url})).links == (leads,)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("19.9 | money", "€19.90"),
        ("140.0 | money('usd')", "$140"),
        ("1234.5 | money('CHF')", "CHF 1,234.50"),
        ("1234 | money('JPY')", "¥1,234"),
        ("-3 | money", "-€3"),
        ("1 | plural('day', 'days')", "day"),
        ("event.total", "140"),
        ("'a' ~ 1 ~ 'b'", "a1b"),
        ("['a', 'b'] | join(', ')", "a, b"),
        ("2.5 * 4", "10"),
    ],
)
def test_values_are_shown_as_people_read_them(expression: str, shown: str) -> None:
    assert one(f"{{{{ {expression} }}}}").render("mail", facts(event={"total": 140.0})).text == shown + "\n"


def test_front_matter_problems_are_all_told_with_their_lines() -> None:
    with pytest.raises(DefinitionError) as error:
        Contents(Path("journeys"), {"a.mjml": "---\nsubjekt: x\n---\n", "b.mjml": "no front", "c.mjml": "---\nsubject: x\n---\n{% if %}"})
    told = "\n".join(map(str, error.value.problems))
    assert "journeys/content/a.mjml:2:1: unknown key `subjekt`; did you mean `subject`?" in told
    assert "journeys/content/b.mjml:1:1: no front matter" in told
    assert "journeys/content/c.mjml:4:1:" in told


def test_a_rendered_message_looks_the_same_from_the_sample_each_time(contents: Contents) -> None:
    for name in contents.names():
        assert contents.render(name, contents.sample(name)) == contents.render(name, contents.sample(name))
