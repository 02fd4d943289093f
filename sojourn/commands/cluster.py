"""`sojourn cluster`: people grouped by behaviour, kept as segments with a version."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.reading import DataDir, moment, reading
from sojourn.commands.segment_shop import AT_ONCE
from sojourn.commands.stages import AsOf, Yes, members, moment_of, people, progress, write
from sojourn.customers.clustering import grouping
from sojourn.customers.clustering.files import cluster_files
from sojourn.customers.clustering.grouping import Clustering
from sojourn.customers.clustering.report import report as page_of
from sojourn.customers.clustering.vectors import Behaviour, behaviour
from sojourn.customers.segments import lists, live
from sojourn.customers.stages.files import changes
from sojourn.errors import NotFound
from sojourn.intake.emit import tell
from sojourn.language.clusters_model import CLUSTER, ClustersModel
from sojourn.language.loader import CLUSTERS_FILE, SHOP_FILE, load_clusters, load_shop
from sojourn.store.bulk import chunks
from sojourn.store.database import Database
from sojourn.store.outlast import outlast_now

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode="markdown",
    help="Group people by behaviour; `sojourn cluster` alone makes a new clustering.",
)
BAR = 30


@app.callback()
def cluster_command(
    context: typer.Context,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    as_of: AsOf = None,
    report: Annotated[Path, typer.Option(help="Where the report goes, a page that needs no other file.")] = Path("clusters.html"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the report only.")] = False,
    yes: Yes = False,
    data_dir: DataDir = None,
) -> None:
    """Group everyone by behaviour, and keep each cluster as a segment.

    Measures what clusters.yaml names, tries numbers of clusters by k-means and hierarchically, and takes the best by
    silhouette and stability. Small clusters join their nearest. Each is named by what sets it apart. Writes a report
    and, after it has asked, `segments/cluster_*.yaml` and their members. Where people form hardly any groups, it says so.
    """
    if context.invoked_subcommand is not None:
        return
    console = Console()
    with reading(data_dir) as database, told():
        model = read_model(journeys)
        at = moment_of(as_of, data_dir)
        found = measured(console, database, model, at, zone_of(journeys))
        tries = len(dict.fromkeys(model.methods)) * (model.clusters.to - model.clusters.from_ + 1)
        with Progress(TextColumn("trying groupings"), BarColumn(), MofNCompleteColumn(), console=console, transient=True) as bar:
            task = bar.add_task("", total=tries)
            done = grouping.group(found, model, at, lambda: bar.advance(task))
        show(console, done)
        report.write_text(page_of(done), encoding="utf-8")
        console.print(f"report: {report}", highlight=False)
        if dry_run:
            return
        write(console, changes(journeys / "segments", (CLUSTER,), cluster_files(done)), yes)
        keep(database, done, moment_of(None, data_dir))
        console.print(f"version {done.version} is kept; later: sojourn cluster assign", highlight=False)


@app.command("assign")
def assign_command(
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    version: Annotated[str | None, typer.Option(help="The clustering to assign by.", show_default="the latest")] = None,
    as_of: AsOf = None,
    data_dir: DataDir = None,
) -> None:
    """Assign everyone to the clusters of a kept version, new people among them; the clusters stay what they are.

    Refuses where a cluster would fall below the minimum: then behaviour has changed, and it is time for a new clustering.
    """
    console = Console()
    with reading(data_dir) as database, told():
        by = database.read_now(grouping.kept, version)
        at = moment_of(as_of, data_dir)
        parts = grouping.assign(measured(console, database, by.model, at, zone_of(journeys)), by)
        now = moment_of(None, data_dir)

        for segment, size in grouping.refill(by, parts, lambda name, theirs: fill(database, name, theirs, now)):
            console.print(f"{segment}: {size:,} people", highlight=False)


@app.command("show")
def show_command(
    version: Annotated[str | None, typer.Option(help="The clustering to show.", show_default="the latest")] = None, data_dir: DataDir = None
) -> None:
    """Show a kept clustering, and how many people are in each of its segments now."""
    console = Console()
    with reading(data_dir) as database, told():
        by = database.read_now(grouping.kept, version)
        sizes = database.read_now(members, [f"{CLUSTER}{name}" for name in by.names])
        console.print(f"version {by.version} of {moment(by.at)}: {len(by.names)} clusters", highlight=False)
        for name in by.names:
            console.print(f"  {CLUSTER}{name}: {sizes.get(f'{CLUSTER}{name}', 0):,} people", highlight=False)


def read_model(journeys: Path) -> ClustersModel:
    """Return the clusters of a folder; raises NotFound where there is no file."""
    path = journeys / CLUSTERS_FILE
    if not path.is_file():
        raise NotFound(f"{path} is missing; it says which behaviour is measured, see journeys/README.md")
    return load_clusters(path.read_bytes(), str(path))


def zone_of(journeys: Path) -> str:
    """Return the shop's time zone."""
    path = journeys / SHOP_FILE
    return load_shop(path.read_bytes(), str(path)).zone if path.is_file() else "UTC"


def measured(console: Console, database: Database, model: ClustersModel, at: datetime, zone: str) -> Behaviour:
    """Return everyone's behaviour, with a progress bar."""
    with progress(console, "measuring behaviour") as bar:
        task = bar.add_task("", total=database.read_now(people))
        return database.read_now(behaviour, model, at, zone, lambda count: bar.advance(task, count))


def keep(database: Database, done: Clustering, now: datetime) -> None:
    """Store a clustering and fill its segments, with the events of who comes and goes."""
    wanted: dict[str, list[str]] = {}
    database.write_now(grouping.keep, done, wanted.__setitem__)
    for segment, theirs in wanted.items():
        fill(database, segment, theirs, now)


def fill(database: Database, segment: str, profile_ids: list[str], now: datetime) -> None:
    """Make a segment's members exactly some people, a few in each transaction: others write meanwhile, and a repeat goes on."""
    there, theirs = set(database.read_now(live.members, segment)), set(profile_ids)
    for change, whom in ((lists.remove, there - theirs), (lists.add, theirs - there)):
        for some in chunks(sorted(whom), AT_ONCE):
            outlast_now(partial(database.write_now, change, segment, some, now, tell))


def show(console: Console, done: Clustering) -> None:
    """Print the clusters, and what speaks against them."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "right", "left"):
        table.add_column(justify=justify)
    most = max(cluster.size for cluster in done.clusters)
    for cluster in done.clusters:
        bar = "█" * max(round(cluster.size / most * BAR), 1)
        table.add_row(cluster.segment, f"{cluster.size:,}", f"{bar}\n[dim]{escape(cluster.description())}[/]")
    facts = grouping.facts(done)
    figures = f"silhouette {facts['silhouette']:.2f}, stability {facts['stability']:.2f}"
    figures += f" (other people {facts['resampled']:.2f}, other seeds {facts['reseeded']:.2f})"
    console.print(f"[bold]{done.people:,} people in {facts['k']} clusters[/], {facts['method']}, {figures}", highlight=False)
    console.print(table)
    for sentence in done.choice.weak:
        console.print(f"warning: {sentence}", style="yellow", highlight=False)


def register(built: typer.Typer) -> None:
    """Add `cluster` to the console script."""
    built.add_typer(app, name="cluster")
