"""Makes the providers that `journeys/delivery.yaml` names. A new one is a file here, and a line in `language/delivery_model.py`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from sojourn.delivery.providers.base import Provider
from sojourn.delivery.providers.plug import Given, Plug, Sign
from sojourn.delivery.webhooks.base import Hook
from sojourn.language.delivery_model import DeliverySettings


def plug(name: str) -> Plug:
    """Return what a provider's file makes; its libraries are imported now and not before."""
    found = import_module(f"{__package__}.{name}").PLUG
    assert isinstance(found, Plug)
    return found


def providers(settings: DeliverySettings, secrets: Mapping[str, str], sign: Sign | None = None) -> dict[str, Provider]:
    """Return the providers that delivery.yaml names.

    Args:
        settings: delivery.yaml.
        secrets: settings by their names, such as `postmark_api_key`.
        sign: adds a DKIM signature.

    Raises:
        SettingsError: a key is missing.
    """
    return {each.provider: plug(each.provider).make(Given(each.provider, secrets, each.options(), sign)) for each in settings.providers}


def hooks(settings: DeliverySettings, secrets: Mapping[str, str]) -> dict[str, Hook]:
    """Return who reads the webhooks of the providers that delivery.yaml names; one whose key is not set has none."""
    found: dict[str, Hook] = {}
    for each in settings.providers:
        given, made = Given(each.provider, secrets, each.options()), plug(each.provider)
        if made.hook is not None and (made.keyless or given.has("webhook_key")):
            found[each.provider] = made.hook(given)
    return found
