"""Which addresses may be asked at all (SSRF): hosts of the list, and of these only what is out in the internet.

A name is resolved once, every address that it has must be allowed, and the one that was looked at is the one that is
asked: whoever answers for a name cannot answer otherwise a moment later.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from sojourn.errors import Unanswerable, Unanswered

MAX_URL = 2000
PORTS = frozenset({443, 8443})
# What Python calls global, or may in some version, although a part of it leads back to private addresses.
_REFUSED = [
    ip_network(each)
    for each in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0/96", "192.0.0.0/24", "192.88.99.0/24",
        "100.64.0.0/10", "198.18.0.0/15", "240.0.0.0/4", "fec0::/10", "3fff::/20", "5f00::/16",
    )
]  # fmt: skip
_HOST = re.compile(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Gives every address of a host."""


@dataclass(frozen=True)
class Target:
    """A URL that may be asked: its parts, and the address that was looked at."""

    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def pinned(self) -> str:
        """The URL with the address in the place of the host."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """The host as the other side knows itself."""
        return self.host if self.port == (443 if self.scheme == "https" else 80) else f"{self.host}:{self.port}"


def allowed_address(text: str, besides: Iterable[Network] = ()) -> bool:
    """Tell whether an IP address may be asked: only what is global, and no way round to what is not.

    Args:
        text: the address.
        besides: networks that may be asked although they are not; for tests.
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(text.split("%")[0])
    except ValueError:
        return False
    if "%" in text:
        return False  # of one interface only
    if any(address in network for network in besides if network.version == address.version):
        return True
    if address.is_multicast or not address.is_global:
        return False
    return not any(address in network for network in _REFUSED if network.version == address.version)


def read_url(url: str, hosts: Iterable[str], *, plain: bool = False, ports: Iterable[int] = PORTS) -> SplitResult:
    """Return the parts of a URL that may be asked.

    Args:
        url: whole.
        hosts: the allowed ones.
        plain: whether http is allowed, and any port; for tests.
        ports: the allowed ones.

    Raises:
        Unanswerable: it may not.
    """
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Unanswerable(f"the address is not one that can be asked; write https://host/path, at most {MAX_URL} plain characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Unanswerable("the address is not one that can be asked; write https://host/path") from None
    host = parts.hostname or ""
    if parts.scheme != "https" and not (plain and parts.scheme == "http"):
        raise Unanswerable("only https:// is asked")
    if "@" in parts.netloc:
        raise Unanswerable("an address with a user or password in it is never asked")
    if not _HOST.match(host) or host not in hosts:
        raise Unanswerable("the host is not allowed; name it in shop.yaml under `connected: {hosts: […]}`")
    if not plain and port is not None and port not in ports:
        raise Unanswerable(f"the port is not allowed; there are {', '.join(map(str, sorted(ports)))}")
    return parts


async def resolve(host: str, port: int) -> list[str]:
    """Return every address that the system's resolver has for a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def target_of(
    url: str, hosts: Iterable[str], resolver: Resolver = resolve, *, besides: Iterable[Network] = (), plain: bool = False
) -> Target:
    """Return where a URL leads, resolved once.

    Raises:
        Unanswerable: it may not be asked.
        Unanswered: its host is not found.
    """
    parts = read_url(url, hosts, plain=plain)
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = await resolver(host, port)
    except OSError:
        raise Unanswered(f"{host} is not found") from None
    if not addresses:
        raise Unanswered(f"{host} is not found")
    networks = tuple(besides)
    if not all(allowed_address(each, networks) for each in addresses):
        raise Unanswerable(f"{host} leads into a private network, and is not asked")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, addresses[0])
