"""`sojourn stages`: RFM groups and life-cycle stages, fitted to the shop's own customers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Connection, func, select

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.reading import DataDir, reading
from sojourn.customers.stages.conditions import Written, segments
from sojourn.customers.stages.files import Change, changes, stage_files
from sojourn.customers.stages.fit import AXES, Customers, Fitted, fit, measure
from sojourn.customers.stages.picture import heat_map, histogram
from sojourn.errors import NotFound, SettingsError
from sojourn.language.loader import STAGES_FILE, load, load_stages
from sojourn.language.stages_model import RFM, STAGE, StagesModel
from sojourn.local_time import parse_moment
from sojourn.settings import load_settings
from sojourn.store.tables import profiles, segment_members
from sojourn.timekeeping import open_clock

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Fit and show RFM groups and life-cycle stages.")
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Measure as of this moment, such as 2026-01-31 or 2026-01-31T09:00Z.", show_default="now")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")]
BAR = 40


@app.command("fit")
def fit_command(
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    as_of: AsOf = None,
    picture: Annotated[Path | None, typer.Option(help="Also write the RFM heat map to this SVG file.", show_default="none")] = None,
    source: Annotated[str, typer.Option(help="What the data is, for the files' header.", show_default="nothing")] = "",
    yes: Yes = False,
    data_dir: DataDir = None,
) -> None:
    """Compute the cut points over your customers, and write them into `segments/rfm_*.yaml` and `stage_*.yaml`.

    Reads quantiles, groups and stages from stages.yaml. Shows how recency, frequency and spending are spread,
    then each file's change, and asks before it writes. Check the files in: the engine takes them up like any edit.
    """
    console = Console()
    with reading(data_dir) as database, told():
        model = read_model(journeys)
        at = moment_of(as_of, data_dir)
        with progress(console, "measuring customers") as bar:
            task = bar.add_task("", total=database.read_now(people))
            customers = database.read_now(measure, model, at, lambda count: bar.advance(task, count))
        fitted = fit(model, customers, at)
        made = segments(model, fitted)
        show_spread(console, customers, fitted)
        show_groups(console, model, fitted, customers)
        for sentence in fitted.adapted:
            console.print(f"adapted: {sentence}", style="yellow", highlight=False, markup=False)
        if picture is not None:
            picture.write_text(heat_map(fitted.grid(customers), model, fitted), encoding="utf-8")
            console.print(f"heat map: {picture}", highlight=False)
        found = changes(journeys / "segments", (RFM, STAGE), stage_files(model, fitted, made, source))
        write(console, found, yes)


@app.command("show")
def show_command(journeys: JourneysDir = DEFAULT_JOURNEYS, data_dir: DataDir = None) -> None:
    """Show the groups and stages as they are in force: how many people are in each, and by which condition."""
    console = Console()
    with reading(data_dir) as database, told():
        read_model(journeys)
        found = {name: each for name, each in load(journeys).segments.items() if name.startswith((RFM, STAGE))}
        if not found:
            raise NotFound("there are no segments rfm_* and stage_* yet; make them with: sojourn stages fit")
        sizes = database.read_now(members, list(found))
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("segment")
        table.add_column("people", justify="right")
        table.add_column("", no_wrap=True)
        table.add_column("who", overflow="fold")
        most = max([1, *sizes.values()])
        for name, each in sorted(found.items()):
            size = sizes.get(name, 0)
            table.add_row(name, f"{size:,}", "█" * round(size / most * 20), f"{each.description.strip()}\n[dim]{_plain(each.members)}[/]")
        console.print(table)


def read_model(journeys: Path) -> StagesModel:
    """Return the stages of a folder; raises NotFound where there is no file."""
    path = journeys / STAGES_FILE
    if not path.is_file():
        raise NotFound(f"{path} is missing; it says what a purchase is and where the quantiles are, see journeys/README.md")
    return load_stages(path.read_bytes(), str(path))


def moment_of(text: str | None, data_dir: Path | None) -> datetime:
    """Return the moment that an option names; the shop's now where it names none."""
    if text is None:
        return open_clock(load_settings(keys=False, data_dir=data_dir).data_dir, 1.0).now()
    found = parse_moment(text)
    if found is None:
        raise SettingsError(f"--as-of {text!r} is no moment; write one such as 2026-01-31 or 2026-01-31T09:00Z")
    return found.astimezone(UTC)


def people(connection: Connection) -> int:
    """Return how many people there are."""
    return connection.execute(select(func.count()).select_from(profiles).where(profiles.c.merged_into.is_(None))).scalar_one()


def members(connection: Connection, names: list[str]) -> dict[str, int]:
    """Return how many people are in each segment."""
    query = select(segment_members.c.segment, func.count()).where(segment_members.c.segment.in_(names)).group_by(segment_members.c.segment)
    return {row[0]: row[1] for row in connection.execute(query)}


def progress(console: Console, text: str) -> Progress:
    """Return a progress bar that counts people."""
    return Progress(TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True)


def show_spread(console: Console, customers: Customers, fitted: Fitted) -> None:
    """Print how each axis is spread, with its cut points."""
    for axis, unit in zip(AXES, ("days since the last purchase", "purchases", "spent"), strict=True):
        cuts = getattr(fitted, axis)
        console.print(f"\n[bold]{axis}[/] [dim]{unit}; cut at {', '.join(f'{cut:,g}' for cut in cuts)}[/]", highlight=False)
        for label, count, share in histogram(getattr(customers, axis)):
            console.print(f"  {label:>22} {count:>9,} {'█' * round(share * BAR)}", highlight=False)
        if len(set(cuts)) < len(cuts):
            console.print("  [yellow]cut points coincide: some scores of this axis are empty[/]", highlight=False)


def show_groups(console: Console, model: StagesModel, fitted: Fitted, customers: Customers) -> None:
    """Print how many customers fall into each group."""
    grid = fitted.grid(customers)
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "right", "right", "left"):
        table.add_column(justify=justify)
    for group in model.groups:
        size = sum(grid[cell] for cell in model.cells(group))
        share = size / len(customers)
        table.add_row(f"{RFM}{group.group}", f"{size:,}", f"{share:.1%}", "█" * round(share * BAR))
    console.print(f"\n[bold]{len(customers):,} customers[/]", highlight=False)
    console.print(table)


def write(console: Console, found: list[Change], yes: bool) -> None:
    """Show what changes, ask, and write; nothing is written where the answer is no."""
    if not found:
        console.print("\nnothing changes: the segments stand as they are", style="green", highlight=False)
        return
    for change in found:
        console.print(change.diff(), highlight=False, markup=False, soft_wrap=True)
    word = "file" if len(found) == 1 else "files"
    if not yes and not typer.confirm(f"Write {len(found)} {word}?"):
        console.print("nothing was written", highlight=False)
        raise typer.Exit(1)
    for change in found:
        change.carry_out()
    console.print(f"{len(found)} {word} written; check them with `sojourn check`, then commit them", style="green", highlight=False)


def _plain(condition: str | None) -> str:
    return " ".join((condition or "").split()).replace("[", r"\[")


def register(built: typer.Typer) -> None:
    """Add `stages` to the console script."""
    built.add_typer(app, name="stages")


__all__ = ["Written", "members", "moment_of", "people", "progress", "register", "write"]
