"""An HTTP server that behaves as a provider's documentation says, or as a test wants it to misbehave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answerer = Callable[["FakeApi", Asked], tuple[int, Any]]


@dataclass
class FakeApi:
    """Keeps what it accepts, by what a message is to it; `fault` says what goes wrong, `hits` how often it did."""

    answer: Answerer
    accepted: list[Any] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    fault: str = ""  # 503, 429, …; drop; keep and drop; hang; keep and hang; keep and 503; slow
    hits: dict[str, int] = field(default_factory=dict)
    port: int = 0
    slow_seconds: float = 0.3
    headers: dict[str, str] = field(default_factory=dict)  # of every answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                if not await self._respond(asked, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _respond(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        fault = self.fault if asked.method == "POST" else ""
        if fault:
            self.hits[fault] = self.hits.get(fault, 0) + 1
        status, body = (0, None) if fault and not fault.startswith(("keep", "slow", "cut")) else self.answer(self, asked)
        what = fault.removeprefix("keep and ")
        if what == "drop":
            writer.transport.abort()
            return False
        if what == "hang":
            await asyncio.sleep(5)
            return False
        if what == "cut":
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{".encode())
            await writer.drain()
            return False
        if what == "slow":
            await asyncio.sleep(self.slow_seconds)
        elif what:
            code, _, name = what.partition(" ")
            status, body = int(code), {"name": name, "code": name, "message": "no, ann@example.com"} if name else None
        content = b"" if body is None else json.dumps(body).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in {"X-Message-Id": "sg-id-1", **self.headers}.items())
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{more}\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        return True


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = b""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif length := int(headers.get("content-length", 0)):
        body = await reader.readexactly(length)
    parts = urlsplit(target)
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, body)


@asynccontextmanager
async def serving(answer: Answerer) -> AsyncIterator[FakeApi]:
    api = FakeApi(answer)
    server = await asyncio.start_server(api._serve, "127.0.0.1", 0)
    api.port = server.sockets[0].getsockname()[1]
    try:
        yield api
    finally:
        server.close()
