"""A shop in virtual time, for tests: the real store, intake, routing, rendering and gate; no server and no waiting.

`docs/testing.md` shows how it is used. Names are imported when they are first asked for, because pytest loads this
package (for the fixture `shop`) in every run, also where no test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sojourn.testing.answers import Broadcast, Entry, Link, Passed, Profile, Recipient, Refusal, Send, Taken, Verdict
    from sojourn.testing.shop import Shop

__all__ = ["Broadcast", "Entry", "Link", "Passed", "Profile", "Recipient", "Refusal", "Send", "Shop", "Taken", "Verdict"]

_HOMES = dict.fromkeys(__all__, "answers") | {"Shop": "shop"}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
