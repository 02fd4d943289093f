"""Takes the pictures of the README: the inbox, a mail, Temporal UI's list, one journey and its path, wide and on a phone.

    sojourn up --time-scale 3600 &  sojourn replay examples/online_retail.jsonl.gz   # something to see
    python docs/pictures.py [--sojourn http://127.0.0.1:8080] [--temporal http://127.0.0.1:8233]

Needs Chromium on this machine. What cannot be reached is named, the rest is taken, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Browser, Error, Page, sync_playwright

OUT = Path(__file__).resolve().parent / "pictures"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-background-networking"]
WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}
PATIENCE_MS = 15_000
LOOK_MS = 300
STILL_LOOKS = 5  # a page is ready when its text, digits apart, has stood still for so many looks
MAIL_LINK = "a[href*='/inbox/']"
WORKFLOW_LINK = "table a[href*='/workflows/']"


@dataclass(frozen=True)
class Subject:
    """One page to take."""

    name: str
    url: str
    follow: str | None = None  # a link on it to take instead: the first that is found
    ready: str | None = None  # what must be seen before
    tab: str | None = None  # the words of a tab to choose then


def subjects(options: argparse.Namespace) -> list[Subject]:
    """Return what to take: the standing five, then each `--page name=URL`."""
    inbox = urljoin(options.sojourn + "/", "inbox")
    workflows = urljoin(options.temporal + "/", f"namespaces/{options.namespace}/workflows")
    if options.journey:
        workflows += f"?query=WorkflowType%3D%22{options.journey}%22"
    standing = [
        Subject("inbox", inbox),
        Subject("mail", options.mail or inbox, follow=None if options.mail else MAIL_LINK),
        Subject("temporal-list", workflows, ready=WORKFLOW_LINK),
        Subject("temporal-journey", options.workflow or workflows, follow=None if options.workflow else WORKFLOW_LINK),
        Subject("temporal-path", options.workflow or workflows, follow=None if options.workflow else WORKFLOW_LINK, tab="User Metadata"),
    ]
    more = [Subject(*page.split("=", 1)) for page in options.page]
    chosen = ([] if options.only_pages else standing) + more
    return [subject for subject in chosen if not options.only or subject.name in options.only]


def open_page(page: Page, subject: Subject) -> None:
    """Bring a subject's page up, following its link where it has one."""
    page.goto(subject.url, timeout=PATIENCE_MS, wait_until="load")
    if subject.follow:
        link = page.locator(subject.follow).first
        link.wait_for(state="attached", timeout=PATIENCE_MS)
        page.goto(urljoin(page.url, link.get_attribute("href") or ""), timeout=PATIENCE_MS, wait_until="load")
    elif subject.ready:
        page.locator(subject.ready).first.wait_for(state="attached", timeout=PATIENCE_MS)
    settle(page)
    if subject.tab:
        page.get_by_text(subject.tab, exact=True).first.click(timeout=PATIENCE_MS)
        settle(page)


def settle(page: Page) -> None:
    """Return when a page shows text that no longer changes; one that polls never has a quiet network to wait for."""
    still, before = 0, ""
    for _ in range(PATIENCE_MS // LOOK_MS):
        page.wait_for_timeout(LOOK_MS)
        shown = re.sub(r"\d+", "", page.locator("body").inner_text()).strip()  # a running duration never stands still
        still = still + 1 if shown and shown == before else 0
        before = shown
        if still == STILL_LOOKS:
            return


def take(browser: Browser, wanted: list[Subject], out: Path) -> Iterator[tuple[str, str | None]]:
    """Take every subject at every width; yield each picture's name, and why it could not be taken."""
    for width, (across, down) in WIDTHS.items():
        context = browser.new_context(
            viewport={"width": across, "height": down},
            device_scale_factor=1 if width == "desktop" else 2,
            is_mobile=width == "phone",
            has_touch=width == "phone",
            timezone_id="UTC",
            locale="en-GB",
            reduced_motion="reduce",
        )
        for subject in wanted:
            name = f"{subject.name}-{width}.png"
            page = context.new_page()
            try:
                open_page(page, subject)
                page.screenshot(path=out / name)
                yield name, None
            except Error as error:
                yield name, f"{subject.url}: {error.message.splitlines()[0]}"
            finally:
                page.close()
        context.close()


def main() -> int:
    """Take the pictures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sojourn", default="http://127.0.0.1:8080", help="where Sojourn's pages are")
    parser.add_argument("--temporal", default="http://127.0.0.1:8233", help="where Temporal UI is")
    parser.add_argument("--namespace", default="default", help="the Temporal namespace")
    parser.add_argument("--journey", help="list only workflows of this journey")
    parser.add_argument("--mail", help="the URL of one mail; else the first of the inbox")
    parser.add_argument("--workflow", help="the URL of one workflow in Temporal UI; else the first of the list")
    parser.add_argument("--page", action="append", default=[], metavar="NAME=URL", help="one more page to take; may be repeated")
    parser.add_argument("--only-pages", action="store_true", help="take what --page names, and not the standing five")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="take only the subject of this name; may be repeated")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--chromium", default=CHROMIUM, help="the browser's path")
    options = parser.parse_args()
    for page in options.page:
        name, _, url = page.partition("=")
        if not name or urlsplit(url).scheme not in ("http", "https", "file"):
            parser.error(f"--page {page}: write NAME=URL, such as profile=http://127.0.0.1:8080/docs")
    if not Path(options.chromium).exists():
        sys.exit(f"there is no Chromium at {options.chromium}; install it, or say where it is with --chromium")
    options.out.mkdir(parents=True, exist_ok=True)
    failed = False
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        for name, problem in take(browser, subjects(options), options.out):
            print(f"{options.out / name}" if problem is None else f"not taken: {name}: {problem}")
            failed = failed or problem is not None
        browser.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
