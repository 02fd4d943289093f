"""Runs every measurement and writes its tables into RESULTS.md, each with machine, date and command.

    python -m bench [--only NAME …] [--runs N]

Each measurement is a process of its own. What stands in RESULTS.md outside of the marks of a
measurement is written by people and stays.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).with_name("RESULTS.md")
ORDER = (
    "domain", "simulate", "intake", "latency", "journeys", "burst", "waiting",
    "segments", "builds", "bulk", "resolution", "render", "gate", "bounces", "broadcast",
)  # fmt: skip
LIMIT = 600.0  # seconds of one measurement


def machine() -> str:
    """Return what was measured on, in a line."""
    model = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    memory = psutil.virtual_memory().total / 1e9
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def run(name: str, arguments: Sequence[str]) -> tuple[list[dict[str, Any]], str]:
    """Run a measurement once; return its lines, and why it failed where it did."""
    command = [sys.executable, "-m", f"bench.{name}", *arguments]
    try:
        done = subprocess.run(command, cwd=RESULTS.parents[1], stdout=subprocess.PIPE, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return [], f"took longer than {LIMIT:.0f} s"
    found = [_in_form(json.loads(line)) for line in done.stdout.decode().splitlines() if line.startswith("{")]
    return found, "" if done.returncode == 0 else f"ended with code {done.returncode}"


def _in_form(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line as a case, also where a measurement tells a journey and its figures side by side."""
    if "journey" not in line:
        return line
    figures = {name.replace("_per_s", "/s").replace("_", " "): value for name, value in line.items() if name not in ("bench", "journey")}
    return {"bench": line["bench"], "case": line["journey"], "figures": figures}


def table(runs: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Return the cases of several runs as a table of medians, and the goals below it."""
    cases: dict[str, dict[str, list[Any]]] = {}
    goals: dict[str, list[float]] = {}
    met: dict[str, list[bool]] = {}
    for line in (line for lines in runs for line in lines):
        if "case" in line:
            for figure, value in line["figures"].items():
                cases.setdefault(line["case"], {}).setdefault(figure, []).append(value)
        elif "goal" in line:
            goals.setdefault(line["goal"], []).append(line["value"])
            met.setdefault(line["goal"], []).append(line["met"])
    columns = list(dict.fromkeys(figure for figures in cases.values() for figure in figures))
    rows = [["", *columns], ["---", *("---:" for _ in columns)]]
    rows += [[case, *(_middle(figures.get(column, [])) for column in columns)] for case, figures in cases.items()]
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    verdicts = [f"- {goal}: **{_middle(values)}**, {_verdict(met[goal])}" for goal, values in goals.items()]
    return "\n".join([text, "", *verdicts])


def _middle(values: Sequence[Any]) -> str:
    numbers = [value for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values) or not values:
        return str(values[-1]) if values else ""
    middle = statistics.median(numbers)
    return f"{middle:,.0f}" if middle == int(middle) else f"{middle:g}"


def _verdict(met: Sequence[bool]) -> str:
    if len(set(met)) == 1:
        return "met" if met[0] else "missed"
    return f"met in {sum(met)} of {len(met)} runs"


def write(name: str, section: str) -> None:
    """Put a measurement's section between its marks, or at the end where it has none."""
    begin, end = f"<!-- measured: {name} -->", f"<!-- end: {name} -->"
    block = f"{begin}\n{section}\n{end}"
    text = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    text = marked.sub(lambda _: block, text) if marked.search(text) else f"{text.rstrip()}\n\n## {name}\n\n{block}\n"
    RESULTS.write_text(text)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [name for name in ORDER if RESULTS.with_name(f"{name}.py").exists()]
    parser.add_argument("--only", nargs="+", choices=known, default=known, metavar="NAME", help=", ".join(known))
    parser.add_argument("--runs", type=int, default=1, help="how often each; the table shows the median (1)")
    asked = parser.parse_args()
    failed = []
    for number, name in enumerate(asked.only, 1):
        runs, began = [], time.monotonic()
        for turn in range(asked.runs):
            print(f"[{number}/{len(asked.only)}] {name}, run {turn + 1} of {asked.runs}", file=sys.stderr, flush=True)
            lines, problem = run(name, [])
            if problem:
                failed.append(name)
                print(f"{name} {problem}; RESULTS.md keeps what it had", file=sys.stderr)
                break
            runs.append(lines)
        if runs and len(runs) == asked.runs:
            took = time.monotonic() - began
            head = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; `python -m bench.{name}`, median of {asked.runs}, {took:.0f} s."
            write(name, f"{head}\n\n{table(runs)}")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
