"""A link leads where its author meant, however it is written: in what is sent, and by a click."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from delivery_world import NOON, DeliveryWorld
from lxml import html as lxml_html
from starlette.applications import Starlette

from sojourn.clock import VirtualClock
from sojourn.content import Contents, RenderFacts
from sojourn.delivery.freezing import make
from sojourn.delivery.message import to_bytes
from sojourn.delivery.tracking import Tracking
from sojourn.errors import RenderError
from sojourn.language.problems import DefinitionError
from sojourn.preview.following import links_of

SHOP = {"name": "Linden", "url": "https://shop.example"}
# As an author writes it between quotes, and where it leads: HTML, 13.2.5.73.
MEANT = {
    "https://x.example/?a=1&currency=EUR&region=eu&section=2": "https://x.example/?a=1&currency=EUR&region=eu&section=2",
    "https://x.example/?a=1&amp;currency=EUR&amp;reg=1": "https://x.example/?a=1&currency=EUR&reg=1",
    "https://x.example/?a&amp;amp;b=1": "https://x.example/?a&amp;b=1",
    "https://x.example/?a&amp;amp;amp;b": "https://x.example/?a&amp;amp;b",
    "https://x.example/?q=1&notin=2&copy2=3&times4&para5": "https://x.example/?q=1&notin=2&copy2=3&times4&para5",
    "https://x.example/?q=1&notit;=2&lt=3&gt=4&amp=5&quot=6": "https://x.example/?q=1&notit;=2&lt=3&gt=4&amp=5&quot=6",
    "https://x.example/?q=&notin;&copy;&eacute;": "https://x.example/?q=∉©é",
    "https://x.example/?q=&copy": "https://x.example/?q=©",
    "https://x.example/?q=&copy&r=1": "https://x.example/?q=©&r=1",
    "https://x.example/?a=1&#38;b=2&#x26;c=3&#38d=4": "https://x.example/?a=1&b=2&c=3&d=4",
    "https://x.example/?q=a&#39;b&#34;c&quot;d": 'https://x.example/?q=a\'b"c"d',
    "HTTPS://X.example/A?b=1&lang=DE": "HTTPS://X.example/A?b=1&lang=DE",
    "Http://x.example/?b&sect=1": "Http://x.example/?b&sect=1",
    "  https://x.example/a ": "https://x.example/a",
    "\n   https://x.example/?a=1&deg=2\n": "https://x.example/?a=1&deg=2",
    "https://x.example/a#b&micro=1": "https://x.example/a#b&micro=1",
    "https://x.example/?a=1&&b=2&": "https://x.example/?a=1&&b=2&",
    "https://x.example/?a=%26amp%3B&b=ü": "https://x.example/?a=%26amp%3B&b=ü",
    "https://x.example/?a=b=c&yen=1;2": "https://x.example/?a=b=c&yen=1;2",
}
FORMS = {
    "in double quotes": '<a href="{}">{}</a>',
    "in single quotes": "<a href='{}'>{}</a>",
    "without quotes": "<a class=x href={}>{}</a>",
    "in capitals": '<A CLASS="x" HREF="{}">{}</A>',
    "after data-href": "<a data-href='https://no.example/' data-untracked-not title=\"href='https://no.example/'\" href = \"{}\">{}</a>",
    "before another": '<a href="{}" href="https://no.example/">{}</a>',
}
TABLE = "<mj-table><tr><th>A &amp;amp; B</th><td>1 &amp;amp; 2</td></tr></mj-table>"


class Hrefs(HTMLParser):
    """Reads links as they stand, references and all."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [(value or "").strip() for name, value in attrs if name == "href"][:1]


def contents(body: str, amp: str | None = None) -> Contents:
    page = f"<mjml><mj-body><mj-section><mj-column>\n{body}\n</mj-column></mj-section></mj-body></mjml>"
    files = {"mail.mjml": f"---\nsubject: Hello\n---\n{page}"} | ({"mail.amp.html": amp} if amp is not None else {})
    return Contents(Path("journeys"), files)


def written() -> Iterator[tuple[str, str, str]]:
    """Give each address in each form: its name, the markup, where it leads."""
    for raw, meant in MEANT.items():
        for name, form in FORMS.items():
            if name != "without quotes" or not re.search(r"\s", raw):
                yield f"{raw!r} {name}", form.format(raw, "here"), meant


def everywhere() -> Iterator[tuple[str, str, str]]:
    for name, markup, meant in written():
        yield f"{name} in a text", f"<mj-text>{markup}</mj-text>", meant
        yield f"{name} beside a table", f"<mj-text>{markup}</mj-text>{TABLE}", meant
    for raw, meant in MEANT.items():
        yield f"{raw!r} on a button", f'<mj-button href="{raw}">here</mj-button>', meant
        yield f"{raw!r} on a picture", f"<mj-image alt='here' src='https://x.example/p.png' href='{raw}' />", meant
        yield f"{raw!r} as HTML of its own", f'<mj-raw><a href="{raw}">here</a></mj-raw>', meant


def test_what_is_sent_and_what_a_text_shows_is_what_the_author_meant(world: DeliveryWorld) -> None:
    for name, body, meant in everywhere():
        for ahead in (True, False):
            rendered = contents(body).render("mail", RenderFacts(shop=SHOP), ahead=ahead)
            assert rendered.links == (meant,), name
            assert Hrefs(rendered.html).found == [meant], name
            assert [link.url for link in links_of(rendered.html)] == [meant], name
            shown = re.sub(r"[\s<>\"]", lambda found: quote(found[0]), meant)
            assert f"<{shown}>" in rendered.text, name
            made = make(world.order, rendered, world.links)
            assert made.urls == {0: meant}, name
            click = world.links.click(world.order.key, 0)
            read = message_from_bytes(to_bytes(made.dated(NOON)), policy=policy.default)
            assert Hrefs(read.get_body(("html",)).get_content()).found == [click], name
            assert f"<{click}>" in read.get_body(("plain",)).get_content(), name


async def test_a_click_leads_where_the_author_meant(world: DeliveryWorld) -> None:
    body = "".join(f'<mj-text><a href="{raw}">{i}</a></mj-text>' for i, raw in enumerate(MEANT))
    world.plan(rendered=contents(body).render("mail", RenderFacts(shop=SHOP)))  # type: ignore[arg-type]
    tracking = Tracking(world.db, world.links.tokens, VirtualClock(NOON), lambda _conn, _event: None, secret="x" * 20, shop_name="Linden")
    transport = httpx.ASGITransport(Starlette(routes=tracking.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="https://mail.example") as http:
        for position, meant in enumerate(MEANT.values()):
            answer = await http.get(world.links.click(world.key, position))
            assert answer.status_code == 302, meant
            assert answer.headers["location"] == quote(meant, safe=":/%#?=@[]!$&'()*+,;"), meant


def test_the_same_holds_for_the_amp_part(world: DeliveryWorld) -> None:
    for name, markup, meant in written():
        amp = f"<!doctype html><html ⚡4email><body>{markup}<style amp-custom>a>b{{}}</style></body></html>"
        made = make(world.order, contents("<mj-text>x</mj-text>", amp).render("mail", RenderFacts(shop=SHOP)), world.links)
        assert made.urls == {0: meant}, name
        assert Hrefs(made.message["amp"]).found == [world.links.click(world.order.key, 0)], name
        assert "a>b{}" in made.message["amp"]


def test_an_address_made_of_markup_and_values_is_what_it_says() -> None:
    values = ("copy", "copy=1", "amp;b", "a&b=1", "a b", 'x" onclick="y', "x onclick=y", "x' y='", "<b>", "&currency=1", "ü", "a/b>c")
    forms = {
        '<a href="https://x.example/?a=1&{{ event.x }}">here</a>': "https://x.example/?a=1&{}",
        "<a href='https://x.example/?a=1&cur{{ event.x }}&reg{{ event.x }}'>here</a>": "https://x.example/?a=1&cur{0}&reg{0}",
        "<a href=https://x.example/?a=1&{{ event.x }}>here</a>": "https://x.example/?a=1&{}",
        '<a class="{{ event.x }}" href=https://x.example/{{ event.x }}/b/{{ event.x }} title=x>here</a>': "https://x.example/{0}/b/{0}",
        '<a href="https://x.example/{% if event.x %}?a&reg={{ event.x }}{% endif %}">here</a>': "https://x.example/?a&reg={}",
    }
    for (form, meant), value in ((each, value) for each in forms.items() for value in values):
        for ahead in (True, False):
            rendered = contents(f"<mj-text>{form}</mj-text>").render("mail", RenderFacts(shop=SHOP, event={"x": value}), ahead=ahead)
            assert rendered.links == (meant.format(value),), (form, value, ahead)
            (anchor,) = lxml_html.document_fromstring(rendered.html).iter("a")
            assert set(anchor.keys()) <= {"class", "href", "title"}, (form, value)


def test_a_value_without_quotes_that_ends_nowhere_is_refused_where_it_stands() -> None:
    with pytest.raises(DefinitionError, match=r"mail\.mjml:5:1: a value within a tag needs quotes around it"):
        contents("<mj-text><a href={{ event.x }}{% if event.y %}b{% endif %}>here</a></mj-text>")


def test_a_reference_without_its_semicolon_in_a_text_is_said_where_it_stands() -> None:
    body = "<mj-text>https://x.example/?a=1&currency=EUR and R&amp;D, &copy; AT&T &x</mj-text>"
    found = [str(problem) for problem in contents(body).check("mail") if "¤" in str(problem)]
    assert found == ["journeys/content/mail.mjml:5:32: `&curren` is read as `¤` in a text; write `&amp;currency`"]


def test_a_text_reads_each_reference_once_beside_a_table_too() -> None:
    words = "<mj-text>1 &amp;amp; 2 &amp;lt;b&amp;gt; R&amp;D &#38;amp; A&B</mj-text>"
    for body in (words, words + TABLE, TABLE + words):
        assert "1 &amp; 2 &lt;b&gt; R&D &amp; A&B" in contents(body).render("mail", RenderFacts(shop=SHOP)).text
    assert "A &amp; B 1 &amp; 2" in contents(TABLE).render("mail", RenderFacts(shop=SHOP)).text


@pytest.mark.parametrize("scheme", ["javascript:x", " JavaScript:x", "java\nscript:x", "&#106;avascript:x", "data:text/html,x", ""])
def test_no_way_of_writing_brings_in_another_scheme(scheme: str) -> None:
    for form in ("<a href='{}'>x</a>", '<a data-x="" HREF="{}">x</a>', '<img alt="" src="{}">'):
        made = contents(f"<mj-text>{form.format(scheme)}</mj-text>")
        for ahead in (True, False):
            with pytest.raises(RenderError, match="does not begin with https://"):
                made.render("mail", RenderFacts(shop=SHOP), ahead=ahead)
