"""Templates in the manner of the public galleries of MJML, made for these tests: by name, one for each way of laying out a mail."""

from __future__ import annotations

HEAD = (
    '<mj-head><mj-title>News</mj-title><mj-preview>What is new</mj-preview><mj-attributes><mj-all font-family="Arial, sans-serif" />'
    '<mj-text font-size="15px" line-height="1.5" color="#333333" padding="0 0 12px" /><mj-class name="small" font-size="11px" />'
    '<mj-section padding="0 25px" background-color="#ffffff" /><mj-column padding="0" />'
    '<mj-button background-color="#205040" inner-padding="12px 20" padding="10px 0" /><mj-image padding="0" /></mj-attributes></mj-head>'
)
PICTURE = '<mj-image src="https://cdn.example/{0}.png" alt="{0}" href="https://shop.example/{0}?a=1&currency=EUR" {1} />'
SOCIAL = (
    '<mj-social font-size="12px" icon-size="24px" mode="{}" padding="0 10"><mj-social-element name="facebook" '
    'href="https://social.example/f">Face</mj-social-element><mj-social-element name="x" href="https://social.example/x">X'
    '</mj-social-element><mj-social-element src="https://cdn.example/own.png" href="https://own.example/" alt="own">Own'
    "</mj-social-element></mj-social>"
)


def picture(name: str, more: str = "") -> str:
    return PICTURE.format(name, more)


def column(inside: str, more: str = "") -> str:
    return f"<mj-column {more}>{inside}</mj-column>"


def section(inside: str, more: str = "") -> str:
    return f"<mj-section {more}>{inside}</mj-section>"


def text(words: str, more: str = "") -> str:
    return f"<mj-text {more}>{words}</mj-text>"


def mjml(body: str, head: str = "", more: str = "") -> str:
    return f"<mjml>{head}<mj-body {more}>{body}</mj-body></mjml>"


TEMPLATES = {
    "newsletter": mjml(
        section(column(picture("logo", 'width="120px" align="left"')), 'padding="20px 0 0 0"')
        + section(column(picture("hero") + text("<h1>Spring</h1><p>All of it &amp; more</p>")))
        + section(column(picture("a") + text("A")) + column(picture("b") + text("B")))
        + section(column(text('<a href="https://shop.example/stop">Stop</a>', 'mj-class="small" align="center"'))),
        HEAD,
        'width="640px" background-color="#eeeeee"',
    ),
    "receipt": mjml(
        section(
            column(
                text("Order 1047") + '<mj-table padding="10px 25px 0"><tr><th align="left">Item</th><th>Sum</th></tr><tr><td>Throw</td>'
                '<td align="right">45</td>'
                '</tr></mj-table><mj-divider border-width="1px" border-color="#dddddd" padding="0 25" />'
                + text("<b>Total</b> 45 EUR", 'align="right"')
            )
        )
    ),
    "one column, no unit": mjml(section(column(picture("a")), 'padding="0 25"')),
    "two columns": mjml(section(column(picture("a")) + column(text("b")), 'padding="0 25px"')),
    "two columns of a fixed width": mjml(
        section(column(picture("a"), 'width="200px"') + column(picture("b"), 'width="400px"'), 'padding="0"')
    ),
    "a third and two": mjml(
        section(column(picture("a"), 'width="33%"') + column(picture("b"), 'width="67%"'), 'padding="10px 0 10px 20px"')
    ),
    "three columns": mjml(section("".join(column(picture(n), 'padding="0 5px"') for n in "abc"), 'padding="20px 0"')),
    "four columns": mjml(section("".join(column(picture(n) + text(n)) for n in "abcd"), 'padding-left="0" padding-right="20px"')),
    "columns with borders": mjml(
        section(
            column(picture("a"), 'border="2px solid #000000" padding="0 10px 0 0"')
            + column(picture("b"), 'border-radius="4px" padding="3px 0 0 7px"'),
            'border="1px solid #cccccc" padding="0 0 0 30px"',
        )
    ),
    "hero of a fixed height": mjml(
        '<mj-hero mode="fixed-height" height="300px" background-width="600px" background-height="300px" '
        'background-url="https://cdn.example/hero.jpg" background-color="#223344" padding="60px 0">'
        + text("<h1>Hello</h1>", 'color="#ffffff" align="center"')
        + '<mj-button href="https://shop.example/go?x=1&reg=2" align="center">Go</mj-button></mj-hero>'
    ),
    "hero of a fluid height": mjml(
        '<mj-hero mode="fluid-height" background-width="600px" background-height="469px" background-url="https://cdn.example/h.jpg" '
        'padding="100px 0px" inner-padding="0 20px">' + text("Fluid") + "</mj-hero>"
    ),
    "navigation": mjml(
        section(
            column(
                '<mj-navbar base-url="https://shop.example" hamburger="hamburger" ico-color="#000000">'
                '<mj-navbar-link href="/new" color="#111111">New</mj-navbar-link><mj-navbar-link href="/sale?a&lang=de" padding="0 10px">'
                "Sale"
                "</mj-navbar-link></mj-navbar>"
            )
        )
    ),
    "social links side by side": mjml(section(column(SOCIAL.format("horizontal")))),
    "social links below each other": mjml(section(column(SOCIAL.format("vertical")), 'padding="0"')),
    "carousel": mjml(
        section(
            column(
                '<mj-carousel icon-width="30px" tb-width="80px">'
                + "".join(f'<mj-carousel-image src="https://cdn.example/{n}.jpg" alt="{n}" href="https://x.example/{n}" />' for n in "abc")
                + "</mj-carousel>"
            ),
            'padding="0 20px"',
        )
    ),
    "accordion": mjml(
        section(
            column(
                '<mj-accordion border="none" padding="1px 0"><mj-accordion-element><mj-accordion-title>Why?</mj-accordion-title>'
                '<mj-accordion-text>So <a href="https://shop.example/why">read</a></mj-accordion-text></mj-accordion-element></mj-accordion>'
            )
        )
    ),
    "wrapper": mjml(
        '<mj-wrapper background-color="#f0f0f0" padding="0 30px" border="1px solid #000000">'
        + section(column(picture("a")) + column(picture("b")), 'padding="0"')
        + section(column(text("under")), 'padding="10px 0"')
        + "</mj-wrapper>"
    ),
    "full width": mjml(
        section(column(picture("a", 'fluid-on-mobile="true"')), 'full-width="full-width" background-color="#dddddd" padding="0"')
    ),
    "background picture": mjml(
        section(
            column(text("over")),
            'background-url="https://cdn.example/bg.jpg" background-size="cover" background-repeat="no-repeat" padding="0 40px"',
        )
    ),
    "group": mjml(section(f"<mj-group>{column(picture('a'))}{column(picture('b'))}</mj-group>", 'padding="0 10px"')),
    "group beside a column": mjml(
        section(
            '<mj-group width="60%">'
            + column(picture("a"), 'width="30%"')
            + column(text("b"), 'width="70%"')
            + "</mj-group>"
            + column(picture("c"), 'width="40%" padding="0 0 0 10px"'),
            'padding="0"',
        )
    ),
    "HTML of its own": mjml(
        "<mj-raw><!-- marked --></mj-raw>"
        + section(column('<mj-raw><p class="own"><a href="https://shop.example/own?a=1&copy=2">Own</a></p></mj-raw>' + text("x")))
    ),
    "classes": mjml(
        section(
            column(
                text("big", 'mj-class="big"')
                + picture("a", 'mj-class="narrow round"')
                + '<mj-button mj-class="go" href="https://x.example/">Go</mj-button>'
            ),
            'mj-class="tight"',
        ),
        '<mj-head><mj-attributes><mj-class name="tight" padding="0" /><mj-class name="big" font-size="30px" padding="0 0" />'
        '<mj-class name="narrow" width="200px" padding="0 40px" /><mj-class name="round" border-radius="8px" />'
        '<mj-class name="go" inner-padding="0 30px" width="220px" border-radius="3px" /></mj-attributes></mj-head>',
    ),
    "styles put into the elements": mjml(
        section(
            column(text('<p class="note" style="margin:0">a <b>b</b></p><a class="go" href="https://x.example/">go</a>', 'css-class="box"'))
        ),
        '<mj-head><mj-style inline="inline">.note { color: #ff0000; } .box div { background: #eeeeee !important; } '
        "a.go, p > b { font-weight: 700; }</mj-style><mj-style>@media (max-width:480px) { .note { color: blue } }</mj-style></mj-head>",
    ),
    "spacers and dividers": mjml(
        section(
            column(
                '<mj-spacer height="40px" /><mj-divider width="50%" border-width="3px" padding="0 20px" align="left" />'
                '<mj-divider padding="10 0" /><mj-spacer height="10px" container-background-color="#eeeeee" />'
            ),
            'padding="0 60px"',
        )
    ),
    "right to left": mjml(section(column(picture("a")) + column(text("b")), 'direction="rtl" padding="0 25px 0 0"')),
}
