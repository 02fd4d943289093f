"""Whom to trust, for every client that speaks TLS."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """Return the certificates to trust; read once in a process, since reading them takes longer than most answers."""
    return httpx.create_ssl_context(trust_env=False)
