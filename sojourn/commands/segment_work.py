"""`sojourn segment check`, `rebuild` and `status`: warnings, and how far the background work is."""

from __future__ import annotations

from threading import Event
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, tell_warnings
from sojourn.commands.reading import DataDir
from sojourn.commands.segment_shop import Mistake, Segments, opened, progress
from sojourn.customers.segments import guards, rebuild
from sojourn.customers.segments.going import go_through
from sojourn.customers.segments.preview import sweep_page
from sojourn.customers.segments.rebuild import BUILDING, Build
from sojourn.customers.segments.releases import A_MINUTE, spans
from sojourn.intake.emit import tell
from sojourn.language.durations import format_duration
from sojourn.store.outlast import outlast_now

LOOK_SECONDS = 0.5


def check_command(journeys: JourneysDir = DEFAULT_JOURNEYS, data_dir: DataDir = None) -> None:
    """Print warnings about the segments; the exit code stays 0.

    - more than 5 attributes in one condition. An attribute is a trait, a property of an event (of an event without one: the
      event), or a segment, each once
    - fewer than 100 members
    - above 90 % the same people as another segment: of all who are in either of the two, so many are in both
    - a segment that no journey, segment, model or content names

    The first and the last need no data: `sojourn check` says them as well.
    """
    with opened(journeys, data_dir) as shop:
        tell_warnings(shop.definitions.warnings)
        unfinished = shop.unfinished()
        names = [name for name in shop.definitions.segments if name not in unfinished]
        with progress() as bar:
            task = bar.add_task("comparing", total=None)
            found = shop.database.read_now(guards.counted, names, lambda done, of: bar.update(task, completed=done, total=of))
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        for guard in sorted(found, key=lambda one: one.segment):
            console.print(f"{guard.segment}: warning: {guard.message}", style="yellow", markup=False)
        skipped = guards.not_counted(unfinished)
        if skipped is not None:
            console.print(skipped, style="dim", markup=False)
        count = len(found) + len(shop.definitions.warnings)
        text = f"{count} warning{'' if count == 1 else 's'} in {len(shop.definitions.segments)} segments" if count else "all is well"
        Console(soft_wrap=True, highlight=False).print(text, style=None if count else "green")


def rebuild_command(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Segments with a condition.", show_default=False)],
    live: Annotated[bool, typer.Option("--live", help=f"Let journeys hear of who comes and goes, {A_MINUTE} people a minute.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many people would come and go; change nothing.")] = False,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Go through everyone once more for segments, from the beginning.

    `sojourn segment rebuild dormant high_value`

    It is not needed in the ordinary course: Sojourn does it by itself when a definition came or changed. It is for data that
    was changed behind Sojourn's back. Whoever is in the segment rightly stays in it, without an event. Events go on meanwhile.

    No journey begins or ends on who comes and goes by it, nor on a definition that is new or edited. With `--live` journeys hear
    of it; then it also puts a segment in force that is new or was edited, before `sojourn up` does so quietly.
    """
    with opened(journeys, data_dir) as shop:
        found = shop.builds()
        for name in names:
            _may_be_rebuilt(shop, name, found, live=live or dry_run)
        moving = _moving(shop, list(dict.fromkeys(names))) if live or dry_run else 0
        if dry_run:
            return
        if live:
            outlast_now(lambda: shop.database.write_now(rebuild.sync, shop.book, shop.now))
            console = Console(stderr=True, soft_wrap=True, highlight=False)
            console.print(f"journeys hear of {moving:,} people within {format_duration(spans(moving))}, {A_MINUTE} a minute", markup=False)
        outlast_now(lambda: shop.database.write_now(rebuild.restart, sorted(set(names)), shop.now, live=live))
        with _bars() as bars:
            tasks: dict[str, TaskID] = {}
            for _ in go_through(shop.database, shop.book, shop.clock.now, tell):
                found = shop.builds()
                _show(bars, tasks, [found[name] for name in dict.fromkeys(names)])
                if all(found[name].state != BUILDING for name in names):
                    break
        _tell(shop, list(dict.fromkeys(names)))


def status_command(
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show progress until all are live.")] = False,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Show how far Sojourn has gone through everyone for segments that came or changed, and who came and went by that.

    `sojourn segment status --watch`
    """
    with opened(journeys, data_dir) as shop:
        if watch:
            with _bars() as bars:
                tasks: dict[str, TaskID] = {}
                while True:
                    found = shop.builds()
                    _show(bars, tasks, [found[name] for name in shop.book.judged if name in found])
                    if all(build.state != BUILDING for build in found.values()):
                        break
                    Event().wait(LOOK_SECONDS)
        _tell(shop, list(shop.book.judged))


def _moving(shop: Segments, names: list[str]) -> int:
    """Say of segments how many people would come and go, and return how many in all."""
    moving = 0
    for name in names:
        come = go = 0
        after: str | None = ""
        while after is not None:
            page = shop.database.read_now(sweep_page, shop.book.conditions[name], shop.book.conditions, name, shop.now, after)
            come += sum(one.holds and not one.member for one in page.found)
            go += sum(one.member and not one.holds for one in page.found)
            after = page.last
        Console(soft_wrap=True, highlight=False).print(f"{name}: {come:,} people would come, {go:,} would leave", markup=False)
        moving += come + go
    return moving


def _may_be_rebuilt(shop: Segments, name: str, found: dict[str, Build], *, live: bool = False) -> None:
    shop.get(name)
    if name in shop.book.lists:
        raise Mistake(f"`{name}` is a list: it has no condition by which it could be built")
    if not live and (name not in found or found[name].version != shop.book.versions[name]):
        raise Mistake(f"`{name}` is {shop.state(name, found)}: start `sojourn up` (or `router`) with this folder, which builds it")


def _bars() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[moves]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _show(bars: Progress, tasks: dict[str, TaskID], found: list[Build]) -> None:
    for build in found:
        moves = f"{build.entered:,} entered, {build.exited:,} left"
        if build.segment not in tasks:
            tasks[build.segment] = bars.add_task(build.segment, total=max(build.total, 1), moves=moves)
        done = max(build.total, 1) if build.state != BUILDING else build.done
        bars.update(tasks[build.segment], completed=done, total=max(build.total, 1), moves=moves)


def _tell(shop: Segments, names: list[str]) -> None:
    console, found = Console(soft_wrap=True, highlight=False), shop.builds()
    if not names:
        console.print("no segment has a condition: there is nothing to build")
    for name in names:
        build = found.get(name)
        told = f"; {build.done:,} gone through, {build.entered:,} entered, {build.exited:,} left" if build is not None else ""
        console.print(f"{name}: {shop.state(name, found)}{told}", markup=False)


__all__ = ["check_command", "rebuild_command", "status_command"]
