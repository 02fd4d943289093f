"""What a folder declares: the events and their properties, the traits, and whatever else a definition may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sojourn.language.events.known import Path, undeclared_part
from sojourn.language.events.model import EventDefinition
from sojourn.language.finding import NOTHING_KNOWN, Known
from sojourn.language.problems import listed, nearest, shown, unknown
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.shop import Undeclared
from sojourn.language.spelling import CALLS, ENGINE

_SEND = frozenset({"send_key", "journey", "send_id", "content", "variant", "machine", "because"})
_WORD = frozenset({"purpose", "source", "wording", *_SEND})
# What the engine's own events bear. A property beside these is only spoken of where it looks like one of them.
ENGINE_PROPERTIES: dict[str, frozenset[str]] = {
    "Email Delivered": _SEND, "Email Opened": _SEND, "Email Link Clicked": _SEND | {"link_url", "link_position"},
    "Email Bounced": _SEND, "Email Marked as Spam": _SEND, "Unsubscribed": _WORD, "Subscribed": _WORD,
    "Consent Requested": _WORD, "Consent Confirmed": _WORD, "Segment Entered": frozenset({"segment", "cause"}),
    "Segment Exited": frozenset({"segment", "cause"}),
    "Location Changed": frozenset({"from_city", "from_country", "to_city", "to_country"}),
}  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    """The names that a folder declares.

    Attributes:
        events: what events/ declares, by name; where it declares none, any event may be named.
        undeclared: what becomes of events that it does not declare.
        profile: what profile.yaml says; None where it cannot be read.
        traits_set: traits that journeys write.
        begun_with: properties that `enter` steps hand to a journey, by the journey's name.
        known: segments, purposes and whatever else is named.
    """

    events: Mapping[str, EventDefinition] = field(default_factory=dict)
    undeclared: Undeclared = "accept"
    profile: ProfileSettings | None = None
    traits_set: frozenset[str] = frozenset()
    begun_with: Mapping[str, frozenset[str]] = field(default_factory=dict)
    known: Known = NOTHING_KNOWN

    def about_event(self, name: str) -> str | None:
        """Return what is to be said of an event's name; None where it is declared, or nothing declares events."""
        if not self.events or name in self.events or name in ENGINE or name in CALLS:
            return None
        return f"{unknown('event', name, {*self.events, *ENGINE})} (nothing in events/ declares it)"

    def about_property(self, event: str, path: Path, also: frozenset[str] = frozenset()) -> str | None:
        """Return what is to be said of a property that an event's open schema does not name; None where it does.

        Args:
            event: its name.
            path: of the property.
            also: properties that may be there beside.
        """
        if not path or path[0] in also:
            return None
        definition = self.events.get(event)
        if definition is None:
            near = nearest(str(path[0]), ENGINE_PROPERTIES.get(event, ()))
            known = path[0] in ENGINE_PROPERTIES.get(event, ()) or not near
            return None if known else f"`{event}` has no property {shown(path[0])}{near}"
        beyond = undeclared_part(definition.properties, path)
        if beyond is None:
            return None
        at, names = beyond
        hint = nearest(str(path[at]), names) or f"; it has {listed(sorted(names))}"
        return f"the definition of `{event}` names no property {shown(path[at])}{hint}"

    def about_trait(self, name: str) -> str | None:
        """Return what is to be said of a trait that profile.yaml does not declare; None where it does, or declares none."""
        if self.profile is None or not self.profile.traits or self.profile.undeclared != "keep":
            return None  # where undeclared traits are dropped, it is an error that is said elsewhere
        names = self.profile.names() | self.traits_set
        return None if name in names else f"{unknown('trait', name, names)} (profile.yaml declares no such trait)"


__all__ = ["ENGINE_PROPERTIES", "Vocabulary"]
