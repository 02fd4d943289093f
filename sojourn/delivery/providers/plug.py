"""How a provider's file tells what it makes: a provider, and the reader of its webhooks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from sojourn.delivery.providers.base import Provider
from sojourn.delivery.webhooks.base import Hook
from sojourn.errors import SettingsError

Fetch = Callable[[str], Awaitable[bytes]]
Sign = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Given:
    """What a provider is made from: secrets from the environment, options from delivery.yaml.

    Attributes:
        name: of the provider.
        secrets: settings by their names, such as `postmark_api_key`.
        options: what stands beside the provider in delivery.yaml.
        sign: adds a DKIM signature; where the provider is a plain mail server.
    """

    name: str
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    sign: Sign | None = None

    @property
    def api_key(self) -> str:
        """The key of its API.

        Raises:
            SettingsError: it is not set.
        """
        return self.secret("api_key")

    @property
    def webhook_key(self) -> str:
        """What its webhooks are verified by.

        Raises:
            SettingsError: it is not set.
        """
        return self.secret("webhook_key")

    def has(self, kind: str) -> bool:
        """Tell whether a secret is set."""
        return bool(self.secrets.get(f"{self.name}_{kind}", "").strip())

    def secret(self, kind: str) -> str:
        """Return a secret of this provider.

        Raises:
            SettingsError: it is not set.
        """
        if not self.has(kind):
            raise SettingsError(f"delivery.yaml names {self.name}, and SOJOURN_{self.name.upper()}_{kind.upper()} is not set")
        return self.secrets[f"{self.name}_{kind}"].strip()

    def option(self, name: str, usual: str = "") -> str:
        """Return an option of delivery.yaml."""
        return self.options.get(name) or usual


@dataclass(frozen=True)
class Plug:
    """What a provider's file makes.

    Attributes:
        make: makes the provider.
        hook: makes the reader of its webhooks; None where it has none.
        keyless: whether its webhooks are verified without a key of ours.
    """

    make: Callable[[Given], Provider]
    hook: Callable[[Given], Hook] | None = None
    keyless: bool = False
