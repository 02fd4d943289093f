"""`sojourn resolve`: profiles that are one person's though no key says so; and the queue of those that may be.

What learns and compares is imported by the command that needs it: it takes a second, and no server needs it.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.prompt import Prompt
from rich.table import Table

from sojourn.commands.reading import DataDir, identity_rules, moment, reading, shop_clock
from sojourn.customers.resolution import merging, queue, records
from sojourn.customers.resolution.pairs import Pair, Tell
from sojourn.errors import SettingsError, SojournError
from sojourn.language.loader import RESOLUTION_FILE, load_resolution
from sojourn.language.resolution_model import ResolutionSettings, usual_settings
from sojourn.settings import load_settings
from sojourn.store.database import Database

SHOWN = 10
State = Literal["pending", "merged", "rejected", "refused", "stale"]
By = Annotated[str | None, typer.Option(help="Who decides; kept with the decision.", show_default="who is logged in")]
Config = Annotated[
    Path | None, typer.Option("--settings", help="What is compared, and the thresholds.", show_default=f"{RESOLUTION_FILE} of the journeys")
]
Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Pairs, as `review --list` shows them; the beginning of an id is enough.")]

app = typer.Typer(
    help="Find profiles that are one person's though no key says so: compare, score, merge the sure, review the others.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command("run")
def run_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be merged and what would wait; write nothing.")] = False,
    settings: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Score all profiles, merge pairs at or above `upper`, and queue those at or above `lower` for review.

    What is compared and how sure it has to be stands in `journeys/resolution.yaml`. Without that file, traits of
    usual names (first_name, last_name, birth_date, postcode, city, email, phone) are compared. A pair below `upper`
    is never merged without `accept`, and a pair that was rejected is never proposed again.
    """
    from sojourn.customers.resolution.running import run

    with reading(data_dir) as database, _progress() as tell:
        chosen = _settings(settings, database, data_dir)
        merge = partial(merging.by_identity, rules=identity_rules(data_dir), largest=chosen.largest)
        outcome = run(database, chosen, shop_clock(data_dir).now(), tell, merge, dry_run=dry_run)
    console = Console()
    linked = outcome.linked
    for note in linked.scored.learned.notes:
        console.print(f"note: {escape(note)}", style="yellow", highlight=False)
    head = f"{linked.scored.records:,} profiles compared; {len(linked.pairs):,} pairs at or above {chosen.lower:g}"
    console.print(head, highlight=False)
    if dry_run:
        sure = sorted(linked.clusters.links, key=lambda pair: pair.weight)
        console.print(f"{len(sure):,} merges would be made, {outcome.waiting:,} pairs would wait; nothing was written", highlight=False)
        if sure:
            console.print(_links(sure[:SHOWN]))
        return
    left = f"{outcome.refused:,} refused by identity and left to review, {outcome.waiting:,} wait, {outcome.stale:,} stale"
    did = f"{outcome.merged:,} merged, {left}"
    console.print(did, highlight=False)
    if outcome.waiting:
        console.print("next: sojourn resolve review", style="dim")


@app.command("review")
def review_command(
    list_: Annotated[bool, typer.Option("--list", help="Show the queue and ask nothing.")] = False,
    state: Annotated[State, typer.Option(help="Which pairs to list.")] = "pending",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many pairs.")] = 20,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Go on after this pair.")] = None,
    by: By = None,
    data_dir: DataDir = None,
) -> None:
    """Look at the pairs that wait, the most probable first: both records field by field, and accept, reject or skip."""
    console = Console()
    with reading(data_dir) as database:
        last = None if after is None else database.read_now(queue.get, after)
        found = database.read_now(queue.page, state, last, limit)
        if list_:
            console.print(_queue(found))
            numbers = database.read_now(queue.counts)
            console.print(", ".join(f"{number:,} {name}" for name, number in numbers.items()), style="dim", highlight=False)
            if len(found) == limit:
                console.print(f"… more: --after {found[-1].id}", style="dim")
            return
        if not found:
            console.print("nothing waits; sojourn resolve run looks again", highlight=False)
            return
        _ask(database, console, found, _who(by), data_dir)


@app.command("accept")
def accept_command(ids: Ids, by: By = None, data_dir: DataDir = None) -> None:
    """Merge pairs of the queue: they are one person's."""
    _decide(ids, data_dir, lambda database, id_: _accept(database, id_, _who(by), data_dir))


@app.command("reject")
def reject_command(ids: Ids, by: By = None, data_dir: DataDir = None) -> None:
    """Say of pairs that they are two persons; no later run proposes or merges them."""
    _decide(ids, data_dir, lambda database, id_: database.write_now(queue.reject, id_, _who(by), shop_clock(data_dir).now()))


@app.command("evaluate")
def evaluate_command(
    file: Annotated[Path, typer.Argument(help="A CSV, Parquet or JSONL file of records whose owners are known.", show_default=False)],
    truth: Annotated[str, typer.Option(help="The column that says whose a record is. It is never compared nor learned from.")],
    settings: Annotated[Path, typer.Option("--settings", help="What is compared: a file like journeys/resolution.yaml.")],
    id_column: Annotated[str | None, typer.Option("--id", help="The records' id column.", show_default="they are numbered")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Merge at or above it.", show_default="upper")] = None,
    tune: Annotated[float, typer.Option(min=0.0, max=0.9, help="The share of the people a threshold may be chosen on.")] = 0.3,
    exact: Annotated[list[str] | None, typer.Option(help="Columns, with commas between, whose exact equality is scored beside.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Write F1 over thresholds to this SVG file.")] = None,
) -> None:
    """Judge the resolution on labelled records: precision, recall and F1 over thresholds.

    A threshold may be chosen on one part of the people (by a hash of whose a record is); what counts is the other part.
    *Cluster F1* is pairwise: of all pairs that the final clusters put together, and all that belong together. A pair with
    one record of the judged part counts. *B³* is averaged over records.
    """
    from sojourn.customers.resolution.judging import judge
    from sojourn.customers.resolution.picture import picture as drawn

    console = Console()
    try:
        with _progress() as tell:
            rules = [tuple(part.strip() for part in line.split(",")) for line in exact or ()]
            chosen = load_resolution(_bytes(settings), str(settings))
            found = judge(chosen, file, truth, tell, id_column=id_column, threshold=threshold, tune=tune, exact=rules)
        if picture is not None:
            picture.write_text(drawn(found, f"{file.name}: {found.records:,} records of {found.persons:,} people"), "utf-8")
    except SojournError as error:
        Console(stderr=True).print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("threshold", "tuning F1", "precision", "recall", "cluster F1", "B³ F1", "whole F1", "clusters", ""):
        table.add_column(heading, justify="right" if heading else "left")
    for row in found.table:
        marks = ["fixed"] * (row is found.fixed) + ["best on the tuning part"] * (row is found.best)
        scores = (row.tuning.f1, row.judged.precision, row.judged.recall, row.judged.f1, row.b_cubed.f1, row.whole.f1)
        figures = [f"{score:.4f}" for score in scores]
        bar = "█" * round(row.judged.f1 * 20)
        style = "bold" if row is found.fixed else ""
        table.add_row(f"{row.threshold:g}", *figures, f"{row.clusters:,}", f"[green]{bar}[/] {', '.join(marks)}", style=style)
    console.print(table)
    for name, score in found.exact.items():
        console.print(f"exact on {name}: precision {score.precision:.4f}, recall {score.recall:.4f}, F1 {score.f1:.4f}", highlight=False)
    kept = found.records - found.tuned_on
    console.print(f"{found.records:,} records of {found.persons:,} people; {found.tuned_on:,} to tune on, {kept:,} judged", highlight=False)
    counts = f"cluster F1 {found.fixed.judged.f1:.4f} at {found.fixed.threshold:g}, B³ F1 {found.fixed.b_cubed.f1:.4f}"
    console.print(counts, style="bold", highlight=False)
    fixed = found.fixed
    wrong = f"{fixed.false:,} of two people ({fixed.false / max(fixed.merges, 1):.2%})"
    console.print(f"{fixed.merges:,} merges that no person looks at, {wrong}", highlight=False)


def _settings(path: Path | None, database: Database, data_dir: Path | None) -> ResolutionSettings:
    """Return the settings that a file holds, or usual ones for the traits that profiles bear."""
    if path is None:
        usual = load_settings(keys=False, data_dir=data_dir).journeys_dir / RESOLUTION_FILE
        path = usual if usual.is_file() else None
    if path is not None:
        return load_resolution(_bytes(path), str(path))
    chosen = usual_settings(database.read_now(records.trait_names))
    if chosen is None:
        raise SettingsError(f"profiles bear too few traits of usual names to tell people apart; write journeys/{RESOLUTION_FILE}")
    return chosen


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None


def _who(by: str | None) -> str:
    return by or getpass.getuser()


def _accept(database: Database, id_: str, by: str, data_dir: Path | None) -> queue.Candidate:
    merge = partial(merging.by_identity, rules=identity_rules(data_dir))
    return database.write_now(queue.accept, id_, by, shop_clock(data_dir).now(), merge)


def _decide(ids: list[str], data_dir: Path | None, decide: Callable[[Database, str], queue.Candidate]) -> None:
    failed = False
    with reading(data_dir) as database:
        for id_ in ids:
            try:
                found = decide(database, id_)
                Console().print(f"{found.id}: {found.state}{f' ({found.reason})' if found.reason else ''}", highlight=False, markup=False)
                failed |= found.state == queue.REFUSED
            except SojournError as error:
                Console(stderr=True).print(f"error: {error}", style="red", highlight=False, markup=False)
                failed = True
    if failed:
        raise typer.Exit(1)


def _ask(database: Database, console: Console, found: list[queue.Candidate], by: str, data_dir: Path | None) -> None:
    for number, each in enumerate(found, 1):
        console.print(f"\n[bold]{number} of {len(found)}[/]  probability {each.probability:.4f}  [dim]{each.id}[/]", highlight=False)
        if each.reason:
            console.print(escape(each.reason), style="yellow", highlight=False)
        console.print(_both(database, each))
        answer = Prompt.ask("one person?", choices=["y", "n", "s", "q"], default="s", console=console)
        if answer == "q":
            return
        try:
            if answer == "y":
                decided = _accept(database, each.id, by, data_dir)
                console.print(f"{decided.state}{f': {decided.reason}' if decided.reason else ''}", highlight=False, markup=False)
            elif answer == "n":
                database.write_now(queue.reject, each.id, by, shop_clock(data_dir).now())
        except SojournError as error:
            console.print(f"error: {error}", style="red", highlight=False, markup=False)


def _both(database: Database, each: queue.Candidate) -> Table:
    fields = [str(part["field"]) for part in each.because]
    left, right = (database.read_now(records.values_of, id_, fields) for id_ in (each.left_id, each.right_id))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("field", each.left_id[:8], each.right_id[:8], "agreement", "weight"):
        table.add_column(heading, justify="right" if heading == "weight" else "left", overflow="fold")
    for part in each.because:
        name, weight = str(part["field"]), float(part["weight"])
        colour = "green" if weight > 0 else "red" if weight < 0 else "dim"
        shown = [escape(side.get(name) or "—") for side in (left, right)]
        table.add_row(escape(name), *shown, str(part["level"]), f"[{colour}]{weight:+.1f}[/]")
    return table


def _queue(found: list[queue.Candidate]) -> Table:
    table = Table("id", "probability", "left", "right", "because", "reason", "since (UTC)", box=None, pad_edge=False, header_style="dim")
    for each in found:
        because = ", ".join(f"{part['field']} {part['level']}" for part in each.because if part["level"] != "unknown")
        ids = (each.id[:8], f"{each.probability:.4f}", each.left_id[:8], each.right_id[:8])
        table.add_row(*(escape(text) for text in (*ids, because, each.reason or "", moment(each.created_at))))
    return table


def _links(pairs: list[Pair]) -> Table:
    table = Table("probability", "left", "right", "because", title="the least sure of them", title_justify="left", box=None, pad_edge=False)
    for pair in pairs:
        because = ", ".join(f"{each.field} {each.level}" for each in pair.because if each.level != "unknown")
        table.add_row(f"{pair.probability:.4f}", pair.left, pair.right, escape(because))
    return table


@contextmanager
def _progress() -> Iterator[Tell]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}/{task.total:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=total)
            bar.update(tasks[phase], completed=done, total=total)

        yield tell


def register(parent: typer.Typer) -> None:
    """Add `resolve` to the console script."""
    parent.add_typer(app, name="resolve")
