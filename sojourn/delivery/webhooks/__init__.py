"""What providers tell us: signed posts, made into notices of one kind."""

from sojourn.delivery.webhooks.base import Forged, Hook, Kind, Notice, Posted, Unreadable

__all__ = ["Forged", "Hook", "Kind", "Notice", "Posted", "Unreadable"]
