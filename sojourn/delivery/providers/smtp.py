"""Hands messages to an SMTP server (class C): at most once, or an honest "nobody knows".

Until the last line of DATA is out, a failure proves that nothing was accepted; from then on only the server's answer
tells. So the last line is a step of its own: it goes out where the server answers what it was given before, and its answer
is waited for longer than any other (RFC 5321, 4.5.3.2.6, warns of giving up here). What is kept of an answer are its
codes: its words may hold the recipient's address.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from urllib.parse import parse_qs, unquote, urlsplit

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected, SMTPStatus

from sojourn.clock import monotonic
from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.answers import PLACE_SECONDS, AnswerWindow
from sojourn.delivery.providers.base import UNKEYED, Klass, Limits, Receipt
from sojourn.delivery.providers.plug import Given, Plug, Sign
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderUnclear, Rejected, SettingsError

STEP_SECONDS = 10.0  # for one command's answer
DIALOGUE_SECONDS = 20.0  # for all of it before the last line
TOTAL_SECONDS = 45.0  # with the answer to it; below sending.POST_DEADLINE_SECONDS
ANSWER_SECONDS = 35.0  # for that answer: a server that stands still for half a minute has it all the same
DRAIN_SECONDS = 0.01  # between two looks whether the message is out
QUIT_SECONDS = 1.0
PORTS = {"smtp": 25, "smtps": 465}
STARTTLS = {"auto": None, "always": True, "never": False}
LOG_IN = frozenset({530, 534, 535, 538})  # RFC 4954: it wants a log-in, or another one
_DOT = re.compile(rb"^\.", re.MULTILINE)  # RFC 5321, 4.5.2: a line that begins with a period begins with two
_ENHANCED = re.compile(r"^[245]\.\d{1,3}\.\d{1,3}")


class Smtp:
    """Delivers to an SMTP server, one connection a message.

    Args:
        host: the server.
        port: its port.
        username: for AUTH; None logs nobody in.
        password: for AUTH.
        tls: whether TLS is spoken from the first byte.
        starttls: whether STARTTLS is demanded (True), left out (False), or used where it is offered (None).
        sign: adds a DKIM signature; None leaves that to the server.
        step_seconds: how long one answer may take.
        total_seconds: how long all of it before the last line may take.
        answer_seconds: how long the answer to the message may take; None: long, and no longer than a step where that is short.
    """

    name = "smtp"
    klass = Klass.SMTP
    carries_amp = True  # the message goes out as MIME
    key_window = UNKEYED
    limits = Limits()

    def __init__(
        self,
        host: str,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
        starttls: bool | None = None,
        sign: Sign | None = None,
        step_seconds: float = STEP_SECONDS,
        total_seconds: float = DIALOGUE_SECONDS,
        answer_seconds: float | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._username = username
        self._password = password
        self._tls = tls
        self._starttls = starttls
        self._sign = sign
        self._step_seconds = step_seconds
        self._total_seconds = total_seconds
        patient = step_seconds >= STEP_SECONDS
        self._answer_seconds = answer_seconds if answer_seconds is not None else ANSWER_SECONDS if patient else step_seconds
        self.answers = AnswerWindow(first=1)

    @classmethod
    def from_url(cls, url: str, sign: Sign | None = None) -> Smtp:
        """Return the provider that SOJOURN_SMTP_URL names: `smtp://user:password@host:587?starttls=always` or `smtps://…`.

        Args:
            url: the setting.
            sign: adds a DKIM signature.

        Raises:
            SettingsError: the URL cannot be understood; it is not repeated, for it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS[parts.scheme]
            options = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
            starttls = STARTTLS[options.pop("starttls", "never" if parts.scheme == "smtps" else "auto")]
        except (KeyError, ValueError):
            raise SettingsError(_HOW) from None
        if not parts.hostname or options or parts.path not in ("", "/") or (parts.username and parts.password is None):
            raise SettingsError(_HOW)
        return cls(
            parts.hostname,
            port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "smtps",
            starttls=starttls,
            sign=sign,
        )

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message to the server; the provider's id is the Message-ID."""
        raw = to_bytes(message)
        if self._sign is not None:
            raw = await _signed(self._sign, raw)
        client = SMTP(
            hostname=self.host, port=self.port, username=self._username, password=self._password, use_tls=self._tls,
            start_tls=False if self._tls else self._starttls, timeout=self._step_seconds,
            local_hostname=message.from_address.rpartition("@")[2],  # not this machine's name, nor a look-up of it
        )  # fmt: skip
        accepted, begun = False, monotonic()
        try:
            await self._begin(client, message, raw)
            async with self.answers.place(min(PLACE_SECONDS, self._total_seconds)):
                await self._end(client, min(self._answer_seconds, max(begun + TOTAL_SECONDS - monotonic(), self._step_seconds)))
            accepted = True
        finally:
            await _leave(client, polite=accepted)
        return Receipt(message.id)

    async def _begin(self, client: SMTP, message: Message, raw: bytes) -> None:
        """Say all but the last line; whatever fails here proves that nothing was accepted."""
        step = "connect"
        try:
            async with asyncio.timeout(self._total_seconds):
                await client.connect()
                step = "mail"
                await client.mail(message.from_address)
                step = "rcpt"
                await client.rcpt(message.to_address)
                step = "data"
                code, words = await client.execute_command(b"DATA")
                if code != SMTPStatus.start_input:
                    raise SMTPResponseException(code, words)
                await _write(client, _DOT.sub(b"..", raw))
        except SMTPResponseException as error:
            raise _answered(error, step) from None
        except (SMTPException, OSError, TimeoutError) as error:
            raise ProviderBusy(f"the SMTP server could not be reached or broke off before the message's end ({_kind(error)})") from None

    async def _end(self, client: SMTP, seconds: float) -> None:
        """Say the last line, and hear the answer: from here on nothing else proves anything."""
        protocol, transport = client.protocol, client.transport
        if protocol is None or not protocol.is_connected:
            raise ProviderBusy("the SMTP server broke off before the message's end")
        try:
            code, words = await protocol.execute_command(b".", timeout=seconds)
        except SMTPResponseException as error:
            raise _answered(error, "end") from None
        except (SMTPException, OSError, TimeoutError) as error:
            if isinstance(transport, asyncio.WriteTransport) and protocol.is_connected and transport.get_write_buffer_size():
                raise ProviderBusy("the SMTP server took no more of the message: its last line is still here") from None
            raise ProviderUnclear(f"the SMTP server's answer to the message was lost ({_kind(error)})") from None
        if code != SMTPStatus.completed:
            raise _answered(SMTPResponseException(code, words), "end")


async def _write(client: SMTP, body: bytes) -> None:
    """Write a message without its last line, until none of it is left on this side."""
    protocol, transport = client.protocol, client.transport
    if protocol is None or not isinstance(transport, asyncio.WriteTransport):
        raise SMTPServerDisconnected("connection lost")
    protocol.write(body)
    while transport.get_write_buffer_size():
        await asyncio.sleep(DRAIN_SECONDS)
        if not protocol.is_connected:
            raise SMTPServerDisconnected("connection lost")


def _kind(error: BaseException) -> str:
    return type(error).__name__


async def _signed(sign: Sign, raw: bytes) -> bytes:
    """Return a message with its signature; where none can be made, nothing is sent: unsigned mail would spoil the domain's name."""
    try:
        return await asyncio.get_running_loop().run_in_executor(_signers(), sign, raw)
    except Exception as error:  # of the signing library's own making
        raise ProviderLocked(f"the message could not be signed with DKIM ({type(error).__name__}); look at SOJOURN_DKIM_KEY") from None


@cache
def _signers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="dkim")  # Python runs one of them at a time anyway


_HOW = "SOJOURN_SMTP_URL is not one; write smtp://user:password@host:587?starttls=always (auto, always or never) or smtps://host"


def _answered(error: SMTPResponseException, step: str) -> Rejected | ProviderBusy | ProviderUnclear:
    """Return what an answer proves: before a recipient is named, a refusal is about who sends."""
    enhanced = _ENHANCED.match(error.message)
    codes = f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
    if 400 <= error.code < 500:
        return ProviderBusy(f"the SMTP server asks to come back later: {codes}")
    if 500 <= error.code < 600 and (step in ("connect", "mail") or error.code in LOG_IN):  # it knows of no recipient yet
        return ProviderLocked(f"the SMTP server takes no log-in or sender of ours: {codes}; look at SOJOURN_SMTP_URL and at the From")
    if 500 <= error.code < 600:
        return Rejected(f"the SMTP server refused the message: {codes}")
    kind = ProviderUnclear if step == "end" else ProviderBusy
    return kind(f"the SMTP server gave an answer that means nothing: {codes}")


async def _leave(client: SMTP, *, polite: bool) -> None:
    if polite:
        with contextlib.suppress(SMTPException, OSError, TimeoutError):  # the message is accepted, whatever becomes of the goodbye
            async with asyncio.timeout(QUIT_SECONDS):
                await client.quit()
    elif isinstance(client.transport, asyncio.WriteTransport):
        client.transport.abort()  # and not `close`, which would still send what waits to be written
    client.close()


def _make(given: Given) -> Smtp:
    return Smtp.from_url(given.secret("url"), given.sign)


PLUG = Plug(_make)
