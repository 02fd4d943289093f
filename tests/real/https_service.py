"""A service over HTTPS on this machine, and what lets the processes of a test's Sojourn ask it: nothing but a test does so.

The rules against SSRF allow neither a private address nor a port like a test's, nor a certificate that nobody signed, and
no setting changes that. So each Python process that the test starts finds a `sitecustomize.py` that hands `WebClient` the
arguments that it has for tests. All else is the product's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from certificates import certified

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 10  # of one connection
AT_HOME = """\
import ssl
from ipaddress import ip_network

import httpx
from sojourn.outbound.client import WebClient


async def here(host, port):
    return ["127.0.0.1"]


WebClient.__init__.__kwdefaults__ |= {{"resolver": here, "besides": (ip_network("127.0.0.0/8"),), "plain": True}}
httpx.create_ssl_context = lambda **_: ssl.create_default_context(cafile={certificate!r})
"""


@dataclass(frozen=True)
class Asked:
    """A request that reached the service."""

    host: str
    path: str
    body: bytes
    headers: dict[str, str]

    @property
    def said(self) -> dict[str, Any]:
        return json.loads(self.body)


Answer = Callable[[Asked], tuple[int, Any]]
"""Gives the status, and the JSON of an answer."""


@dataclass
class Service:
    """The service: where it is, what it was asked, and what a Sojourn that may ask it has in its environment."""

    port: int
    environment: dict[str, str]
    asked: list[Asked] = field(default_factory=list)

    def of(self, host: str) -> list[Asked]:
        return [one for one in self.asked if one.host.partition(":")[0] == host]


@contextmanager
def serving(folder: Path, hosts: list[str], answer: Answer) -> Iterator[Service]:
    """Serve until the block is left.

    Args:
        folder: an empty one, for the certificate and what lets processes ask.
        hosts: by which names it is asked.
        answer: what it says.
    """
    context = certified(hosts, folder)
    (folder / "sitecustomize.py").write_text(AT_HOME.format(certificate=str(folder / "cert.pem")))

    class Handler(BaseHTTPRequestHandler):
        timeout = LIMIT_SECONDS

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = Asked(self.headers["host"], self.path, body, {name.lower(): value for name, value in self.headers.items()})
            service.asked.append(asked)
            status, value = answer(asked)
            said = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    service = Service(server.server_address[1], {"PYTHONPATH": path.rstrip(os.pathsep)})
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(LIMIT_SECONDS)
