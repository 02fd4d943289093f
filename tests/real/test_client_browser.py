"""The real browser libraries of Segment and RudderStack, unchanged, in Chromium, from another origin."""

import functools
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from intake_server import WRITE_KEY, running_intake
from npm_clients import node_modules

pytestmark = pytest.mark.real
CHROMIUM = Path("/usr/bin/chromium")

SEGMENT = """
<script src="/@segment/analytics-next/dist/umd/index.js"></script>
<script>
  const analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: KEY, cdnURL: HOST });
  (async () => {
    await analytics.track('Product Viewed', { sku: 'early' });
    analytics.page('Start');
    analytics.identify('u1', { email: 'ann@example.com' });
    analytics.track('Product Added', { price: 12.5 });
  })();
</script>
"""

RUDDERSTACK = """
<script src="/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"></script>
<script>
  const analytics = new (rudderanalytics.RudderAnalytics || rudderanalytics)();
  analytics.load(KEY, HOST, { configUrl: HOST });
  analytics.track('Product Viewed', { sku: 'early' });
  analytics.page('Start');
  analytics.identify('u1', { email: 'ann@example.com' });
  analytics.track('Product Added', { price: 12.5 });
</script>
"""


RUDDERSTACK_BEACON = RUDDERSTACK.replace(
    "{ configUrl: HOST }", "{ configUrl: HOST, useBeacon: true, beaconQueueOptions: { flushQueueInterval: 500 } }"
)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def _website(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("page", "zones"),
    [(SEGMENT, {"Europe/Berlin"}), (RUDDERSTACK, {"GMT+0100", "GMT+0200"}), (RUDDERSTACK_BEACON, {"GMT+0100", "GMT+0200"})],
    ids=["segment", "rudderstack", "rudderstack by beacon"],
)
def test_page_identify_and_track_arrive_from_another_origin(tmp_path, page, zones):
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed at /usr/bin/chromium")
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    modules = node_modules()
    site = tmp_path / "site"
    site.mkdir()
    for name in ("@segment", "@rudderstack"):
        (site / name).symlink_to(modules / name)
    with running_intake(tmp_path) as intake, _website(site) as origin, sync_playwright() as playwright:
        (site / "index.html").write_text(
            f"<!doctype html><title>Shop</title><script>const KEY='{WRITE_KEY}', HOST='{intake.url}';</script>{page}"
        )
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-background-networking"])
        try:
            context = browser.new_context(locale="de-DE", timezone_id="Europe/Berlin")
            tab, said = context.new_page(), []
            tab.on("console", lambda message: said.append(message.text))
            tab.on("pageerror", lambda error: said.append(str(error)))
            tab.goto(f"{origin}/index.html")
            try:
                log = intake.wait_for(4)
            except AssertionError as error:
                raise AssertionError(f"{error}; the page said {said}") from None
        finally:
            browser.close()
        assert intake.quarantined() == []
    by_name = {e.name: e for e in log}
    assert sorted(by_name) == ["Product Added", "Product Viewed", "identify", "page"]
    visitor = by_name["Product Viewed"]
    assert visitor.user_id is None
    assert visitor.anonymous_id
    assert (by_name["identify"].user_id, by_name["identify"].anonymous_id) == ("u1", visitor.anonymous_id)
    assert by_name["identify"].traits["email"] == "ann@example.com"
    assert by_name["Product Added"].properties["price"] == 12.5
    assert by_name["page"].properties["name"] == "Start"
    assert by_name["Product Added"].context["locale"] == "de-DE"
    assert by_name["Product Added"].context["timezone"] in zones
