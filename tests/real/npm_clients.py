"""The JavaScript client libraries, installed once per machine by npm into a temporary folder."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PACKAGES = {
    "@segment/analytics-node": "3.1.0",
    "@segment/analytics-next": "1.84.3",
    "@rudderstack/rudder-sdk-node": "3.0.13",
    "@rudderstack/analytics-js": "3.34.1",
}
INSTALL_SECONDS = 240


def node_modules(packages=None):
    """Return the folder that holds packages (the client libraries, if left out); skips with the reason where they cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    packages = packages or PACKAGES
    wanted = json.dumps(packages, sort_keys=True)
    ready = Path(tempfile.gettempdir()) / f"sojourn-npm-{os.getuid()}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    if not ready.exists():
        making = Path(tempfile.mkdtemp(prefix="sojourn-npm-"))
        (making / "package.json").write_text(json.dumps({"private": True, "dependencies": packages}))
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        done = subprocess.run(command, cwd=making, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
        if done.returncode:
            shutil.rmtree(making)
            pytest.skip(f"npm could not install what the test needs (exit code {done.returncode}); is there a network?")
        try:
            making.rename(ready)
        except OSError:  # another test process was first
            shutil.rmtree(making)
    return ready / "node_modules"
