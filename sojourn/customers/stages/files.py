"""Segment files made by a command: what they hold, how they differ from what is there, and writing them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from textwrap import indent, wrap

from sojourn.customers.stages.conditions import Written
from sojourn.customers.stages.fit import Fitted
from sojourn.language.loader import load_segment
from sojourn.language.stages_model import StagesModel

WIDTH = 100
GENERATED = "# Written by `sojourn "
"""How a file begins that a command wrote, and may write anew or remove."""


@dataclass(frozen=True)
class Change:
    """One file that is to become something else.

    Attributes:
        before: its text; None where there is none yet.
        after: its text; None where it is to go.
    """

    path: Path
    before: str | None
    after: str | None

    def diff(self) -> str:
        """Return the change as a unified diff."""
        old, new = ((text or "").splitlines(keepends=True) for text in (self.before, self.after))
        gone, come = ("/dev/null" if text is None else self.path.as_posix() for text in (self.before, self.after))
        return "".join(unified_diff(old, new, gone, come))

    def carry_out(self) -> None:
        """Write the file, or remove it."""
        if self.after is None:
            self.path.unlink()
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".yaml.new")
        beside.write_text(self.after, encoding="utf-8")
        beside.replace(self.path)  # whoever reads the folder meanwhile sees the old file or the new one, never half


def stage_files(model: StagesModel, fitted: Fitted, made: Sequence[Written], source: str = "") -> dict[str, str]:
    """Return the text of each segment's file by its name.

    Args:
        model: as read from stages.yaml.
        fitted: the cut points.
        made: the segments.
        source: of what the cut points were computed, where it is not the shop's own customers.
    """
    shares = ", ".join(f"{axis} {_list(getattr(model.quantiles, axis))}" for axis in ("recency", "frequency", "monetary"))
    cuts = f"days {_list(fitted.recency)}, purchases {_list(fitted.frequency)}, amounts {_list(fitted.monetary)}"
    customers = f"{fitted.people:,} customers who bought within {model.window} of {fitted.at:%Y-%m-%d}" + (f" ({source})" if source else "")
    head = (
        f"{GENERATED}stages fit`, version {fitted.version}; edit stages.yaml and run it again, rather than this file.",
        f"Over {customers}.",
        f"Quantiles: {shares}.",
        f"Cut points: {cuts}.",
        *(f"Adapted: {sentence}." for sentence in fitted.adapted),
    )
    return {f"{each.name}.yaml": _text(each, head) for each in made}


def header(lines: Iterable[str]) -> str:
    """Return sentences as a comment."""
    text = [part for line in lines for part in wrap(line.removeprefix("# "), WIDTH - 2)]
    return "".join(f"# {line}\n" for line in text)


def described(text: str) -> str:
    """Return a description as a folded YAML block."""
    return "description: >\n" + indent("\n".join(wrap(text, WIDTH - 2)), "  ") + "\n"


def _text(made: Written, head: Iterable[str]) -> str:
    described_ = f"{described(made.description)}source: sojourn stages fit\n"
    text = f"{header(head)}segment: {made.name}\n{described_}members: >\n{indent(made.members, '  ')}\n"
    load_segment(text, f"{made.name}.yaml")  # what is written is read as strictly as what people write
    return text


def changes(folder: Path, prefixes: tuple[str, ...], texts: dict[str, str]) -> list[Change]:
    """Return what would change in a folder: files to write, and generated ones of these prefixes that are no longer wanted.

    A file that people wrote is never removed: only what begins as a generated one does.
    """
    there = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml")) if path.name.startswith(prefixes)}
    found = [Change(folder / name, there.get(name), text) for name, text in texts.items() if there.get(name) != text]
    gone = [name for name, text in there.items() if name not in texts and text.startswith(GENERATED)]
    return found + [Change(folder / name, there[name], None) for name in gone]


def _list(numbers: Iterable[float]) -> str:
    return "[" + ", ".join(f"{number:.2f}".rstrip("0").rstrip(".") for number in numbers) + "]"


__all__ = ["GENERATED", "Change", "changes", "described", "header", "stage_files"]
