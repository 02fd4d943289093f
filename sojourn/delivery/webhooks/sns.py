"""Amazon SNS's posts: signed with a certificate that is fetched from Amazon alone, from the topic that was named alone.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
A signature proves that SNS sent it, and anyone may have a topic of SNS: so the topic is compared as well, first. Both
addresses in a post (of the certificate, of the confirmation) come from outside: only Amazon's own host is asked.
"""

from __future__ import annotations

import asyncio
import binascii
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sojourn.delivery.webhooks.base import Forged, Posted, exact_base64, fresh, iso, mapping
from sojourn.errors import Transient
from sojourn.outbound.trust import trusted

FETCH_SECONDS = 5.0
MAX_FETCHED = 64 * 1024
MAX_CERTIFICATES = 8
_HOST = re.compile(r"^sns\.[a-z]{2}(-[a-z]+)+-\d\.amazonaws\.com(\.cn)?\Z")
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_HASHES: dict[str, type[hashes.SHA1] | type[hashes.SHA256]] = {"1": hashes.SHA1, "2": hashes.SHA256}

log = structlog.get_logger(__name__)


class SnsAway(Transient):
    """Amazon did not answer when asked for a certificate; SNS comes again."""


async def fetch(url: str) -> bytes:
    """Return what stands at one of Amazon's addresses; no redirect is followed and no proxy of the machine asked.

    Raises:
        SnsAway: it could not be had.
    """
    try:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False, verify=trusted(), trust_env=False) as client,
            client.stream("GET", url) as response,
        ):
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > MAX_FETCHED:
                    raise SnsAway("Amazon's answer is larger than a certificate")
            if response.status_code != 200:
                raise SnsAway(f"Amazon answered {response.status_code}")
            return bytes(content)
    except (httpx.HTTPError, TimeoutError) as error:
        raise SnsAway(f"Amazon could not be asked ({type(error).__name__})") from None


class Sns:
    """Opens posts of SNS.

    Args:
        topics: whose posts are believed.
        fetch: fetches an address of Amazon's.
    """

    def __init__(self, topics: frozenset[str], fetch: Callable[[str], Awaitable[bytes]]) -> None:
        self._topics = topics
        self._fetch = fetch
        self._certificates: OrderedDict[str, x509.Certificate] = OrderedDict()

    async def open(self, posted: Posted, now: datetime) -> tuple[dict[str, Any], str] | None:
        """Return the event in a post, and SNS's id of it; None where the post was about the subscription.

        Raises:
            Forged: it is not from a topic of ours, or not signed by Amazon.
            SnsAway: its certificate could not be had.
        """
        said = mapping(posted.json())
        if str(said.get("TopicArn")) not in self._topics:
            raise Forged("not from the topic that delivery.yaml names")
        kind = str(said.get("Type"))
        await self._verify(said, _NOTIFICATION if kind == "Notification" else _SUBSCRIPTION, now)
        if kind == "SubscriptionConfirmation":
            url = str(said.get("SubscribeURL"))
            _amazons(url)
            await self._fetch(url)
            log.info("subscribed to a topic of SNS", topic=str(said["TopicArn"]))
            return None
        if kind != "Notification":
            log.warning("a topic of SNS says something else than an event", topic=str(said["TopicArn"]), type=kind[:40])
            return None
        try:
            event = orjson.loads(str(said.get("Message")))
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):  # the first post of a topic is a greeting in words
            return None
        return event, str(said.get("MessageId"))

    async def _verify(self, said: dict[str, Any], names: tuple[str, ...], now: datetime) -> None:
        version = _HASHES.get(str(said.get("SignatureVersion")))
        at = iso(said.get("Timestamp"))
        if version is None or at is None:
            raise Forged("no signature that is known")
        certificate = await self._certificate(str(said.get("SigningCertURL")), now)
        key = certificate.public_key()
        signed = "".join(f"{name}\n{said[name]}\n" for name in names if said.get(name) is not None)
        try:
            if not isinstance(key, rsa.RSAPublicKey):
                raise InvalidSignature
            signature = exact_base64(str(said.get("Signature")))
            key.verify(signature, signed.encode("utf-8", "surrogatepass"), padding.PKCS1v15(), version())
        except (InvalidSignature, ValueError, binascii.Error):
            raise Forged("a wrong signature") from None
        fresh(at, now)

    async def _certificate(self, url: str, now: datetime) -> x509.Certificate:
        _amazons(url)
        if not urlsplit(url).path.endswith(".pem"):
            raise Forged("the certificate's address is none")
        certificate = self._certificates.get(url)
        if certificate is None:
            try:
                certificate = x509.load_pem_x509_certificate(await self._fetch(url))
            except ValueError:
                raise Forged("the certificate is none") from None
            self._certificates[url] = certificate
            while len(self._certificates) > MAX_CERTIFICATES:
                self._certificates.popitem(last=False)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise Forged("the certificate is not valid now")
        return certificate


def _amazons(url: str) -> None:
    """Make sure that an address is Amazon's SNS and nobody else's.

    Raises:
        Forged: it is not.
    """
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "https" and parts.port in (None, 443) and not parts.username and not parts.password
    except ValueError:
        raise Forged("an address that is none") from None
    if not plain or not _HOST.match(parts.hostname or "") or "\\" in url or any(character.isspace() for character in url):
        raise Forged("an address that is not Amazon's")
