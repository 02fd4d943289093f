"""One client for all that is asked of other services: bounded in time, size and depth, and never led astray.

No redirect is followed, no proxy of the environment is used, no connection is kept: two hosts behind one address must
never share one. A host that fails again and again is left alone for a while; what it answered is kept for as long as
the asker says.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import orjson

from sojourn.breaker import Breaker
from sojourn.clock import monotonic
from sojourn.errors import Unanswerable, Unanswered
from sojourn.outbound.addresses import Network, Resolver, Target, resolve, target_of
from sojourn.outbound.trust import trusted

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
MAX_VALUES = 5_000
MAX_KEPT = 1_000  # answers
MAX_AT_ONCE = 50
LONGEST = 30.0  # seconds; whatever the asker says
AGENT = "Sojourn"
_LATER = {408, 425, 429}


@dataclass(frozen=True)
class Got:
    """An answer.

    Attributes:
        value: JSON; None where the answer has no body.
        because: in words: who answered, and how.
    """

    value: Any
    because: str


@dataclass(frozen=True)
class Question:
    """A GET.

    Attributes:
        url: https, of an allowed host.
        seconds: how long it may take.
        kept_seconds: how long an answer may be used again.
    """

    url: str
    seconds: float
    kept_seconds: float


class Outbound(Protocol):
    """Asks other services."""

    async def get_all(self, questions: Sequence[Question]) -> list[Got | Unanswerable | Unanswered]:
        """Return what services answer to several GETs at once: JSON, or in its place why there is none."""
        ...

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Got:
        """Return what a service answers to a POST: JSON, or nothing.

        Raises:
            Unanswerable: it must not be asked, or says no.
            Unanswered: there was no answer; the same may be posted again.
        """
        ...


class NoWeb:
    """Where nobody may be asked."""

    async def get_all(self, questions: Sequence[Question]) -> list[Got | Unanswerable | Unanswered]:
        """Refuse."""
        return [Unanswerable("other services are not asked here") for _ in questions]

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Got:
        """Refuse."""
        raise Unanswerable("other services are not asked here")


class WebClient:
    """Asks other services over the web.

    Args:
        hosts: the allowed ones.
        resolver: gives a host's addresses.
        besides: networks that may be asked although they are private; for tests.
        plain: whether http is allowed; for tests.
        time: says how late it is, in seconds.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        resolver: Resolver = resolve,
        besides: Iterable[Network] = (),
        plain: bool = False,
        time: Callable[[], float] = monotonic,
    ) -> None:
        self._hosts = frozenset(hosts)
        self._resolver, self._besides, self._plain, self._time = resolver, tuple(besides), plain, time
        self._kept: OrderedDict[str, tuple[float, Got]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Got]] = {}
        self._breakers: dict[str, Breaker] = {}
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)
        self._tls: ssl.SSLContext | None = None

    async def get_all(self, questions: Sequence[Question]) -> list[Got | Unanswerable | Unanswered]:
        """Return what services answer to several GETs at once."""

        async def one(question: Question) -> Got | Unanswerable | Unanswered:
            try:
                return await self.get(question.url, question.seconds, question.kept_seconds)
            except (Unanswerable, Unanswered) as error:
                return error

        return list(await asyncio.gather(*map(one, questions)))

    async def get(self, url: str, seconds: float, kept_seconds: float) -> Got:
        """Return what a service answers to a GET; who asks the same at the same time shares one question.

        Raises:
            Unanswerable: it must not be asked, or says no.
            Unanswered: there was no answer.
        """
        kept = self._kept.get(url)
        if kept is not None and self._time() < kept[0]:
            self._kept.move_to_end(url)
            return Got(kept[1].value, f"{kept[1].because}, kept from before")
        if kept_seconds <= 0:
            return await self._ask("GET", url, None, {}, seconds)
        asking = self._asking.get(url)
        if asking is None:
            asking = asyncio.create_task(self._ask("GET", url, None, {}, seconds))
            self._asking[url] = asking
            asking.add_done_callback(lambda task: self._answered(url, kept_seconds, task))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(asking)
        except TimeoutError:
            raise Unanswered(f"no answer within {seconds:g} s") from None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Got:
        """Return what a service answers to a POST."""
        return await self._ask("POST", url, body, headers, seconds)

    def _answered(self, url: str, kept_seconds: float, task: asyncio.Task[Got]) -> None:
        del self._asking[url]
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[url] = (self._time() + kept_seconds, task.result())
        self._kept.move_to_end(url)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    async def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], seconds: float) -> Got:
        began = self._time()
        limit = min(seconds, LONGEST)
        breaker: Breaker | None = None
        try:
            async with asyncio.timeout(limit), self._at_once:
                target = await target_of(url, self._hosts, self._resolver, besides=self._besides, plain=self._plain)
                breaker = self._breakers.setdefault(target.host, Breaker(self._time))
                if not breaker.allows():
                    resting, breaker = target.host, None
                    raise Unanswered(f"{resting} failed again and again, and is left alone for a while")
                status, said = await self._exchange(method, target, body, headers, limit)
        except TimeoutError:
            if breaker is not None:
                breaker.failed()
            raise Unanswered(f"no answer within {limit:g} s") from None
        except Unanswered:
            if breaker is not None:
                breaker.failed()
            raise
        if status >= 500 or status in _LATER:
            breaker.failed()
            raise Unanswered(f"{target.host} answered {status}")
        breaker.succeeded()
        if not 200 <= status < 300:
            raise Unanswerable(f"{target.host} answered {status}")
        return Got(said, f"{target.host} answered {status} in {(self._time() - began) * 1000:.0f} ms")

    async def _exchange(self, method: str, target: Target, body: bytes | None, headers: Mapping[str, str], limit: float) -> tuple[int, Any]:
        """Return status and JSON; a redirect is a status like another, and what it points to is not looked at."""
        sent = {"User-Agent": AGENT, "Accept": "application/json", "Accept-Encoding": "identity", **headers, "Host": target.host_header}
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
        async with httpx.AsyncClient(
            verify=self._tls or trusted(), trust_env=False, follow_redirects=False, timeout=limit, limits=limits
        ) as client:
            request = client.build_request(method, target.pinned, content=body, headers=sent, extensions={"sni_hostname": target.host})
            try:
                answer = await client.send(request, stream=True)
                try:
                    if not 200 <= answer.status_code < 300:
                        return answer.status_code, None
                    return answer.status_code, read_json(await _bounded(answer), answer.headers.get("content-type", ""), target.host)
                finally:
                    await answer.aclose()
            except httpx.HTTPError as error:
                raise Unanswered(f"{target.host} could not be asked ({type(error).__name__})") from None


async def _bounded(answer: httpx.Response) -> bytes:
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unanswerable("the answer is compressed, which was not asked for")
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unanswerable(f"the answer is larger than {MAX_BYTES // 1024} kB")
    return bytes(body)


def read_json(body: bytes, content_type: str, host: str) -> Any:
    """Return a body as JSON; None where it is empty.

    Raises:
        Unanswerable: it is no JSON, or too deep, or too much.
    """
    if not body.strip():
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Unanswerable(f"{host} did not answer with JSON")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unanswerable(f"{host} did not answer with JSON") from None
    left, todo = MAX_VALUES, [(value, 1)]
    while todo:
        one, depth = todo.pop()
        left -= 1
        if depth > MAX_DEPTH or left < 0:
            raise Unanswerable(f"{host} answered more than {MAX_VALUES} values, or deeper than {MAX_DEPTH} levels")
        if isinstance(one, dict | list):
            todo.extend((inner, depth + 1) for inner in (one.values() if isinstance(one, dict) else one))
    return value
