"""How a figure is taken and told: percentiles, processor time, a progress bar, one JSON line per case, a table at the end."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share (0 to 1) of all does not pass; the nearest rank, never an interpolation."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, max(0, math.ceil(share * len(values)) - 1))]


def median(values: Iterable[float]) -> float:
    """Return the middle one of several runs."""
    return statistics.median(values)


def cpu_seconds(*pids: int) -> float:
    """Return the processor time that processes have used so far."""
    spent = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        spent += times.user + times.system
    return spent


def resident_mb(pid: int) -> float:
    """Return a process's resident memory in MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def rounded(value: Any) -> Any:
    """Return a figure with as many digits as it deserves: three."""
    if not isinstance(value, float) or not math.isfinite(value) or value == 0:
        return value
    digits = 2 - math.floor(math.log10(abs(value)))
    return round(value, digits) if digits > 0 else round(value)


class Report:
    """Tells what is measured, while and after it is measured.

    A line of JSON on standard output for each case and goal, for programs; a bar and a table on
    standard error, for people.

    Args:
        bench: the name of the measurement.
        steps: how many `advance` make it whole.
    """

    def __init__(self, bench: str, steps: int) -> None:
        self.bench = bench
        self.rows: list[tuple[str, dict[str, Any]]] = []
        self.goals: list[tuple[str, str]] = []
        self._console = Console(stderr=True, width=150)
        columns = (TextColumn(f"{bench}: {{task.description}}"), BarColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("", total=steps)

    def __enter__(self) -> Report:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        table = Table(title=self.bench)
        names = list(dict.fromkeys(name for _, figures in self.rows for name in figures))
        for name in ("case", *names):
            table.add_column(name, justify="left" if name == "case" else "right")
        for case, figures in self.rows:
            table.add_row(case, *(str(figures.get(name, "")) for name in names))
        self._console.print(table)
        for sentence, verdict in self.goals:
            self._console.print(f"{sentence}: {verdict}", highlight=False)

    def advance(self, doing: str) -> None:
        """Say what is done now."""
        self._bar.update(self._task, description=doing, advance=1)

    def case(self, case: str, **figures: Any) -> None:
        """Tell the figures of one case; a name's underscores are read as spaces."""
        told = {name.replace("_per_s", "/s").replace("_", " "): rounded(value) for name, value in figures.items()}
        self.rows.append((case, told))
        _line({"bench": self.bench, "case": case, "figures": told})

    def goal(self, sentence: str, value: float, met: bool) -> None:
        """Tell whether a goal is met."""
        self.goals.append((sentence, f"{rounded(value)}, {'met' if met else 'missed'}"))
        _line({"bench": self.bench, "goal": sentence, "value": rounded(value), "met": met})


def _line(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()
