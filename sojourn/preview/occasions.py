"""What brings a content about: the step of a journey, or the broadcast, that sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sojourn.errors import NotFound
from sojourn.language.broadcast_model import TRIGGER
from sojourn.language.definitions import Definitions
from sojourn.language.outline import sends
from sojourn.language.problems import listed, unknown


@dataclass(frozen=True)
class Occasion:
    """Where a content is sent.

    Attributes:
        journey: the journey's or the broadcast's name; None where nothing sends it yet.
        send_id: the step's.
        purpose: the consent that it needs.
        trigger: the event that begins the entry.
        with_: what the step passes.
    """

    journey: str | None = None
    send_id: str = ""
    purpose: str = "marketing"
    trigger: str | None = None
    with_: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> str:
        """Return it in words."""
        return f"{self.journey}, step {self.send_id}" if self.journey is not None else "nothing sends it yet"


def occasions(definitions: Definitions, content: str) -> list[Occasion]:
    """Return where a content is sent: of journeys, then of broadcasts, by name."""
    found = [
        Occasion(name, send, journey.purpose, journey.enter.on, step.with_)
        for name, journey in sorted(definitions.journeys.items())
        for send, step in sends(journey).items()
        if step.send == content
    ]
    found += [
        Occasion(name, content, broadcast.purpose, TRIGGER, broadcast.with_)
        for name, broadcast in sorted(definitions.broadcasts.items())
        if broadcast.content == content
    ]
    return found


def occasion(definitions: Definitions, content: str, journey: str | None = None) -> Occasion:
    """Return where a content is sent: the first place, or that in a journey.

    Raises:
        NotFound: the journey does not send it.
    """
    found = occasions(definitions, content)
    if journey is None:
        return found[0] if found else Occasion(send_id=content)
    for each in found:
        if each.journey == journey:
            return each
    names = [each.journey for each in found if each.journey is not None]
    there = f"it is sent by {listed(names)}" if names else "nothing sends it yet"
    raise NotFound(f"{unknown('journey', journey, names)}: {there}" if names else f"no journey sends {content}; {there}")
