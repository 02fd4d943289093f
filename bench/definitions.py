"""The journeys that are measured, as files: the shop's own contents and models, and journeys of the shapes in question."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.servers import ROOT

PURPOSE = "purpose: marketing\nowner: bench@shop.example\n"

# One mail at once: event, entry, mail, end.
ONE_MAIL = """journey: bench_mail
{purpose}description: One mail at once, and that is all.
enter: {{on: Signed Up}}
steps:
  - send: welcome
"""

# temporal.md's journey of one shape: a wait, a decision with a score, a mail, a wait for its click. Its
# first wait is a start delay, unless it is started without one: then it is a timer.
WAIT_AND_MAIL = """journey: bench_wait
{purpose}description: A wait, a score, a mail, a wait for its click.
enter: {{on: Product Added, key: event.cart_id}}
steps:
  - wait: {dwell}
  - score: purchase_propensity
  - if: score.purchase_propensity >= 0.999
    then: [{{end: left_alone}}]
  - send: cart_reminder
    id: reminder
  - wait_for: reminder.clicked
    up_to: 60s
    then: [{{end: clicked}}]
    else: [{{end: silent}}]
"""


def write_definitions(folder: Path, dwell: str = "1s") -> Path:
    """Write a folder of definitions for measuring and return it."""
    target = folder / "journeys"
    target.mkdir()
    for name in ("content", "models", "segments"):
        if (ROOT / "journeys" / name).exists():
            shutil.copytree(ROOT / "journeys" / name, target / name)
    shutil.copy(ROOT / "journeys" / "shop.yaml", target)
    for name, text in {"bench_mail": ONE_MAIL, "bench_wait": WAIT_AND_MAIL}.items():
        (target / f"{name}.yaml").write_text(text.format(purpose=PURPOSE, dwell=dwell))
    return target
