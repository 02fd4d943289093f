"""A message shows the shop's pictures, and those of no host that only an event names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.content import Contents
from sojourn.content.pictures import allowing, foreign
from sojourn.language.finding import Known
from tests.unit.content.pages import SHOP, facts, one, problems

EVIL = "https://evil.example/p.png"
NAMED = {**SHOP, "pictures": {"hosts": ["pics.example"]}, "connected": {"hosts": ["api.example"]}}
PLACES = {
    "a picture": '<mj-image src="{{ event.url }}" alt="Linen throw" />',
    "a picture in a text": '<mj-text>a <img src="{{ event.url }}" alt="Linen throw"> b</mj-text>',
    "a picture in single quotes, in capitals": "<mj-text>a <IMG SRC='{{ event.url }}' ALT='Linen throw'> b</mj-text>",
    "a picture without quotes": "<mj-text>a <img alt=Linen src={{ event.url }}> b</mj-text>",
    "a set of pictures": '<mj-text><img src="https://shop.example/a.png" alt="x" '
    'srcset="https://shop.example/b.png 1x, {{ event.url }} 2x"></mj-text>',
    "a background": '<mj-text><table background="{{ event.url }}"><tr><td>x</td></tr></table></mj-text>',
    "a style": "<mj-text><p style=\"color:#000;background:url('{{ event.url }}') no-repeat\">x</p></mj-text>",
    "a stylesheet": "<mj-raw><style>.x { background: url({{ event.url }}) }</style></mj-raw>",
    "a button": '<mj-button href="https://shop.example/" css-class="x" background-color="#000000">x</mj-button>'
    '<mj-raw><td style="background-image:url({{ event.url }})">x</td></mj-raw>',
    "a carousel": '<mj-carousel><mj-carousel-image src="{{ event.url }}" alt="a" /><mj-carousel-image '
    'src="https://shop.example/2.png" alt="b" /></mj-carousel>',
    "Outlook": '<mj-raw><!--[if mso]><v:fill src="{{ event.url }}" /><![endif]--></mj-raw>',
}
SECTION = '</mj-column></mj-section><mj-section background-url="{{ event.url }}" css-class="s"><mj-column><mj-text>over</mj-text>'
ODD = (
    "http://EVIL.example/p.png", "https://shop.example@evil.example/p.png", "https://evil.example\\@shop.example/p.png",
    "https://evil.example:443/p.png", "https://shop.example.evil.example/p.png", "https://evilshop.example/p.png", " https://evil.example/p.png",
)  # fmt: skip


def test_a_picture_of_a_host_that_only_an_event_names_is_left_out_wherever_it_stands() -> None:
    for name, body in {**PLACES, "a section": SECTION}.items():
        contents = one(body)
        for url in (EVIL, *(ODD if "quotes" not in name else ())):
            for ahead in (True, False):
                rendered = contents.render("mail", facts(shop=NAMED, event={"url": url}), ahead=ahead)
                assert "p.png" not in rendered.html, (name, url, ahead)
                (left,) = [token for token in rendered.tokens.values() if token["source"] == "picture"]
                assert left["value"] == "left out"
                assert "pictures: {hosts: [" in left["because"]


def test_pictures_of_hosts_that_the_shop_named_stand_as_they_are() -> None:
    for name, body in {**PLACES, "a section": SECTION}.items():
        contents = one(body)
        for host in ("shop.example", "cdn.shop.example", "pics.example", "api.example"):
            rendered = contents.render("mail", facts(shop=NAMED, event={"url": f"https://{host}/p.png"}))
            assert f"https://{host}/p.png" in rendered.html, (name, host)
            assert not [token for token in rendered.tokens.values() if token["source"] == "picture"]


def test_the_words_of_a_picture_stand_in_its_place() -> None:
    rendered = one(PLACES["a picture in a text"]).render("mail", facts(event={"url": EVIL}))
    assert "a Linen throw b" in rendered.html


def test_what_an_author_a_journey_or_the_catalogue_names_is_the_shops(tmp_path: Path) -> None:
    body = '<mj-image src="https://cdn.author.example/a.png" alt="a" /><mj-image src="{{ with.picture }}" alt="b" />'
    body += "<mj-image src='{{ event.url }}' alt='c' />"
    page = f"<mjml><mj-body><mj-section><mj-column>{body}</mj-column></mj-section></mj-body></mjml>"
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "mail.mjml").write_text(f"---\nsubject: Hello\n---\n{page}")
    (tmp_path / "catalog.csv").write_text("id,name,image_url\na,A,https://items.example/a.png\n")
    contents = Contents.load(tmp_path)
    given = {"with_": {"picture": "https://journey.example/b.png"}}
    for url in ("https://items.example/c.png", "https://cdn.author.example/c.png"):
        html = contents.render("mail", facts(event={"url": url}, **given)).html
        assert [each in html for each in ("cdn.author.example/a.png", "journey.example/b.png", url)] == [True] * 3
    assert EVIL not in contents.render("mail", facts(event={"url": EVIL}, **given)).html


def test_a_block_takes_a_strangers_picture_for_none() -> None:
    block = "---\ninputs:\n  image: {type: image}\n---\n{% if image %}<mj-image src='{{ image }}' alt='x' />{% endif %}<mj-text>y</mj-text>"
    contents = one('{% use "item" image=event.url %}', blocks__item=block)
    assert "<img" not in contents.render("mail", facts(event={"url": EVIL})).html
    assert "<img" in contents.render("mail", facts(event={"url": "https://shop.example/p.png"})).html


def test_the_amp_part_shows_none_either() -> None:
    amp = '<!doctype html><html ⚡4email><body><amp-img src="{{ event.url }}" width="1" height="1" alt="Throw"></amp-img></body></html>'
    files = {"mail.amp.html": amp}
    contents = one("<mj-text>x</mj-text>", **files)
    part = contents.render("mail", facts(event={"url": EVIL})).amp
    assert part is not None
    assert EVIL not in part
    assert "Throw" in part


def test_a_link_of_an_event_is_the_authors_choice_and_no_picture() -> None:
    rendered = one('<mj-text><a href="{{ event.url }}">x</a></mj-text>').render("mail", facts(event={"url": EVIL}))
    assert rendered.links == (EVIL,)


def test_the_check_says_what_the_sample_would_show_of_strangers() -> None:
    front = f"subject: Hello\nsample: {{event.url: '{EVIL}'}}"
    body = '<mj-image src="{{ event.url }}" alt="x" />'
    (found,) = problems(body, front, Known(pictures=frozenset(), home="shop.example"))
    assert found.startswith("mail.mjml:3:1: a picture of evil.example is left out")
    assert "`pictures: {hosts: [evil.example]}`" in found
    assert problems(body, front, Known(pictures=frozenset({"evil.example"}), home="shop.example")) == []
    assert problems(body, front.replace("evil.", "cdn.shop."), Known(pictures=frozenset(), home="shop.example")) == []


ODDLY = (
    "HTTPS:evil.example/p.png", "htTp:/evil.example/p.png", "//evil.example/p.png", r"/\evil.example/p.png", r"\\evil.example\p.png",
)  # fmt: skip


@pytest.mark.parametrize("url", [EVIL, *ODDLY])
@pytest.mark.parametrize("html", ['<img src="{}">', "<td style=\"background:url('{}')\">", "<style>td {{ background: url({}) }}</style>"])
def test_a_strangers_picture_is_seen_however_its_address_is_written(html: str, url: str) -> None:
    ours = allowing("shop.example", [])
    assert foreign(html.format(url) + '<a href="https://shop.example/">x</a>', ours) == {"evil.example"}
