"""Who carries messages away: one protocol, several providers."""

from sojourn.delivery.providers.base import Klass, Provider, Receipt

__all__ = ["Klass", "Provider", "Receipt"]
