"""What a message looks like: theme, contrast, and CSS that clients do not know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.content.colours import contrast, parse_colour, read_colour
from sojourn.content.compiling import to_html
from sojourn.content.legible import illegible
from sojourn.content.styles import support, unsupported
from tests.unit.content.pages import one, problems, text

COLOUR = st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))


@given(COLOUR, COLOUR)
def test_contrast_is_the_same_both_ways_and_between_1_and_21(one_: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert contrast(one_, other) == contrast(other, one_)
    assert 1 <= contrast(one_, other) <= 21
    assert contrast(one_, one_) == 1


def test_contrast_is_that_of_wcags_examples() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast(parse_colour("#777777"), parse_colour("#ffffff")) == pytest.approx(4.478, abs=0.001)
    assert contrast(parse_colour("#767676"), parse_colour("#ffffff")) == pytest.approx(4.542, abs=0.001)


@pytest.mark.parametrize("written", ["#fff", "#FFFFFF", "white", "rgb(255, 255, 255)", "rgba(255,255,255,1)"])
def test_a_colour_is_read_however_it_is_written(written: str) -> None:
    assert read_colour(written) == (255, 255, 255)


@pytest.mark.parametrize("written", ["rgba(0,0,0,0.5)", "linear-gradient(red, blue)", "var(--x)", "#12"])
def test_what_is_no_plain_colour_is_not_judged(written: str) -> None:
    assert read_colour(written) is None


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<mj-text color='#999999'>pale words</mj-text>", "mail.mjml:5:1: `pale words` is #999999 on #ffffff: a contrast of 2.8; at"),
        ("<mj-text font-size='26px' color='#999999'>pale words</mj-text>", "at least 3.0"),
        ("<mj-button href='https://a.example' background-color='#ffff00' color='#ffffff'>pale words</mj-button>", "#ffffff on #ffff00"),
        ("<mj-text><b style='color:#aaa'>pale</b></mj-text>", "`pale` is #aaaaaa on #ffffff"),
        ("<mj-text>\n<span style='background:#000'>words</span></mj-text>", "mail.mjml:6:1: `words` is #000000 on #000000"),
    ],
)
def test_words_that_are_hard_to_read_are_told_in_their_line(body: str, told: str) -> None:
    found = problems(body)
    assert len(found) == 1
    assert told in found[0]


DARK = """<html><head><style>
.page, body { background-color: #ffffff }
@media (prefers-color-scheme: dark) { .page { background-color: #111111 !important; } .ink div, .ink > a { color: INK !important; } }
</style></head><body class="page" style="background-color:#ffffff"><div class="ink">
<div style="color:#222222">words</div></div></body></html>"""


def test_dark_mode_is_judged_by_its_own_rules() -> None:
    assert illegible(DARK.replace("INK", "#eeeeee")) == []
    found = illegible(DARK.replace("INK", "#333333"))
    assert found == [("words", "`words` is #333333 on #111111 in dark mode: a contrast of 1.5; at least 4.5 is read well")]
    assert "in dark mode" in illegible(DARK.replace(".ink div, .ink > a { color: INK !important; }", ""))[0][1]


def test_a_link_of_which_nothing_is_said_is_blue() -> None:
    dark = DARK.replace("words", "<a href='#'>words</a>")
    assert "#0000ee on #111111 in dark mode" in illegible(dark.replace(".ink div, .ink > a { color: INK !important; }", ""))[0][1]


def test_what_is_hidden_is_not_judged() -> None:
    assert illegible("<div style='display:none;color:#fff'>words</div>") == []


def test_a_theme_is_part_of_the_structure_and_its_colours_are_checked() -> None:
    assert text(one("<mj-text color='{{ theme.colors.text }}'>{{ theme.width }}</mj-text>", **{"theme.yaml": "width: 480"})) == "480"
    found = problems("<mj-text>x</mj-text>", **{"theme.yaml": "colors:\n  text: '#dddddd'\ndark:\n  link: '#333333'"})
    assert [line.split(" has ")[0] for line in found] == [
        "theme.yaml:2:3: `text` #dddddd on `card` #ffffff", "theme.yaml:2:3: `text` #dddddd on `page` #f6f5f2",
        "theme.yaml:4:3: in dark mode `link` #333333 on `card` #21211e",
    ]  # fmt: skip


@pytest.mark.parametrize("theme", ["colors: {text: red}", "colours: {}", "width: wide", "logo: {src: 'http://a.example/x.png'}"])
def test_a_wrong_theme_is_told_with_its_place(theme: str) -> None:
    assert problems("<mj-text>x</mj-text>", **{"theme.yaml": theme})[0].startswith("theme.yaml:1:")


@pytest.mark.parametrize(
    ("css", "place", "name"),
    [
        ("<mj-text><span style='color: red; display: grid'>x</span></mj-text>", (1, 35), "display:grid"),
        ("<mj-style>\n.a { transform: none }\n</mj-style>", (2, 6), "transform"),
        ("<mj-style>.a { color: red; background: linear-gradient(red, blue) }</mj-style>", (1, 28), "linear-gradient()"),
        ("<mj-style>a::before { color: red }</mj-style>", (1, 22), "::before"),
    ],
)
def test_css_that_two_main_families_do_not_know_is_told_with_its_place(css: str, place: tuple[int, int], name: str) -> None:
    found = unsupported(css)
    assert [(line, column) for line, column, _ in found] == [place]
    assert f"`{name}` is not known to " in found[0][2]
    assert unsupported(css, accepts=[name]) == []


@pytest.mark.parametrize(
    "css",
    [
        "<mj-style>@media (prefers-color-scheme: dark) { .a { transform: none } }</mj-style>",
        "<mj-style>.a { border-radius: 3px; max-width: 100% } .b { transition: none }</mj-style>",
        "<span style='{{ theme.x }}: 1; font-size: {{ a }}px'>transform: none</span>",
        "<mj-style>/* .a { transform: none } */</mj-style>",
    ],
)
def test_css_that_is_known_or_harmless_or_meant_for_those_who_know_it_is_let_through(css: str) -> None:
    assert unsupported(css) == []


def test_the_data_speaks_of_the_four_families_and_says_where_it_is_from() -> None:
    assert set(support()["background-color"]) == {"Apple Mail", "Gmail", "Outlook", "Yahoo"}
    assert support()["background-color"]["Gmail"] == "y"
    assert support()["position"]["Gmail"] == "n"
    assert len(support()) > 150


FOOTER = "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (f"\n{FOOTER}", "mail.mjml:6:1: `mj-section` cannot stand in `mj-column`"),
        ("<div>x</div>", "mail.mjml:5:1: `div`, which is HTML, cannot stand in `mj-column`; it stands in `mj-text`, `mj-raw`"),
        ("<mj-text>\n<mj-divider /></mj-text>", "mail.mjml:6:1: `mj-divider` cannot stand in `mj-text`; it stands in `mj-column`,"),
        ("{% use 'footer' %}", "blocks/footer.mjml:3:1: `mj-section` cannot stand in `mj-column`; it stands in `mj-body`, `mj-wrapper`"),
        ("{% if shop.name %}<mj-text>{% else %}<mj-text color='#000000'>{% endif %}x</mj-text>", ""),
    ],
)
def test_a_component_in_the_wrong_place_is_told_in_its_line_also_where_a_block_brings_it(body: str, told: str) -> None:
    found = problems(body, blocks__footer=f"---\n---\n{FOOTER}")
    assert told in found[0] if told else not found, found


def test_css_is_accepted_by_name_in_the_front_matter() -> None:
    body = "<mj-text><span style='display:grid'>x</span></mj-text>"
    assert len(problems(body)) == 1
    assert problems(body, 'subject: a\naccepts: ["display:grid"]') == []


def test_the_name_of_a_font_brings_no_request_to_anyone_unless_mj_font_says_so() -> None:
    named = to_html("x", _with_fonts(""))
    assert "Roboto" in named
    assert "http" not in named.replace("http://www.w3.org", "").replace("http-equiv", "")
    asked_for = '<mj-font name="Roboto" href="https://shop.example/roboto.css" />'
    assert "https://shop.example/roboto.css" in to_html("x", _with_fonts(asked_for))


def _with_fonts(head: str) -> str:
    fonts = '<mj-attributes><mj-all font-family="Roboto, Open Sans, sans-serif" /></mj-attributes>'
    body = "<mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section></mj-body>"
    return f"<mjml><mj-head>{head}{fonts}</mj-head>{body}</mjml>"
