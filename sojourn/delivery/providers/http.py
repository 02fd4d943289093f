"""What providers with an HTTP API share: one client, its time limits, and what an answer proves.

    2xx                                        accepted
    400, 413, 422                              this message was refused for good; or our sender, where the words say so
    401, 402, 403, 404 and every other 4xx     nothing of ours is taken: our account is at fault, not the message
    429, no connection, no TLS                 nothing was accepted; later
    408, 409, 3xx, 5xx, reset, time-out        nobody knows

A provider's file says where its documentation differs. Of an answer only its codes are kept: words may hold an address.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import httpx
import orjson

from sojourn.delivery.message import Message
from sojourn.delivery.providers.answers import AnswerWindow
from sojourn.delivery.providers.base import UNKEYED, Klass, Limits
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderUnclear, Rejected, SojournError
from sojourn.outbound.trust import trusted

CONNECT_SECONDS = 5.0
STEP_SECONDS = 15.0  # for one read or write
TOTAL_SECONDS = 20.0  # below sending.POST_DEADLINE_SECONDS
LOOK_UP_SECONDS = 10.0
MAX_CONNECTIONS = 50
MAX_ANSWER_BYTES = 1024 * 1024
REFUSED = frozenset({400, 413, 422})
UNCLEAR = frozenset({408, 409})
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
Meanings = Mapping[str, Callable[[str], SojournError]]
RETRY_AFTER = ("retry-after", "ratelimit-reset", "x-sib-ratelimit-reset")  # all of them in seconds; a date is not read
_CODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


class Answer:
    """An answer: its status, and its body where that is JSON."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        try:
            self.json: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            self.json = None

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> float | None:
        """After how many seconds it wants to be asked again; None where it does not say, or says at once."""
        said = next((value for name in RETRY_AFTER if (value := self.headers.get(name))), "")
        return float(said) or None if said.isascii() and said.isdigit() else None

    def field(self, *path: str | int) -> Any:
        """Return what stands at a place in the JSON; None where nothing does."""
        found = self.json
        for part in path:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def code(self, *path: str | int) -> str:
        """Return a code of the JSON; empty where what stands there is none, such as a sentence."""
        found = str(self.field(*path) or "")
        return found if _CODE.match(found) else ""

    def text(self, *path: str | int) -> str | None:
        """Return a text of the JSON, cut to what the ledger holds."""
        found = self.field(*path)
        return str(found)[:255] if isinstance(found, str | int) and found != "" else None


class HttpApi:
    """A provider's API.

    Args:
        name: of the provider.
        base: the address that paths are added to.
        headers: sent with every request.
        auth: user name and password, where the API wants Basic.
        total_seconds: how long a post may take.
    """

    def __init__(
        self,
        name: str,
        base: str,
        headers: Mapping[str, str] | None = None,
        *,
        auth: tuple[str, str] | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self.name = name
        self._base = base.rstrip("/")
        self._headers = dict(headers or {})
        self._auth = auth
        self._total_seconds = total_seconds
        self._client: httpx.AsyncClient | None = None
        self.answers = AnswerWindow()

    async def post(self, path: str, **body: Any) -> Answer:
        """Post a message and return the answer, whatever its status.

        Raises:
            ProviderBusy: the request never left.
            ProviderUnclear: no answer came.
        """
        async with self.answers.place() as place:
            answer = await self._ask("POST", path, self._total_seconds, body)
            place.lost = answer.status in UNCLEAR or not 200 <= answer.status < 500
        return answer

    async def look(self, method: str, path: str, **body: Any) -> Answer:
        """Ask what changes nothing.

        Raises:
            ProviderBusy: there is no answer, or one that means nothing.
        """
        try:
            answer = await self._ask(method, path, LOOK_UP_SECONDS, body)
        except ProviderUnclear as error:
            raise ProviderBusy(str(error)) from None
        if not answer.ok:
            raise ProviderBusy(f"{self.name} answered {answer.status} to a look-up")
        return answer

    async def aclose(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self, method: str, path: str, seconds: float, body: dict[str, Any]) -> Answer:
        client, begun, content = self._opened(), None, bytearray()
        try:
            async with asyncio.timeout(seconds), client.stream(method, self._base + path, **body) as response:
                begun = response
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > MAX_ANSWER_BYTES:
                        break
        except _NEVER_SENT as error:
            raise ProviderBusy(f"{self.name} could not be reached ({type(error).__name__})") from None
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            if begun is None or not begun.is_success:  # a 2xx whose words are cut short is a 2xx
                raise ProviderUnclear(f"the answer of {self.name} was lost ({type(error).__name__})") from None
        assert begun is not None
        return Answer(begun.status_code, begun.headers, bytes(content))

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            step = min(STEP_SECONDS, self._total_seconds)
            self._client = httpx.AsyncClient(
                headers=self._headers,
                auth=self._auth,
                timeout=httpx.Timeout(step, connect=min(CONNECT_SECONDS, step), pool=min(CONNECT_SECONDS, step)),
                limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
                follow_redirects=False,
                verify=trusted(),
                trust_env=False,  # keys go where the code says, not where a variable of the machine leads
            )
        return self._client


class HttpProvider:
    """What the providers with an HTTP API have in common; each says for itself where it differs.

    Attributes:
        means: codes whose meaning is another than their status'.
    """

    name: str
    klass = Klass.EVIDENTIAL
    carries_amp = False  # where its API takes no such part
    key_window = UNKEYED
    limits = Limits()
    means: ClassVar[Meanings] = {}

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str] | None = None,
        *,
        auth: tuple[str, str] | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self.api = HttpApi(self.name, base, headers, auth=auth, total_seconds=total_seconds)

    @property
    def answers(self) -> AnswerWindow:
        """How many messages may wait for an answer at once."""
        return self.api.answers

    def refusal(self, answer: Answer, code: str = "", *, sender: bool = False) -> SojournError:
        """Return what an answer that is no 2xx proves; arguments as of the function of this name."""
        return refusal(self.name, answer, code, exceptions=self.means, sender=sender)

    def list_of(self, answer: Answer, *path: str | int) -> list[Any]:
        """Return the list at a place in a look-up's answer.

        Raises:
            ProviderBusy: there is none, and so the answer means nothing.
        """
        found = answer.field(*path)
        if not isinstance(found, list):
            raise ProviderBusy(f"{self.name} gave an answer to a look-up that cannot be understood")
        return found


def refusal(name: str, answer: Answer, code: str = "", *, exceptions: Meanings | None = None, sender: bool = False) -> SojournError:
    """Return what an answer that is no 2xx proves.

    Args:
        name: of the provider.
        answer: its answer.
        code: the provider's own word for it, where it has one.
        exceptions: codes whose meaning is another than their status'.
        sender: whether its words are about who sends, and not about whom or what is sent.
    """
    said = f"{name} answered {answer.status}{f' {code}' if code else ''}"
    status = answer.status
    meant = exceptions.get(code) if exceptions else None
    if meant is not None and meant is not ProviderBusy:
        return meant(said)
    if meant is ProviderBusy or status == 429:
        return ProviderBusy(said, answer.retry_after)
    if status in REFUSED and not sender:
        return Rejected(said)
    if 400 <= status < 500 and status not in UNCLEAR:
        return ProviderLocked(f"{said}: it takes nothing from us; look at the account, its key and its domain")
    return ProviderUnclear(said)


def split_headers(message: Message) -> tuple[str | None, dict[str, str]]:
    """Return where answers go, and the other headers of a message with its Message-ID, for an API that asks for each apart."""
    headers = {**message.headers, "Message-ID": message.id}
    return headers.pop("Reply-To", None), headers


def mailbox(name: str | None, address: str) -> str:
    """Return a name and an address as one text; the gate has seen to it that neither holds a control character."""
    if not name:
        return address
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>'


def named(name: str | None, address: str) -> dict[str, str]:
    """Return a name and an address as an object."""
    return {"email": address, **({"name": name} if name else {})}
