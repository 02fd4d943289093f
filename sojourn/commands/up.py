"""`sojourn up`: everything in one process tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from sojourn.clock import SystemClock
from sojourn.commands.definition_changes import DefinitionChanges
from sojourn.commands.definitions import told
from sojourn.commands.health_notes import HealthWatch
from sojourn.embedded import LOCAL, UI_PORT, answers, choose_port, free_port, locked, temporal_part
from sojourn.errors import SettingsError, SojournError
from sojourn.language.loader import DELIVERY_FILE, load
from sojourn.launch import PYTHON
from sojourn.metrics import forget_process, prepare_folder
from sojourn.process_tree import Interrupted, Part, ProcessTree
from sojourn.readiness import VARIABLE as READY_VARIABLE
from sojourn.readiness import ready_file
from sojourn.settings import TEMPORAL_PORT, Settings, load_settings
from sojourn.store.database import Database
from sojourn.store.sqlite import fold_in
from sojourn.timekeeping import open_clock

KEPT_LOG_BYTES = 10_000_000


@dataclass(frozen=True)
class Stack:
    """What an `up` starts: settings with the ports chosen, and the parts."""

    settings: Settings
    clock: SystemClock
    stages: tuple[tuple[Part, ...], ...]  # the parts of a stage start side by side
    notes: tuple[str, ...]  # sentences on what is not as usual
    metrics_folder: Path
    fed: bool = False  # whether a recording is played
    engage: float = 0.0  # the share of its mail that simulated readers open

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in order."""
        return tuple(part for stage in self.stages for part in stage)


def plan(
    settings: Settings, *, ui_port: int | None = None, feed: Path | None = None, engage: float = 0.0, logs_here: bool = False
) -> Stack:
    """Choose the ports and lay out the parts; the data folder is held by then.

    Args:
        settings: as loaded.
        ui_port: Temporal UI's port, where it was given.
        feed: a recording to push through intake once all is up.
        engage: of the mail that comes of the feed, how much simulated readers open.
        logs_here: whether each part's log lines go to this terminal instead of its file.

    Raises:
        SettingsError: a given port is taken, a server does not answer, or a fast clock was asked for where it cannot be had.
    """
    if settings.time_scale != 1.0 and not settings.embedded:
        raise SettingsError("a time scale needs the embedded server and database; leave those two settings out")
    if feed is not None and not feed.is_file():
        raise SettingsError(f"{feed} is not a file; --feed takes a recording such as examples/online_retail.jsonl.gz")
    if engage and feed is None:
        raise SettingsError("--engage simulates opens and clicks while a feed runs; give --feed too, or use `sojourn replay FILE --engage`")
    clock = open_clock(settings.data_dir, settings.time_scale)
    given = settings.model_fields_set
    log_folder = None if logs_here else settings.data_dir / "logs"
    port, note = choose_port(settings.port, insisted="port" in given, what="the API", flag="--port", host=settings.host)
    notes = [note]
    chosen: dict[str, Any] = {"port": port, "sdk_metrics_address": f"{LOCAL}:{free_port()}", "time_scale": clock.scale.scale}
    if "public_url" not in given:
        chosen["public_url"] = f"http://{LOCAL}:{port}"
    stages: list[tuple[Part, ...]] = []
    if settings.embedded_temporal:
        temporal_port, note = choose_port(TEMPORAL_PORT, insisted=False, what="Temporal", flag="--temporal-address")
        ui, ui_note = choose_port(ui_port or UI_PORT, insisted=ui_port is not None, what="Temporal UI", flag="--ui-port")
        notes += [note, ui_note]
        chosen |= {"temporal_address": f"{LOCAL}:{temporal_port}", "temporal_ui_url": f"http://{LOCAL}:{ui}"}
        stages.append((temporal_part(settings.data_dir, temporal_port, ui, settings.temporal_namespace, _log(log_folder, "temporal")),))
    else:
        host, _, number = settings.temporal_address.rpartition(":")
        if not answers(host, int(number)):
            raise SettingsError(f"no Temporal server answers at {settings.temporal_address}; start it, or leave the address out")
    final = settings.filled(**chosen)
    notes.append(_mail_note(final))
    metrics_folder = settings.data_dir / "metrics"
    environment = final.environment() | prepare_folder(metrics_folder) | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    stages.append(tuple(_role(role, environment, final, log_folder) for role in ("api", "worker", "router")))
    if feed is not None:
        command = (*PYTHON, "replay", str(feed.absolute()), *(("--engage", f"{engage:g}") if engage else ()))
        stages.append((Part("the feed", command, environment, _log(log_folder, "feed"), keep=False),))
    return Stack(final, clock, tuple(stages), tuple(note for note in notes if note), metrics_folder, feed is not None, engage)


def _mail_note(settings: Settings) -> str:
    """Return a sentence where the mail server that is set does not answer."""
    if not settings.smtp_url or (settings.journeys_dir / DELIVERY_FILE).is_file():
        return ""
    from sojourn.delivery.providers.smtp import Smtp

    server = Smtp.from_url(settings.smtp_url)
    if answers(server.host, server.port):
        return ""
    return f"the mail server {server.host}:{server.port} does not answer; messages wait until it does (SOJOURN_SMTP_URL)"


def _role(role: str, environment: dict[str, str], settings: Settings, log_folder: Path | None) -> Part:
    told = ready_file(settings.data_dir / "run", role)
    command = (*PYTHON, role)
    return Part(role, command, environment | {READY_VARIABLE: str(told)}, _log(log_folder, role), told.exists)


def _log(folder: Path | None, name: str) -> Path | None:
    """Return a part's log file; a large one makes room for a new one, and one old one is kept."""
    if folder is None:
        return None
    path = folder / f"{name}.log"
    if path.exists() and path.stat().st_size > KEPT_LOG_BYTES:
        path.replace(path.with_suffix(".old.log"))
    return path


def run(stack: Stack, console: Console) -> None:
    """Start all parts, say where everything is, and keep them running until asked to stop.

    Raises:
        PartFailed: a part does not start, or dies too often; everything is stopped by then.
    """
    for note in stack.notes:
        console.print(f"[yellow]note[/] {note}", highlight=False)
    tree = ProcessTree(
        say=lambda text: console.print(text, style="yellow", highlight=False, markup=False),
        on_death=lambda pid: forget_process(pid, stack.metrics_folder),
    )
    with tree.heeding_signals():
        try:
            for parts in stack.stages:
                with console.status(f"starting {', '.join(part.name for part in parts)} …"):
                    tree.start(*parts, on_ready=lambda part, took: _say_ready(console, part, took))
            console.print(_address_panel(stack.settings, stack.clock))
            if stack.fed:
                console.print(_what_to_see(stack.settings, stack.engage), highlight=False, soft_wrap=True)
            changed = DefinitionChanges(stack.settings.journeys_dir)
            health = HealthWatch(_base(stack.settings), stack.settings.admin_token)
            tree.watch(lambda: _say_news(console, changed, health))
        except Interrupted:
            pass  # asked to stop: not a failure
        finally:
            with console.status("stopping …"):
                tree.stop()
                if (path := Database(stack.settings.database_url).path) is not None:
                    fold_in(path)  # also what a part that was killed left behind: a copy of the file is whole
    console.print(f"Stopped. `sojourn up` goes on where this was: the data is in {stack.settings.data_dir}", highlight=False)


def _say_news(console: Console, changes: DefinitionChanges, health: HealthWatch) -> None:
    for text in health.news():
        console.print(f"[yellow]note[/] {escape(text)}", highlight=False)
    for name in changes.fresh():
        console.print(f"[yellow]{name} was changed[/]: it is not in force yet. Start `sojourn up` again to apply it.", highlight=False)


def _say_ready(console: Console, part: Part, took: float) -> None:
    console.print(f"[green]✓[/] {part.name} [dim]{took:.1f} s[/]", highlight=False)


def _address_panel(settings: Settings, clock: SystemClock) -> Panel:
    base = _base(settings)
    given = settings.model_fields_set
    rows: Iterable[tuple[str, str]] = [
        ("events go to", f"{base}/v1"),
        ("inbox", f"{base}/inbox" if _stays_here(settings) else ""),
        ("Temporal UI", settings.temporal_ui_url),
        ("admin API", f"{base}/docs"),
        ("metrics", f"{base}/metrics"),
        ("write key", settings.write_key if "write_key" not in given else "as given"),
        ("admin token", settings.admin_token if "admin_token" not in given else "as given"),
        ("data", str(settings.data_dir)),
        ("clock", _clock_sentence(clock)),
    ]
    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        if value:
            table.add_row(f"[dim]{name}[/]", value)
    return Panel(table, title="Sojourn is up", subtitle="Ctrl-C stops it", expand=False)


def _base(settings: Settings) -> str:
    """Return where the API is, as seen from this machine."""
    return f"http://{settings.host if settings.host != '0.0.0.0' else LOCAL}:{settings.port}"  # noqa: S104  only compared


def _stays_here(settings: Settings) -> bool:
    """Tell whether mail goes to the local inbox, since nothing says otherwise."""
    return not settings.smtp_url and not (settings.journeys_dir / DELIVERY_FILE).is_file()


def _what_to_see(settings: Settings, engage: float) -> str:
    """Return what a newcomer may look at while a recording is played."""
    lines = ["A recorded shop is played. Within two minutes:"]
    if _stays_here(settings):
        lines += ["- The inbox fills. Follow a link in a mail: its journey takes the clicked branch."]
    if settings.temporal_ui_url:
        lines += [
            "- Temporal UI shows each journey of each person as a workflow. Choose one, then",
            "  User Metadata: the path walked, and why. Terminated means left during the first",
            "  wait, mostly by a purchase; it is no fault.",
        ]
    lines += [
        "- In another terminal, one person's story (the number stands in a mail's address):",
        f"  sojourn profile customer-NNNNN --data-dir {_near(settings.data_dir)}",
    ]
    if engage:
        lines += [f"Opens and clicks are simulated: {engage:.0%} of the mails are opened, and half of these clicked."]
    return "\n".join(lines)


def _near(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _clock_sentence(clock: SystemClock) -> str:
    scale = clock.scale.scale
    if scale == 1.0:
        return ""
    return f"{scale:g} times as fast as real; it is {clock.now():%Y-%m-%d %H:%M} UTC in the shop"


def up_command(
    data_dir: Annotated[Path | None, typer.Option(help="Where all data is.", show_default="./var")] = None,
    journeys_dir: Annotated[
        Path | None, typer.Option("--journeys", "--journeys-dir", help="The folder of journeys.", show_default="./journeys")
    ] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen at.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The API's port.", show_default="8080, or a free one")] = None,
    ui_port: Annotated[int | None, typer.Option(help="Temporal UI's port.", show_default="8233, or a free one")] = None,
    time_scale: Annotated[float | None, typer.Option(help="How many times faster the shop's clock runs.", show_default="1")] = None,
    feed: Annotated[Path | None, typer.Option(help="A recording to push through intake.", show_default="none")] = None,
    engage: Annotated[
        float, typer.Option(min=0, max=1, help="Play readers: open this share of the feed's mail, follow a link in half.")
    ] = 0.0,
    logs: Annotated[bool, typer.Option("--logs", help="Show every part's log lines here instead of in files.")] = False,
    log_format: Annotated[str | None, typer.Option(help="json or console.", show_default="console")] = None,
    database_url: Annotated[str | None, typer.Option(help="The database.", show_default="a SQLite file in the data folder")] = None,
    temporal_address: Annotated[str | None, typer.Option(help="A Temporal server.", show_default="its own")] = None,
    temporal_namespace: Annotated[str | None, typer.Option(help="The Temporal namespace.", show_default="default")] = None,
    smtp_url: Annotated[str | None, typer.Option(help="The mail server.", show_default="the local inbox")] = None,
    public_url: Annotated[str | None, typer.Option(help="Where customers reach Sojourn.", show_default="this machine")] = None,
    write_key: Annotated[str | None, typer.Option(help="What clients send events with.", show_default="made and kept")] = None,
    admin_token: Annotated[str | None, typer.Option(help="The admin API's token.", show_default="made and kept")] = None,
    secret_key: Annotated[str | None, typer.Option(help="What links are signed with.", show_default="made and kept")] = None,
    otlp_endpoint: Annotated[str | None, typer.Option(help="An OpenTelemetry collector.", show_default="none")] = None,
) -> None:
    """Start everything: Temporal's development server, API, router and worker."""
    console = Console(stderr=True)
    flags = {name: value for name, value in locals().items() if name in Settings.model_fields}
    try:
        settings = load_settings(**flags)
        with told():
            load(settings.journeys_dir)  # a broken definition is said at once, and nothing starts
        with locked(settings.data_dir):
            run(plan(settings, ui_port=ui_port, feed=feed, engage=engage, logs_here=logs), console)
    except SojournError as error:
        console.print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None


def register(app: typer.Typer) -> None:
    """Add `up` to the console script."""
    app.command("up")(up_command)
