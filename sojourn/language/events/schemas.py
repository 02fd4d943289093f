"""Asks whether an event fits what was declared: validators that are made once and asked for each event.

`jsonschema_rs` asks in under a microsecond, matches patterns in linear time (no pattern and no text can make
it run long), and is told never to fetch anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions

from sojourn.language.events.model import EventDefinition
from sojourn.language.events.wording import Fault, faults_of
from sojourn.language.shop import Undeclared
from sojourn.language.spelling import ENGINE

PATTERN_BYTES = 1_000_000  # of a compiled pattern
MAX_SAID = 5  # faults in one sentence
_OWN = frozenset(ENGINE)
_UNDECLARED = Fault("", "the event is not declared in journeys/events")


def compile_schema(schema: Mapping[str, Any]) -> Draft202012Validator:
    """Return the validator of a schema that was checked.

    Raises:
        jsonschema_rs.ValidationError: it is no schema, or a pattern of it is none.
    """
    return Draft202012Validator(
        dict(schema),
        validate_formats=True,
        offline=True,
        pattern_options=RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES),
    )


@dataclass(frozen=True)
class Verdict:
    """What is wrong with an event, and whether it is set aside for it."""

    event: str
    faults: tuple[Fault, ...]
    quarantine: bool

    def sentence(self) -> str:
        """Return it as the reason that quarantine shows."""
        said = "; ".join(map(str, self.faults[:MAX_SAID])) + ("; …" if len(self.faults) > MAX_SAID else "")
        return f"{self.event}: {said}"


class EventSchemas:
    """The declared events, ready to be asked.

    Args:
        definitions: by the events' names.
        undeclared: what becomes of an event that none of them declares.
    """

    def __init__(self, definitions: Mapping[str, EventDefinition], undeclared: Undeclared = "accept") -> None:
        self._checks = {name: (compile_schema(each.properties), each.policy == "quarantine") for name, each in definitions.items()}
        self._undeclared = undeclared

    def judge(self, name: str, properties: dict[str, Any]) -> Verdict | None:
        """Return what is wrong with an event from outside; None where nothing is.

        Events that the engine itself brings need no declaration.
        """
        check = self._checks.get(name)
        if check is None:
            if self._undeclared == "accept" or name in _OWN:
                return None
            return Verdict(name, (_UNDECLARED,), self._undeclared == "quarantine")
        validator, quarantine = check
        if validator.is_valid(properties):
            return None
        return Verdict(name, faults_of(validator.iter_errors(properties)), quarantine)
