"""The real Node libraries of Segment and RudderStack, unchanged, against a real server."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from intake_server import WRITE_KEY, running_intake
from npm_clients import node_modules

pytestmark = pytest.mark.real

SEGMENT = """
const { Analytics } = require('@segment/analytics-node');
const client = new Analytics({ writeKey: KEY, host: HOST, flushAt: 10 });
client.on('error', (e) => { console.error(e); process.exitCode = 1; });
client.identify({ userId: 'u1', anonymousId: 'a1', traits: { email: 'ann@example.com' }, context: { timezone: 'Europe/Berlin' } });
client.track({ userId: 'u1', event: 'Product Added', properties: { price: 12.5 } });
client.track({ userId: 'u1', event: 'Order Completed', timestamp: new Date(Date.now() - 86400000) });
client.alias({ userId: 'u1', previousId: 'a0' });
client.closeAndFlush();
"""

RUDDERSTACK = """
const Client = require('@rudderstack/rudder-sdk-node');
const client = new Client(KEY, { dataPlaneUrl: HOST, flushAt: 10, flushInterval: 50 });
client.identify({ userId: 'u1', anonymousId: 'a1', traits: { email: 'ann@example.com' }, context: { timezone: 'Europe/Berlin' } });
client.track({ userId: 'u1', event: 'Product Added', properties: { price: 12.5 } });
client.track({ userId: 'u1', event: 'Order Completed', originalTimestamp: new Date(Date.now() - 86400000) });
client.alias({ userId: 'u1', previousId: 'a0' });
client.flush().catch((e) => { console.error(e); process.exitCode = 1; });
"""


@pytest.mark.parametrize("script", [SEGMENT, RUDDERSTACK], ids=["segment", "rudderstack"])
def test_identify_track_and_alias_arrive(tmp_path, script):
    modules = node_modules()
    with running_intake(tmp_path) as intake:
        program = f"const KEY = '{WRITE_KEY}', HOST = '{intake.url}';{script}"
        done = subprocess.run(["node", "-e", program], cwd=modules.parent, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        identify, added, completed, alias = intake.wait_for(4)
        assert intake.quarantined() == []
    now = datetime.now(UTC)
    assert (identify.kind, identify.user_id, identify.anonymous_id) == ("identify", "u1", "a1")
    assert identify.traits["email"] == "ann@example.com"
    assert identify.context["timezone"] == "Europe/Berlin"
    assert (added.name, added.properties) == ("Product Added", {"price": 12.5})
    assert abs(added.time - now) < timedelta(minutes=1)
    assert abs(completed.time - (now - timedelta(days=1))) < timedelta(minutes=1)
    assert (alias.kind, alias.previous_id, alias.user_id) == ("alias", "a0", "u1")
