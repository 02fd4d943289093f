"""The road as a visitor walks it: Segment's browser library in Chromium, the mail in the inbox page, its link, the branch."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from npm_clients import node_modules
from stack import BROWSER, Stack, running, until
from test_client_browser import CHROMIUM, _website
from test_road import daylight_zone

pytestmark = pytest.mark.real

SHOP_PAGE = """<!doctype html><title>Shop</title>
<script src="/@segment/analytics-next/dist/umd/index.js"></script>
<script>
  const analytics = AnalyticsNext.AnalyticsBrowser.load({{ writeKey: '{key}', cdnURL: '{url}' }});
  const context = {{ timezone: '{zone}', consent: {{ categoryPreferences: {{ marketing: true }} }} }};
  analytics.identify('{user}', {{ email: '{user}@customer.example', first_name: 'Ada' }}, {{ context }});
  analytics.track('Product Added', {{ price: 45, cart_id: 'cart-{user}', name: 'Lamp' }}, {{ context }});
</script>"""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed at /usr/bin/chromium")
    node_modules()
    with running(tmp_path / "var", "--time-scale", "3600") as stack:
        yield stack


def test_a_visitors_cart_brings_a_mail_whose_link_leads_to_the_clicked_branch(stack: Stack, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    user = f"visitor-{uuid.uuid4().hex[:10]}"
    site = tmp_path / "site"
    site.mkdir()
    (site / "@segment").symlink_to(node_modules() / "@segment")
    page = SHOP_PAGE.format(key=stack.write_key, url=stack.url, zone=daylight_zone(stack), user=user)
    (site / "index.html").write_text(page)

    def entry() -> tuple[str, str] | None:
        rows = stack.rows(
            "select e.state, e.outcome from entries e join identifiers i on i.profile_id = e.profile_id "
            "where i.value = ? and e.journey = 'cart_abandonment'",
            user,
        )
        return rows[0] if rows else None

    def mail() -> str | None:
        rows = stack.rows(
            "select s.key from sends s join identifiers i on i.profile_id = s.profile_id "
            "where i.value = ? and s.send_id = 'reminder' and s.state = 'accepted'",
            user,
        )
        return rows[0][0] if rows else None

    with _website(site) as origin, playwright.sync_playwright() as driver:
        # Headless Chromium says that it is a robot, and a robot's click rightly moves nobody.
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-background-networking"])
        try:
            tab = browser.new_context(user_agent=BROWSER["user-agent"]).new_page()
            tab.goto(f"{origin}/index.html")
            until(entry, 60, "the entry")
            key = until(mail, 60, "the reminder")
            tab.goto(f"{stack.url}/inbox")
            tab.locator(f"a[href*='{key}']").first.click()
            link = tab.frame_locator("iframe").locator("a[href*='/c/']").first.get_attribute("href")
            assert link
            # The shop of the example is nowhere: the redirect is what matters, not where it ends.
            answer = tab.request.get(link, max_redirects=0)
            assert answer.status == 302
            assert answer.headers["location"].startswith("https://shop.example")
        finally:
            browser.close()
    assert until(lambda: (found := entry()) and found[0] == "ended" and found[1], 30, "the end") == "browsed"
