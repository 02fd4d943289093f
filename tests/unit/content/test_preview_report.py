"""What a report says of a message, and what its pages may do."""

from __future__ import annotations

import json
import re
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lxml import html as lxml_html

from sojourn.content import Contents
from sojourn.preview.accessible import accessibility
from sojourn.preview.files import write_message, write_report
from sojourn.preview.findings import Level
from sojourn.preview.following import Link, can_follow, follow, links_of
from sojourn.preview.making import Case, Made, Workshop
from sojourn.preview.page import POLICY, Card, gallery, report_page
from sojourn.preview.report import report
from sojourn.preview.spam import Spam, read_report, spam_score

JOURNEYS = Path(__file__).parents[3] / "journeys"
GOOD = (
    '<html lang="en"><head><title>x</title></head><body><h1>Hello</h1>'
    '<p>words <a href="https://a.example/">The new chairs</a></p></body></html>'
)


@pytest.fixture(scope="module")
def made() -> Made:
    workshop = Workshop.load(JOURNEYS)
    return workshop.make(Case("cart_offer", workshop.persona("ada")))


def with_html(made: Made, page: str) -> Made:
    assert made.rendered is not None
    return replace(made, rendered=replace(made.rendered, html=page))


def test_a_page_that_everyone_can_read_has_no_findings() -> None:
    assert accessibility(GOOD, "en-GB") == []


@pytest.mark.parametrize("name", sorted(path.stem for path in (JOURNEYS / "content").glob("*.mjml")))
def test_everyone_can_read_the_shipped_contents_and_each_begins_with_its_heading(name: str) -> None:
    contents = Contents.load(JOURNEYS)
    page = contents.render(name, contents.sample(name)).html
    assert accessibility(page, "en-GB") == []
    assert len(lxml_html.document_fromstring(page).findall(".//h1")) == 1


@pytest.mark.parametrize(
    ("old", "new", "about", "level"),
    [
        (' lang="en"', "", "language", Level.PROBLEM),
        ('lang="en"', 'lang="de"', "language", Level.PROBLEM),
        ('lang="en"', 'lang="und"', "language", Level.PROBLEM),
        ("<title>x</title>", "", "title", Level.HINT),
        ("<p>words", '<p>words <img src="https://a.example/i.png">', "alt text", Level.PROBLEM),
        ("The new chairs", '<img src="https://a.example/i.png" alt="">', "alt text", Level.PROBLEM),
        ("<p>words", "<table><tr><td>words</td></tr></table><p>", "tables", Level.PROBLEM),
        ("<h1>Hello</h1>", "", "headings", Level.HINT),
        ("<h1>Hello</h1>", "<h1>Hello</h1><h3>There</h3>", "headings", Level.PROBLEM),
        ("<h1>Hello</h1>", "<h3>There</h3>", "headings", Level.PROBLEM),
        ("The new chairs", "Click here", "links", Level.PROBLEM),
        ("The new chairs", " ", "links", Level.PROBLEM),
        ("</p>", '<a href="https://b.example/">the new chairs</a></p>', "links", Level.HINT),
        ("<p>words", '<p style="color:#999999">words', "contrast", Level.PROBLEM),
        ("<p>words", '<p style="font-size:9px">words', "text size", Level.HINT),
    ],
)
def test_what_keeps_someone_from_reading_is_found(old: str, new: str, about: str, level: Level) -> None:
    assert old in GOOD
    found = accessibility(GOOD.replace(old, new), "en-GB")
    assert (about, level) in {(one.about, one.level) for one in found}


def test_an_empty_alt_of_an_ornament_and_a_table_with_headers_are_right() -> None:
    page = GOOD.replace("<p>words", '<img src="https://a.example/line.png" alt=""><table><tr><th>Size</th></tr></table><p>words')
    assert accessibility(page, "en") == []


def test_a_message_that_gmail_would_cut_is_told_and_one_near_it_is_a_hint(made: Made) -> None:
    for kilobytes, level in ((95, Level.HINT), (103, Level.PROBLEM)):
        found = report(with_html(made, GOOD + f"<!-- {'x' * kilobytes * 1024} -->"))
        assert [(one.about, one.level) for one in found.findings if one.about == "size"] == [("size", level)]
    assert report(made).data()["size"] == {
        "html": report(made).html_bytes, "text": len(made.rendered.text.encode() if made.rendered else b""), "raw": len(made.raw),
        "gmail_clips_at": 102 * 1024, "clipped": False,
    }  # fmt: skip


def test_links_are_listed_with_their_words_and_asked_only_when_asked_to() -> None:
    links = links_of(GOOD.replace("<p>words", '<a href="mailto:a@b.example">Write</a><a href="https://unsubscribe.invalid/">Stop</a><p>'))
    assert [(link.words, link.url) for link in links] == [
        ("Write", "mailto:a@b.example"), ("Stop", "https://unsubscribe.invalid/"), ("The new chairs", "https://a.example/")
    ]  # fmt: skip
    assert {link.answer for link in links} == {"not asked"}
    asked: list[str] = []

    def gone(url: str) -> int:
        asked.append(url)
        return 404

    followed = follow(links, gone)
    assert asked == ["https://a.example/"]
    assert [(link.url, link.answer) for link in followed if link.broken] == [("https://a.example/", "HTTP 404")]
    assert not can_follow("https://confirm.invalid/x")


class Site(BaseHTTPRequestHandler):
    """A site with a page, a page that answers no HEAD, one that moved, and one that is gone."""

    def do_HEAD(self) -> None:
        self.answer({"/fine": 200, "/no-head": 405, "/moved": 302}.get(self.path, 404))

    def do_GET(self) -> None:
        self.answer({"/fine": 200, "/no-head": 200}.get(self.path, 410))

    def answer(self, status: int) -> None:
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/fine")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_links_are_followed_over_http_within_their_time_limits() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site, socket.socket() as closed:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        closed.bind(("127.0.0.1", 0))  # and never listens
        base, nobody = f"http://127.0.0.1:{site.server_port}", f"http://127.0.0.1:{closed.getsockname()[1]}/"
        urls = [f"{base}/{path}" for path in ("fine", "no-head", "moved", "gone")]
        found = {link.url: link for link in follow([Link("x", url) for url in [*urls, nobody, "mailto:a@b.example"]])}
        site.shutdown()
    assert [(found[url].answer, found[url].broken) for url in urls] == [
        ("HTTP 200", False), ("HTTP 200", False), ("HTTP 200", False), ("HTTP 410", True)
    ]  # fmt: skip
    assert found[nobody].broken
    assert found[nobody].answer == "leads nowhere (ConnectError)"
    assert found["mailto:a@b.example"].answer == "not asked"


def test_a_broken_link_is_a_problem_and_an_unencrypted_one_a_hint(made: Made) -> None:
    found = report(made, None, [Link("Old", "https://a.example/", "HTTP 404", broken=True), Link("Plain", "http://b.example/")])
    assert [(one.level, one.message) for one in found.findings if one.about == "links"] == [
        (Level.PROBLEM, "“Old” https://a.example/: HTTP 404"),
        (Level.HINT, "“Plain” leads to http://b.example/, which is not encrypted"),
    ]


SPAMASSASSIN = """\
X-Spam-Status: Yes, score=6.1 required=5.0 tests=GTUBE_LIKE,
\tHTML_MESSAGE
Subject: x

Content analysis details:   (6.1 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
1000 GTUBE                  BODY: made for tests
 6.2 GTUBE_LIKE             BODY: words that
                            go on here
-0.1 HTML_MESSAGE           BODY: HTML included in message
"""


def test_a_report_of_spamassassin_is_read_with_its_rules(made: Made) -> None:
    found = read_report(SPAMASSASSIN, "spamassassin")
    assert found is not None
    assert (found.score, found.required, found.is_spam) == (6.1, 5.0, True)
    assert [(rule.points, rule.name, rule.words) for rule in found.rules] == [
        (1000.0, "GTUBE", "BODY: made for tests"), (6.2, "GTUBE_LIKE", "BODY: words that go on here"),
        (-0.1, "HTML_MESSAGE", "BODY: HTML included in message"),
    ]  # fmt: skip
    assert [one.about for one in report(made, found).problems] == ["spam"]
    assert read_report("0/0\n", "spamc") is None  # what spamc says where no spamd answers
    assert read_report("1.3/5.0\nreport\n", "spamc") == Spam(1.3, 5.0, (), "spamc")


def test_where_spamassassin_is_absent_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: Made) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not on this machine" in str(spam_score(made.raw))


HOSTILE = '<html lang="en"><body>"></iframe><script>alert(1)</script><img src="https://evil.example/p.gif" alt="x"></body></html>'


def test_pages_hold_a_message_in_a_frame_that_may_do_nothing_and_load_nothing(made: Made) -> None:
    hostile = with_html(made, HOSTILE)
    someone = replace(hostile.case.subject, description="<script>x</script>")
    hostile = replace(hostile, case=replace(hostile.case, subject=someone))
    found = report(hostile)
    for page in (report_page(found, {}), gallery("A <b>shop</b>", [Card(found, b"jpeg")], [hostile.case.subject], ["<i>a note</i>"])):
        root = lxml_html.document_fromstring(page)
        assert not list(root.iter("script", "link", "base", "form"))
        assert root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content") == [POLICY]
        (frame,) = root.iter("iframe")
        assert frame.get("sandbox") == ""
        assert frame.get("srcdoc") == HOSTILE
        assert all(src.startswith("data:") for src in root.xpath("//@src"))
        assert not root.xpath("//a[not(starts-with(@href, '#'))]")
        assert not re.search(r"url\(", page)
    assert POLICY.startswith("default-src 'none'")


def test_a_case_without_a_message_shows_its_reason_in_the_gallery(made: Made) -> None:
    page = gallery("Shop", [Card(report(replace(made, rendered=None, message=None, raw=b"", problem="it needs event.x")))], [])
    assert "it needs event.x" in page
    assert "<iframe" not in page
    assert "1 of them to mend" in page


def test_a_folder_holds_every_part_and_nothing_of_an_earlier_preview(made: Made, tmp_path: Path) -> None:
    for amp in ("<html amp4email></html>", None):
        found = report(replace(made, amp=amp))
        names = {path.name for path in [*write_message(tmp_path, found), *write_report(tmp_path, found, {"phone": b"png"} if amp else {})]}
        assert {path.name for path in tmp_path.iterdir()} == names
        assert names >= {"message.html", "message.txt", "message.mjml", "message.eml", "report.html", "report.json"}
        assert ("message.amp.html" in names) is (amp is not None) is ("phone.png" in names)
    assert (tmp_path / "message.eml").read_bytes() == made.raw
    assert (tmp_path / "message.mjml").read_text().startswith("<mjml")
    data = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert data["subject"] == "10% off the cart you left"
    assert data["for"]["name"] == "ada"
