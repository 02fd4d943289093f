"""The send protocol, drawn: the ledger's own table as a state diagram, and each provider's class from its own file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from sojourn.delivery.ledger import ALLOWED, State
from sojourn.delivery.providers.base import Klass

# When each transition of the table is made; a colon or semicolon would end the label.
WHEN: Mapping[tuple[State | None, State], str] = {
    (None, State.PLANNED): "rendered, frozen under its key",
    (State.PLANNED, State.CLAIMED): "the gate says yes",
    (State.PLANNED, State.HELD): "not now (hours, a rate)",
    (State.PLANNED, State.SUPPRESSED): "the gate says no",
    (State.PLANNED, State.ACCEPTED): "evidence that outdates a look-up",
    (State.HELD, State.CLAIMED): "the gate says yes",
    (State.HELD, State.HELD): "still not",
    (State.HELD, State.SUPPRESSED): "the gate says no",
    (State.HELD, State.ACCEPTED): "evidence that outdates a look-up",
    (State.CLAIMED, State.ACCEPTED): "2xx, or evidence",
    (State.CLAIMED, State.REJECTED): "a definite refusal",
    (State.CLAIMED, State.PLANNED): "proof that nothing was accepted",
    (State.CLAIMED, State.UNKNOWN): "time-out, reset, 5xx, or found claimed",
    (State.UNKNOWN, State.ACCEPTED): "a webhook, a look-up, a late answer, a person's word",
    (State.UNKNOWN, State.REJECTED): "the lone attempt's late refusal",
    (State.UNKNOWN, State.CLAIMED): "class A, inside the key's window, gate asked again",
    (State.UNKNOWN, State.PLANNED): "class B, not found past the lag, late proof, or a person's word",
    (State.UNKNOWN, State.ABANDONED): "the grace is over, or the gate says no",
    (State.ABANDONED, State.ACCEPTED): "late evidence, counted and alarmed, or a person's word",
    (State.ABANDONED, State.PLANNED): "a person's word that it is to be sent again",
}
CLASSES = {
    Klass.KEYED: "keyed: a second post under the key is no second message",
    Klass.EVIDENTIAL: "evidential: the key comes back in webhooks or look-ups",
    Klass.SMTP: "SMTP: the Message-ID correlates, and does not deduplicate",
    Klass.BLIND: "blind: nothing comes back",
}


def transitions() -> Iterator[tuple[State | None, State]]:
    """Return what may follow what, as the ledger allows it."""
    for before, after in ALLOWED.items():
        yield from ((before, each) for each in State if each in after)


def draw() -> str:
    """Return the ledger's states as a Mermaid diagram."""
    lines = [f"    {before or '[*]'} --> {after}: {WHEN[before, after]}" for before, after in transitions()]
    ends = [f"    {state} --> [*]" for state in State if not ALLOWED[state]]
    return "\n".join(["stateDiagram-v2", *lines, *ends]) + "\n"


def classes(providers: Mapping[str, type]) -> str:
    """Return what each provider can say of a lost answer, as a Markdown table.

    Args:
        providers: the classes that make them, by name.
    """
    made: Any
    rows = ["| provider | class | what clears up a lost answer | one request could hold |", "|---|---|---|---|"]
    for name, made in providers.items():
        klass, limits = Klass(made.klass), getattr(made, "limits", None)
        batch = f"{limits.batch}, {limits.together}" if limits and limits.batch > 1 else "1"
        if limits and limits.per_second:
            batch += f"; {limits.per_second:g} requests a second"
        rows.append(f"| {name} | {klass.value}, {CLASSES[klass].partition(':')[0]} | {_clears(made, klass)} | {batch} |")
    return "\n".join(rows) + "\n"


def _clears(provider: Any, klass: Klass) -> str:
    if klass is Klass.KEYED:
        window: timedelta = provider.key_window
        return "a second post at any time" if window == timedelta.max else f"a second post within {_minutes(window)}"
    lag: timedelta | None = getattr(provider, "index_lag", None)
    if lag is not None:
        return f"its webhooks; a look-up, believed after {_minutes(lag)} where it finds nothing"
    return {Klass.EVIDENTIAL: "its webhooks", Klass.SMTP: "a bounce by mail, an open, a click"}.get(klass, "an open, a click")


def _minutes(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 120 else f"{minutes} min"
