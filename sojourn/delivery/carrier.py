"""Who carries messages away, as the settings and delivery.yaml say."""

from __future__ import annotations

from pathlib import Path

from sojourn.breaker import Breaker
from sojourn.delivery.providers import Provider
from sojourn.delivery.providers.inbox import Inbox
from sojourn.delivery.routing import Carriers, Only, Routing
from sojourn.language.delivery_model import DeliverySettings
from sojourn.language.loader import DELIVERY_FILE, load_delivery
from sojourn.settings import INBOX, Settings


def delivery_of(journeys: Path) -> DeliverySettings | None:
    """Return who a folder's delivery.yaml has carry messages away; None where there is none.

    Raises:
        DefinitionError: the file is wrong.
    """
    path = journeys / DELIVERY_FILE
    return load_delivery(path.read_bytes(), str(path)) if path.is_file() else None


def carrier(settings: Settings, delivery: DeliverySettings | None) -> Provider | Routing:
    """Return who carries messages away: what delivery.yaml says, else the mail server that is set, else the local inbox.

    Raises:
        SettingsError: a key is missing.
    """
    sign = None
    if settings.dkim_key:
        from sojourn.delivery.dkim import Dkim

        sign = Dkim.read(settings.dkim_key, settings.dkim_selector)
    if delivery is not None:
        from sojourn.delivery.providers.registry import providers

        return Carriers.of(delivery, providers(delivery, settings.provider_secrets, sign))
    if settings.smtp_url:
        from sojourn.delivery.providers.smtp import Smtp

        return Only(Smtp.from_url(settings.smtp_url, sign), Breaker())
    return Inbox(settings.data_dir / INBOX)
