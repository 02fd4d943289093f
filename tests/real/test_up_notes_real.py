"""What a running `sojourn up` says by itself: that mail waits, and that it goes out again; and that segments are being built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from mail_sink import Mails
from stack import ROOT, free_port, running, until

pytestmark = [pytest.mark.real, pytest.mark.exhaustive, pytest.mark.timeout(240)]

SEGMENT = "segment: buyers\ndescription: Who bought.\nmembers: did('Order Completed')\n"
JOURNEY = """
journey: hello
owner: tests@shop.example
purpose: transactional
description: One mail at once.
enter: {on: Cart Started}
steps:
  - send: first
  - end: done
examples:
  - {name: one, expect: [send first, done]}
"""


def test_up_says_that_mail_waits_and_that_it_goes_out_again(tmp_path: Path) -> None:
    journeys, port = tmp_path / "journeys", free_port()
    shutil.copytree(ROOT / "tests/real/journeys_faults", journeys)
    (journeys / "faults.yaml").unlink()
    (journeys / "hello.yaml").write_text(JOURNEY)
    (journeys / "segments").mkdir()
    (journeys / "segments/buyers.yaml").write_text(SEGMENT)
    mails = Mails()
    server = Controller(mails, hostname="127.0.0.1", port=port)
    server.start()
    with running(tmp_path / "var", "--smtp-url", f"smtp://127.0.0.1:{port}", "--journeys-dir", str(journeys)) as stack, stack.http as http:

        def enter(who: str) -> None:
            traits = {"email": f"{who}@x.example"}
            batch = [{"type": "identify", "userId": who, "traits": traits}, {"type": "track", "userId": who, "event": "Cart Started"}]
            assert http.post("/v1/batch", json={"batch": batch}).status_code == 200

        enter("before")
        until(lambda: mails.to(["before"]) == 1, 40, "a mail")
        assert "mail" not in stack.said.partition("Ctrl-C")[2]
        server.stop()
        enter("while-it-is-away")
        until(lambda: "mail waits" in stack.said, 60, "that it is said")
        assert "goes out again" not in stack.said
        server = Controller(mails, hostname="127.0.0.1", port=port)
        server.start()
        until(lambda: mails.to(["while-it-is-away"]) == 1, 90, "the mail")
        until(lambda: "mail goes out again" in stack.said, 30, "that it is said")
        said = " ".join(stack.said.split())
        assert said.count("mail waits") == said.count("mail goes out again") == 1
        assert "they are tried again" in said
    server.stop()
