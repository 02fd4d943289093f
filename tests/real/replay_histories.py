"""Replays stored histories on today's code and says in JSON what became of each; a process of its own (temporal.md, 10).

    python replay_histories.py FOLDER [--break reorder | --break interpreter]

The breaks are negative controls: a definition whose steps are reordered, an interpreter that waits once too often.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import traceback
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from sojourn.travel.program import Program
from workflows.journey import JourneyWorkflow, _DurableWorld
from workflows.messages import JourneyInput


def break_reorder() -> None:
    """Let the first two steps change places."""
    program = JourneyInput.program

    def reordered(self: JourneyInput) -> Program:
        found = program(self).journey
        first, second, *rest = found.steps
        return Program(found.model_copy(update={"steps": (second, first, *rest)}))

    JourneyInput.program = reordered  # type: ignore[method-assign]


def break_interpreter() -> None:
    """Let every local activity be a regular one, as an edit of the interpreter might."""
    advance = _DurableWorld.advance

    async def changed(self: _DurableWorld, ask: object, *, acts: bool, summary: str) -> object:
        return await advance(self, ask, acts=not acts, summary=summary)  # type: ignore[arg-type]

    _DurableWorld.advance = changed  # type: ignore[method-assign, assignment]


async def replay(folder: Path) -> dict[str, str]:
    """Return what went wrong with each history, empty where nothing did."""
    replayer = Replayer(
        workflows=[JourneyWorkflow], data_converter=pydantic_data_converter, workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_failure_exception_types=[],
    )  # fmt: skip
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.*.*.json")):
        history = WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        found[path.name] = str(result.replay_failure or "")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--break", dest="how", choices=["reorder", "interpreter"])
    options = parser.parse_args()
    if options.how is not None:
        {"reorder": break_reorder, "interpreter": break_interpreter}[options.how]()
    try:
        print(json.dumps(asyncio.run(replay(options.folder))))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
