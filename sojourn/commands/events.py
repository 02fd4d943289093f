"""`sojourn events`: what is declared of events: inferred from what was seen, and asked of what was set aside."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.syntax import Syntax
from rich.table import Table

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.reading import DataDir, moment, reading
from sojourn.commands.recording import read_recording
from sojourn.errors import NotFound
from sojourn.intake import logged, setaside
from sojourn.intake.envelope import read_call
from sojourn.language.events.infer import MIN_SAMPLES, Draft, draft
from sojourn.language.events.model import EventDefinition
from sojourn.language.events.schemas import EventSchemas
from sojourn.language.events.seen import Seen
from sojourn.language.events.writing import stem, write_event
from sojourn.language.loader import EVENTS, load, load_event, load_events
from sojourn.language.problems import unknown
from sojourn.language.spelling import ENGINE

MAX_EVENTS = 500  # names; more are ids that were put into the name
_STEP = 500  # events between two moves of the bar

group = typer.Typer(
    help="Infer what events look like, and look after those that their definitions set aside.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
EventNames = Annotated[list[str] | None, typer.Argument(metavar="[EVENT]...", help="Only these events.", show_default="all")]
OneEvent = Annotated[str | None, typer.Option("--event", help="Only events of this name.", show_default="all")]


@dataclass
class _Track:
    """What was seen of one event."""

    seen: Seen = field(default_factory=Seen)
    first: datetime | None = None
    last: datetime | None = None

    def add(self, properties: dict[str, object], at: datetime) -> None:
        self.seen.observe(properties)
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)


@dataclass(frozen=True)
class _Observed:
    name: str
    time: datetime
    properties: dict[str, object]


@group.command("infer")
def infer_command(
    events: EventNames = None,
    recording: Annotated[
        Path | None, typer.Option("--from", help="A recorded event file (.jsonl, .jsonl.gz) instead of the log.", show_default="the log")
    ] = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there, and show what changes.")] = False,
    closed: Annotated[bool, typer.Option("--closed", help="Forbid properties that were never seen.")] = False,
    min_samples: Annotated[int, typer.Option(min=1, help="Say `required` and `integer` only from so many events on.")] = MIN_SAMPLES,
) -> None:
    """Write a first version of journeys/events/*.yaml from the events that were seen.

    Reads the whole log, or a recording as `sojourn replay` takes it. What it writes accepts every event it has read:
    types, what is always there, formats, values where few repeat; ranges stand beside as comments. Properties that
    look like personal data are labelled, and no value of theirs is written. Nothing that is there is overwritten
    without --force. The same events give the same files.
    """
    console = Console(stderr=True, soft_wrap=True)
    with told():
        known = load_events(journeys) if (journeys / EVENTS).is_dir() else {}
        wanted = frozenset(events or ())
        found: dict[str, _Track] = {}
        left_out = 0
        source = _recorded(recording, console) if recording is not None else _logged(data_dir, console)
        for each in source:
            if each.name in ENGINE or (wanted and each.name not in wanted):
                continue
            if each.name not in found and len(found) >= MAX_EVENTS:
                left_out += 1
                continue
            found.setdefault(each.name, _Track()).add(each.properties, each.time)
        for name in sorted(wanted - found.keys()):
            raise NotFound(unknown("event", name, found) if found else f"no event called `{name}` was seen")
        if not found:
            raise NotFound("no events were seen yet; send some, or read a recording with --from examples/online_retail.jsonl.gz")
        if left_out:
            console.print(f"more than {MAX_EVENTS} names: {left_out} events were left out; keep ids out of events' names", style="yellow")
        _write(found, known, journeys / EVENTS, console, force=force, closed=closed, min_samples=min_samples)


def _write(
    found: dict[str, _Track],
    known: dict[str, tuple[Path, EventDefinition]],
    folder: Path,
    console: Console,
    *,
    force: bool,
    closed: bool,
    min_samples: int,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    taken = {path.stem for path in folder.glob("*.y*ml")}
    written = 0
    for name in sorted(found):
        track = found[name]
        path = known[name][0] if name in known else folder / f"{stem(name, taken)}.yaml"
        taken.add(path.stem)
        drafted = draft(track.seen, min_samples=min_samples, closed=closed)
        text = _text(name, track, drafted)
        for property_, shares in drafted.mixed.items():
            console.print(
                f"{name}: `{property_}` is {shares}; mend the sender and take the rare type out, or keep both", style="yellow", markup=False
            )
        old = path.read_text("utf-8") if path.exists() else None
        if old is not None and not force:
            console.print(f"kept {path}: it is there already; --force overwrites it and shows what changes", highlight=False)
        elif old == text:
            console.print(f"unchanged {path}", highlight=False)
        else:
            path.write_text(text, "utf-8")
            written += 1
            console.print(f"{'wrote' if old is None else 'overwrote'} {path}: {track.seen.count} events", highlight=False)
            if old is not None:
                _show_diff(old, text, path)
    console.print(f"{written} written. Read them, say what each event means, then: sojourn check", style="green", highlight=False)


def _text(name: str, track: _Track, drafted: Draft) -> str:
    count = track.seen.count
    span = f"{track.first:%Y-%m-%d} to {track.last:%Y-%m-%d}"
    text = write_event(
        name,
        drafted,
        f"Seen {count} time{'' if count == 1 else 's'}, {span}. Say here what happened when it comes.",
        f"A first version, by `sojourn events infer` from {count} event{'' if count == 1 else 's'}. Correct it, then check it in.",
    )
    load_event(text)  # what is written can be read
    return text


def _show_diff(old: str, new: str, path: Path) -> None:
    lines = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path.name}", f"b/{path.name}")
    Console(soft_wrap=True).print(Syntax("".join(lines), "diff", background_color="default"))


def _recorded(path: Path, console: Console) -> Iterator[_Observed]:
    calls = read_recording(path)
    with _bar(console) as bar:
        task = bar.add_task("reading", total=len(calls))
        for number, call in enumerate(calls, 1):
            # By intake's own door: what it would not take is not learned from.
            for envelope in read_call(str(call.call()["type"]), call.body, received_at=call.at).envelopes:
                if envelope.kind == "track":
                    yield _Observed(envelope.name, call.at, envelope.properties)
            if number % _STEP == 0:
                bar.advance(task, _STEP)
        bar.update(task, completed=len(calls))


def _logged(data_dir: Path | None, console: Console) -> Iterator[_Observed]:
    with reading(data_dir) as database, _bar(console) as bar:
        total, at = database.read_now(logged.last_seq), 0
        task = bar.add_task("reading", total=total)
        while rows := database.read_now(logged.page, at):
            for row in rows:
                yield _Observed(row.name, row.time, row.properties)
            at = rows[-1].seq
            bar.update(task, completed=at)
        bar.update(task, completed=total)


@group.command("quarantined")
def quarantined_command(
    event: OneEvent = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many to list.")] = 20,
    after: Annotated[str | None, typer.Option(help="The id of the last one of the page before.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List what was set aside, the newest first, with reasons.

    Above the list stands how many there are for each reason. Those marked `can be released` were read, and only their
    definition refused them: mend journeys/events/, then `sojourn events release`. The others were sent wrongly.
    """
    with reading(data_dir) as database:
        kept = database.read_now(setaside.listed, event, after, limit)
        grouped = database.read_now(setaside.reasons)
    if as_json:
        for each in kept:
            typer.echo(json.dumps(asdict(each), default=str))
        return
    console = Console(soft_wrap=True)
    if not kept:
        console.print("nothing is in quarantine" if after is None and event is None else "no more", style="green")
        return
    if after is None:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("events", "event", "reason", "latest (UTC)"):
            table.add_column(name, overflow="fold", justify="right" if name == "events" else "left")
        for reason in grouped:
            if event in (None, reason.event):
                table.add_row(str(reason.count), reason.event or "—", reason.reason, moment(reason.latest))
        console.print(table)
        console.print()
    for each in kept:
        mark = "can be released" if each.releasable else "was sent wrongly"
        console.print(f"{moment(each.received_at)}  {each.id}  {mark}  {each.reason}", highlight=False, markup=False)
    if len(kept) == limit:
        console.print(f"… and more: --after {kept[-1].id}", style="dim", highlight=False)


@group.command("release")
def release_command(event: OneEvent = None, journeys: JourneysDir = DEFAULT_JOURNEYS, data_dir: DataDir = None) -> None:
    """Ask the definitions again about what they set aside, and take in what fits now.

    In the order in which they came. What does not fit still stays, with today's reason. Stopped half-way or run twice,
    it takes in nothing twice. A running server goes on asking its old definitions until it is started again.
    """
    console = Console(stderr=True, soft_wrap=True)
    with told(), reading(data_dir) as database:
        definitions = load(journeys)
        schemas = EventSchemas(definitions.events, definitions.shop.undeclared_events)
        total = database.read_now(setaside.waiting, event)
        result, place, begun = setaside.Released(), None, False
        with _bar(console) as bar:
            task = bar.add_task("releasing", total=total)
            while place is not None or not begun:
                begun = True
                page = database.write_now(setaside.release, schemas, event, place)
                result, place = result + page, page.next
                bar.update(task, completed=result.taken + result.known + result.kept)
    parts = [f"{result.taken} taken in"]
    parts += [f"{result.known} had been taken in before"] if result.known else []
    parts += [f"{result.kept} do not fit still: sojourn events quarantined"] if result.kept else []
    console.print(", ".join(parts), highlight=False, style="yellow" if result.kept else "green")


def register(app: typer.Typer) -> None:
    """Add `events` to the console script."""
    app.add_typer(group, name="events")


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
