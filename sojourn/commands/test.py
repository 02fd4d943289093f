"""`sojourn test`: the examples that stand beside the journeys, run in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.naming import chosen
from sojourn.language.conditions import Condition
from sojourn.language.loader import load
from sojourn.language.moments import zone_named
from sojourn.language.segments import conditions_of
from sojourn.prediction import Models
from sojourn.travel.examples import Coverage, Ran, run_examples
from sojourn.travel.program import Program
from sojourn.travel.simulation import asking


def examples_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[JOURNEY]...", help="Left out: every journey.", show_default=False)] = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    strict_coverage: Annotated[bool, typer.Option("--strict-coverage", help="Fail also where no example takes a branch.")] = False,
) -> None:
    """Run the examples of the journeys, in virtual time.

    A score that an example does not give is asked of its model. Branches that no example takes are listed. An example
    is about one journey of one person: of the send gate it meets `send_between` only, and `call.x` in `given` says what
    a call is answered. For caps, topics, consent and several journeys there is `sojourn.testing` (docs/testing.md).
    Exits with 1 where an example fails, and with `--strict-coverage` where a branch is not taken.
    """
    console = Console(soft_wrap=True)
    with told():
        found = load(journeys)
        score = asking(Models.load(journeys))
        segments: dict[str, Condition] = conditions_of(found.segments, found.profile.trees, found.calendar)
        zone, computed = zone_named(found.shop.zone), found.profile.expressions
        asked = chosen(found.journeys, names or [])
        results = [run_examples(Program(journey), segments, score, zone, computed, found.calendar) for journey in asked]
    ran = [each for examples, _ in results for each in examples]
    coverages = [coverage for _, coverage in results]
    if ran:
        console.print(_table(ran))
    for each in ran:
        if not each.passed:
            _tell_failure(console, each)
    _tell_coverage(console, coverages)
    failed = sum(not each.passed for each in ran)
    missed = sum(len(coverage.missed) for coverage in coverages)
    console.print(_count(len(ran) - failed, "passed", "" if failed else "green"))
    if failed:
        console.print(_count(failed, "failed", "red"))
    if failed or (strict_coverage and missed):
        raise typer.Exit(1)


def _table(ran: Sequence[Ran]) -> Table:
    table = Table("journey", "example", "result", box=None, pad_edge=False, header_style="dim")
    before = ""
    for each in ran:
        result = "[green]passed[/]" if each.passed else "[red]failed[/]"
        table.add_row(escape(each.journey) if each.journey != before else "", escape(each.example), result)
        before = each.journey
    return table


def _tell_failure(console: Console, ran: Ran) -> None:
    console.print()
    console.print(f"[red]{escape(ran.journey)}: {escape(ran.example)}[/]", highlight=False)
    console.print(f"  expected  {escape(', '.join(ran.expected))}", highlight=False)
    console.print(f"  happened  {escape(', '.join(ran.happened))}", highlight=False)
    for line in ran.trail:
        console.print(f"    {escape(line)}", style="dim", highlight=False)


def _tell_coverage(console: Console, coverages: Sequence[Coverage]) -> None:
    console.print()
    table = Table("journey", "branches taken", box=None, pad_edge=False, header_style="dim")
    for coverage in coverages:
        total = len(coverage.branches)
        share = f"{total - len(coverage.missed)} of {total}"
        table.add_row(escape(coverage.journey), share if not coverage.missed else f"[yellow]{share}[/]")
        for words in coverage.missed:
            table.add_row("", f"[yellow]no example takes[/] {escape(words)}")
    console.print(table)
    console.print()


def _count(number: int, word: str, style: str) -> str:
    text = f"{number} example{'' if number == 1 else 's'} {word}"
    return f"[{style}]{text}[/]" if style else text


def register(app: typer.Typer) -> None:
    """Add `test` to the console script."""
    app.command("test")(examples_command)
