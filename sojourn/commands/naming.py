"""Finds the journeys that a command names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sojourn.errors import NotFound
from sojourn.language.model import Journey
from sojourn.language.problems import unknown


def chosen(journeys: Mapping[str, Journey], names: Sequence[str]) -> list[Journey]:
    """Return the journeys of these names, all of them where no name is given.

    Raises:
        NotFound: there is no such journey; the message suggests the nearest name.
    """
    for name in names:
        if name not in journeys:
            raise NotFound(unknown("journey", name, journeys))
    return [journeys[name] for name in names or sorted(journeys)]
