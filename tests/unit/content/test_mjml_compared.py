"""What we make of MJML, held against npm's own: widths, structure, links and looks."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lxml import html as lxml_html

from sojourn.content import Contents
from sojourn.content.compiling import to_html
from sojourn.content.links import anchors_of, link_of
from tests.real.npm_clients import node_modules
from tests.unit.content.mjml_templates import TEMPLATES
from tests.unit.content.pages import FOOT, problems

VERSIONS = ("4.15.3", "5.4.1")
SECONDS = 120
END = "</mj-column></mj-section></mj-body></mjml>"
COMPILE = """
const m = require('mjml'); const mjml2html = m.default || m;
(async () => {
  const given = JSON.parse(require('fs').readFileSync(0, 'utf8')), made = {};
  for (const [name, mjml] of Object.entries(given))
    made[name] = (await mjml2html(mjml, {validationLevel: 'soft', keepComments: true})).html;
  process.stdout.write(JSON.stringify(made));
})();
"""
SHOWN = {
    "align", "background", "background-color", "border", "border-radius", "color", "direction", "display", "font-size",
    "font-weight", "height", "line-height", "margin", "max-width", "padding", "text-align", "text-decoration", "vertical-align", "width",
}  # fmt: skip
USUAL = {("text-align", "left"), ("border", "0")}  # which only one of both may say
# From npm's MJML 4.15.3: how wide columns are for Outlook, and pictures for everyone.
WIDTHS = {
    "newsletter": (["640", "590", "295", "295", "590"], ["120", "590", "295", "295"]),
    "one column, no unit": (["550"], ["500"]),
    "two columns": (["275", "275"], ["225"]),
    "two columns of a fixed width": (["200", "400"], ["150", "350"]),
    "a third and two": (["191.4", "388.6"], ["141", "338"]),
    "three columns": (["200", "200", "200"], ["140", "140", "140"]),
    "wrapper": (["269", "269", "538"], ["219", "219"]),
    "group": (["290", "290"], ["240", "240"]),
    "group beside a column": (["108", "252", "240"], ["58", "180"]),
    "background picture": (["520"], []),
    "right to left": (["287.5", "287.5"], ["237"]),
}
COLUMN = re.compile(r"<td[^>]*style=\"[^\"]*vertical-align:[^\"]*?(?<![-\w])width:([\d.]+)px")
IMAGE = re.compile(r"<img[^>]*?width=\"([\d.]+)\"")


def structure(page: str) -> dict[str, Any]:
    """Return what a page comes to: the widths of its columns, its pictures, links, elements and words, and how these look."""
    body = lxml_html.document_fromstring(page).find("body")
    elements = [element for element in body.iter() if isinstance(element.tag, str)]
    return {
        "columns": [round(float(width)) for width in COLUMN.findall(page)],
        "shares": [float(share.replace("-", ".")) for share in re.findall(r'class="[^"]*mj-column-p(?:er|x)-([\d-]+)', page)],
        "pictures": IMAGE.findall(page),
        "links": [link_of(anchor.raw) for anchor in anchors_of(page)],
        "elements": [element.tag for element in elements],
        "words": "".join(body.text_content().split()),
        "looks": [looks(element) for element in elements],
    }


def looks(element: Any) -> dict[str, str]:
    """Return how an element looks, lengths of nothing alike with and without a unit."""
    said = dict(part.split(":", 1) for part in (element.get("style") or "").split(";") if ":" in part)
    plain = {name.strip(): re.sub(r"(?<![\d.#])(\d+)px", r"\1", value.strip()) for name, value in said.items()}
    shown = {name: value for name, value in plain.items() if name in SHOWN and (name, value) not in USUAL}
    return {**shown, "at": element.get("align") or ""}


def test_columns_and_pictures_are_as_wide_as_npms_mjml_makes_them() -> None:
    for name, (columns, pictures) in WIDTHS.items():
        page = to_html(name, TEMPLATES[name])
        assert (COLUMN.findall(page), IMAGE.findall(page)) == (columns, pictures), name


@pytest.mark.exhaustive
@pytest.mark.parametrize("version", VERSIONS)
def test_every_template_comes_out_as_npms_mjml_makes_it(version: str) -> None:
    modules = node_modules({"mjml": version})
    given = json.dumps(TEMPLATES)
    command = ["node", "-e", COMPILE]
    ran = subprocess.run(command, cwd=modules.parent, input=given, capture_output=True, text=True, timeout=SECONDS, check=True)
    theirs = json.loads(ran.stdout)
    assert len(theirs) == len(TEMPLATES) >= 25
    for name, mjml in TEMPLATES.items():
        if "fluid" in name:  # `check` refuses it: mrml makes of it a picture of a negative height
            continue
        ours, meant = structure(to_html(name, mjml)), structure(theirs[name])
        for what in ours:
            close = [pytest.approx(each, abs=1) for each in meant[what]] if what in ("columns", "shares") else meant[what]
            assert ours[what] == close, (name, what)


def test_a_length_without_a_unit_counts_wherever_it_stands() -> None:
    inside = '<mj-image src="https://x.example/p.png" alt="" {} />'
    for body, attributes, width in (
        ("<mj-section {0}><mj-column>{1}</mj-column></mj-section>", 'padding="0 25px"', "500"),
        ("<mj-section {0}><mj-column>{1}</mj-column></mj-section>", 'padding="0 25"', "500"),
        ("<mj-section {0}><mj-column>{1}</mj-column></mj-section>", 'padding="0 0 0 25px"', "525"),
        ("<mj-section {0}><mj-column>{1}</mj-column></mj-section>", 'padding-left="25"', "525"),
        ("<mj-section><mj-column {0}>{1}</mj-column></mj-section>", 'padding="10px 0 10px 30px"', "520"),
        ("<mj-wrapper {0}><mj-section><mj-column>{1}</mj-column></mj-section></mj-wrapper>", 'padding="0 40px"', "470"),
        ("<mj-section><mj-column>{1}</mj-column></mj-section>", "", "550"),
    ):
        page = to_html("x", f"<mjml><mj-body>{body.format(attributes, inside.format(''))}</mj-body></mjml>")
        assert IMAGE.findall(page) == [width], (body, attributes)
    for attributes, width in (('padding="0"', "600"), ('padding="0 50px"', "500"), ('width="300"', "300"), ('padding-right="0"', "575")):
        column = inside.format(attributes)
        page = to_html("x", f"<mjml><mj-body><mj-section><mj-column>{column}</mj-column></mj-section></mj-body></mjml>")
        assert IMAGE.findall(page) == [width], attributes


def test_a_style_that_is_to_be_inlined_stands_in_the_elements() -> None:
    css = (
        "p { color: #111111; margin: 0 } .note { color: #222222 } td > div p.note { color: #333333 } #one { color: #444444 }"
        ".box div { line-height: 2 !important } a[href^='https://x'] { color: #555555 } p + p { margin: 4px } "
        "p:first-child { padding: 1px }"
        ".note:hover { color: red } @media (max-width:480px) { .note { color: blue } } .x, .own { color: #666666; font-size: 20px }"
    )
    body = (
        '<mj-text css-class="box"><p class="note">a</p><p id="one" class="note">b</p><p class="own" style="color:#777777">c</p>'
        '<a href="https://x.example/">d</a></mj-text>'
    )
    head = f'<mj-head><mj-style inline="inline">{css}</mj-style></mj-head>'
    page = to_html("x", f"<mjml>{head}<mj-body><mj-section><mj-column>{body}</mj-column></mj-section></mj-body></mjml>")
    root = lxml_html.document_fromstring(page)
    styles = {element.text: looks(element) | {"at": ""} for element in root.iter("p", "a")}
    assert [styles[name].get("color") for name in "abcd"] == ["#333333", "#444444", "#777777", "#555555"]
    assert [styles[name].get("margin") for name in "abc"] == ["0", "4", "4"]
    assert (styles["a"]["padding"], styles["c"]["font-size"]) == ("1", "20")
    (div,) = (element for element in root.iter("div") if element.find("p") is not None)
    assert looks(div)["line-height"] == "2"
    sheet = "".join(style.text or "" for style in root.iter("style"))
    assert ".note:hover" in sheet
    assert "max-width:480px) { .note" in sheet
    assert "#333333" not in sheet


def test_attributes_of_ones_own_are_put_on_what_their_selectors_find() -> None:
    head = (
        '<mj-head><mj-html-attributes><mj-selector path=".x div, .y a"><mj-html-attribute name="data-id">4 &amp; "2"</mj-html-attribute>'
        '<mj-html-attribute name="data-a">b</mj-html-attribute></mj-selector></mj-html-attributes></mj-head>'
    )
    body = '<mj-text css-class="x">a</mj-text><mj-button css-class="y" href="https://x.example/">b</mj-button><mj-text>c</mj-text>'
    page = to_html("x", f"<mjml>{head}<mj-body><mj-section><mj-column>{body}</mj-column></mj-section></mj-body></mjml>")
    elements = lxml_html.document_fromstring(page).iter("div", "a")
    found = [(element.tag, element.get("data-id"), element.get("data-a")) for element in elements]
    assert [each for each in found if each[1] is not None] == [("div", '4 & "2"', "b"), ("a", '4 & "2"', "b")]


def checked(page: str) -> list[str]:
    """Return what the check says of a whole page."""
    found = Contents(Path("journeys"), {"mail.mjml": f"---\nsubject: Hello\n---\n{page}"}).check("mail")
    return [str(each).removeprefix("journeys/content/") for each in found]


def test_an_attribute_that_cannot_be_put_on_is_said_where_it_stands() -> None:
    inner = '<mj-selector path="{}"><mj-html-attribute name="{}">x</mj-html-attribute></mj-selector>'
    own = f"<mj-html-attributes>\n{inner}</mj-html-attributes>"
    for path, name, told in (("p:hover", "data-x", "`path` of `mj-sel"), (".x", "onclick", "`onclick` is no attr"), ("", "a", "`path`")):
        (found,) = checked(f"<mjml><mj-head>{own.format(path, name)}</mj-head><mj-body><mj-section><mj-column>{FOOT}{END}")
        assert found.startswith("mail.mjml:5:"), (path, found)
        assert told in found, (path, found)


FOUND = {
    "<mj-raw><script>alert(1)</script></mj-raw>": "`script` has no place in a mail",
    "<mj-text><b onclick='x()'>a</b></mj-text>": "`onclick` runs a script",
    "<mj-raw><iframe src='https://x.example/'></iframe></mj-raw>": "`iframe` has no place",
    "<mj-text><form action='https://x.example/'>a<input name='b'></form></mj-text>": "`form` has no place",
    "<mj-raw><meta http-equiv='Refresh' content='0'></mj-raw>": "cannot lead on by itself",
    "<mj-text><a href='javascript:alert(1)'>a</a></mj-text>": "is not a whole address",
    "</mj-column>stray words<mj-column><mj-text>x</mj-text>": "`stray words` stands in `mj-section` by itself",
    "</mj-column></mj-section>stray words<mj-section><mj-column><mj-text>x</mj-text>": "`stray words` stands in `mj-body` by itself",
    "stray words<mj-text>x</mj-text>": "`stray words` stands in `mj-column` by itself",
    "{{ event.name }}<mj-text>x</mj-text>": "`Linden` stands in `mj-column` by itself",
    "<mj-column><mj-text>x</mj-text></mj-column>": "`mj-column` cannot stand in `mj-column`",
    "<mj-carosel></mj-carosel>": "unknown tag",
    "<mj-text colour='red'>x</mj-text>": "has no attribute",
    "<mj-include path='./x.mjml' />": "`mj-include` is not used here",
    "<mj-hero mode='fluid-height'></mj-hero>": "is not supported",
}


def test_what_mail_programs_drop_or_show_anywhere_is_said_with_its_place() -> None:
    for body, told in FOUND.items():
        found = problems(body, "subject: Hello\nsample: {event.name: Linden}")
        assert any(told in each for each in found), (body, found)
        assert all(re.match(r"mail\.mjml:\d+:\d+: ", each) for each in found), found


def test_what_a_mail_may_have_is_no_finding() -> None:
    data = '<mj-raw><script type="application/ld+json">{"@context": "http://schema.org"}</script></mj-raw>'
    for body in (data, "<mj-raw><!-- a comment --></mj-raw>", "\n<!-- a comment -->\n<mj-text>x</mj-text>", "&nbsp;<mj-text>x</mj-text>"):
        assert problems(body) == [], body


def test_an_alt_is_wanted_of_pictures_and_not_of_what_holds_for_all() -> None:
    page = (
        '<mjml><mj-head><mj-attributes><mj-image padding="0" /><mj-class name="x" /></mj-attributes></mj-head><mj-body>'
        f'<mj-section><mj-column><mj-image src="https://x.example/p.png" />{FOOT}{END}'
    )
    (found,) = checked(page)
    assert "`mj-image` needs an `alt`" in found
    assert int(found.split(":")[2]) > page.index("<mj-body>")
