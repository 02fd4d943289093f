"""`sojourn replay`: a recorded event file, pushed through intake again at a chosen speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any
from uuid import uuid4

import httpx
import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sojourn.clock import monotonic, real_now
from sojourn.commands.playing import PlayedReaders
from sojourn.commands.recording import Recorded, Retiming, outgoing, read_recording
from sojourn.errors import SettingsError, SojournError, Terminal, Transient
from sojourn.settings import load_settings

MAX_BATCH_EVENTS = 100
MAX_BATCH_BYTES = 400_000  # intake takes 500 kB a call
GATHER_SECONDS = 0.05  # events due within it leave together; each keeps its own moment
MAX_TRIES = 8
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 300.0  # what Segment's own clients heed at most
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
INBOX = "inbox"  # in the data folder
LONGEST_WAIT = 30.0  # seconds, for the shop's clock to show the hour at which a recording begins
_AGAIN = frozenset({408, 410, 429, 500, 502, 503, 504})


class Refused(Terminal):
    """Intake refuses the call as a whole: a wrong key or address."""


class Unreachable(Transient):
    """No Sojourn answers at the address, or it stays overloaded."""


@dataclass
class Tally:
    """What came of a replay."""

    sent: int = 0
    accepted: int = 0
    quarantined: int = 0
    retried: int = 0

    def sentence(self, seconds: float) -> str:
        """Return the summary that ends a replay."""
        rate = self.sent / seconds if seconds else 0.0
        parts = [f"{self.accepted} accepted", f"{self.quarantined} quarantined"]
        parts += [f"{self.retried} calls tried again"] if self.retried else []
        return f"{self.sent} events sent in {seconds:.1f} s ({rate:.0f}/s): " + ", ".join(parts)


class Intake:
    """Intake at the other end of HTTP."""

    def __init__(self, url: str, write_key: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url = url.rstrip("/")
        self._sleep = sleep
        # trust_env: a proxy of the environment must not see a local server's events.
        self._client = httpx.Client(base_url=self.url, auth=(write_key, ""), timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.close()

    def clock(self) -> tuple[float, datetime | None]:
        """Return the server's time scale and its shop's moment as its health tells; 1 and None where it tells none.

        Raises:
            Unreachable: no server answers.
        """
        try:
            told = self._client.get("/api/health", timeout=5.0).json()
            shop = told.get("shop_time")
            return float(told.get("time_scale", 1.0)), datetime.fromisoformat(shop) if shop else None
        except httpx.TransportError:
            raise Unreachable(f"no Sojourn answers at {self.url}; start one with: sojourn up") from None
        except (ValueError, AttributeError, TypeError):
            return 1.0, None

    def send(self, batch: list[dict[str, Any]], tally: Tally) -> None:
        """Send a batch until it is answered, and count what came of it.

        Raises:
            Refused: a wrong write key or address.
            Unreachable: it went unanswered too often.
        """
        body = orjson.dumps({"batch": batch, "sentAt": batch[-1]["sentAt"]})
        pause = FIRST_PAUSE
        for attempt in range(1, MAX_TRIES + 1):
            problem, wait = "", pause
            try:
                answer = self._client.post("/v1/batch", content=body, headers={"content-type": "application/json"})
            except httpx.TransportError as error:
                # Sent again under the same message ids, what had arrived counts once.
                problem = f"no answer ({type(error).__name__})"
            else:
                if answer.is_success:
                    set_aside = _quarantined(answer)
                    tally.sent += len(batch)
                    tally.quarantined += set_aside
                    tally.accepted += len(batch) - set_aside
                    return
                if answer.status_code not in _AGAIN:
                    raise Refused(_refusal(answer, self.url))
                problem, wait = f"status {answer.status_code}", _retry_after(answer, pause)
            if attempt == MAX_TRIES:
                raise Unreachable(f"{self.url} gave {problem} {MAX_TRIES} times; see what `sojourn up` says there")
            tally.retried += 1
            self._sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)


def _refusal(answer: httpx.Response, url: str) -> str:
    if answer.status_code in (401, 403):
        return f"{url} does not know this write key; give the one that `sojourn up` shows, with --write-key or SOJOURN_WRITE_KEY"
    if answer.status_code == 404:
        return f"{url} has no /v1/batch: something other than Sojourn answers there; give its address with --url"
    return f"{url} refused the events with status {answer.status_code}: {answer.text[:200]}"


def _retry_after(answer: httpx.Response, otherwise: float) -> float:
    told = answer.headers.get("retry-after", "")
    return min(float(told), LONGEST_PAUSE) if told.isascii() and told.isdigit() else otherwise


def _quarantined(answer: httpx.Response) -> int:
    """Return how many events of a batch were set aside, as intake tells by listing them."""
    try:
        told = answer.json()
    except ValueError:
        return 0
    listed = told.get("quarantined") if isinstance(told, dict) else None
    return len(listed) if isinstance(listed, list) else 0


def replay(
    events: list[Recorded],
    intake: Intake,
    retiming: Retiming,
    *,
    run_id: str | None,
    tally: Tally,
    advanced: Callable[[int], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send a recording once, each event at its due moment, and count in `tally` what came of it.

    Args:
        events: in order of time.
        intake: where to.
        retiming: when each event is due, and how old it is by then.
        run_id: makes the message ids new; None keeps the recorded ones.
        tally: is added to.
        advanced: told how many events went out, after each batch.
        sleep: waits for so many seconds.

    Raises:
        Refused, Unreachable: as of Intake.send.
    """
    began = monotonic()
    at = 0
    while at < len(events):
        ahead = retiming.due(events[at].at) - (monotonic() - began)
        if ahead > 0:
            sleep(ahead + GATHER_SECONDS)
        elapsed, now = monotonic() - began, real_now()
        batch: list[dict[str, Any]] = []
        size = 0
        while at + len(batch) < len(events) and len(batch) < MAX_BATCH_EVENTS:
            event = events[at + len(batch)]
            size += len(event.body) + 200  # and the new moments
            if batch and (size > MAX_BATCH_BYTES or retiming.due(event.at) > elapsed):
                break
            batch.append(outgoing(event, now, retiming.ago(event.at, elapsed), run_id))
        intake.send(batch, tally)
        at += len(batch)
        advanced(len(batch))


def until_same_hour(first: datetime, shop: datetime | None, scale: float) -> float:
    """Return how many real seconds to wait until the shop's clock shows a recording's first hour of the day.

    Nights are then nights: else a day's mail could be held until morning. 0 where that takes longer than LONGEST_WAIT.
    """
    if shop is None:
        return 0.0
    wait = ((first - shop) % timedelta(days=1)).total_seconds() / scale
    return wait if wait <= LONGEST_WAIT else 0.0


def parse_speed(text: str | None, scale: float) -> float | None:
    """Return how many times as fast as real a recording plays; None is as fast as intake takes it.

    Raises:
        SettingsError: it is neither a positive number nor `max`.
    """
    if text is None:
        return scale
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise SettingsError(f"--speed is a positive number or max, not {text!r}; 3600 plays an hour in a second")
    return speed


def replay_command(
    file: Annotated[Path, typer.Argument(help="One Segment call a line, .jsonl or .jsonl.gz.", show_default=False)],
    speed: Annotated[str | None, typer.Option(help="Times as fast as recorded, or max.", show_default="the server's time scale")] = None,
    url: Annotated[str | None, typer.Option(help="Where intake listens.", show_default="http://127.0.0.1 and the port set")] = None,
    write_key: Annotated[str | None, typer.Option(help="The write key.", show_default="the one set, or of the data folder")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The server's data folder, which holds its keys.", show_default="var")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Send only so many events.", show_default="all")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end, until Ctrl-C.")] = False,
    run_id: Annotated[str | None, typer.Option(help="Names the run; repeated, it sends nothing twice.", show_default="a new one")] = None,
    same_ids: Annotated[bool, typer.Option("--same-ids", help="Keep the recorded message ids; known ones are taken once.")] = False,
    engage: Annotated[
        float, typer.Option(min=0, max=1, help="Play readers: of the mail in the local inbox, open this share, and follow a link in half.")
    ] = 0.0,
) -> None:
    """Push a recorded event file through intake."""
    console = Console(stderr=True)
    tally, began = Tally(), monotonic()
    readers: PlayedReaders | None = None
    try:
        if same_ids and (loop or run_id):
            raise SettingsError("--same-ids keeps the recorded ids: it goes neither with --loop nor with --run-id")
        events = read_recording(file, limit)
        settings = load_settings(keys=write_key is None, write_key=write_key, data_dir=data_dir)
        url, write_key = url or f"http://127.0.0.1:{settings.port}", settings.write_key
        run = None if same_ids else run_id or uuid4().hex[:12]
        with Intake(url, write_key) as intake, ExitStack() as stack:
            scale, shop = intake.clock()
            retiming = Retiming(events[0].at, events[-1].at, parse_speed(speed, scale), scale)
            if engage:
                bases = (url.rstrip("/"), settings.public_url)
                readers = stack.enter_context(PlayedReaders(settings.data_dir / INBOX, bases, engage, scale))
            if retiming.speed == scale:
                time.sleep(until_same_hour(events[0].at, shop, scale))
            bar = stack.enter_context(_bar(console))
            task = bar.add_task("max" if retiming.speed is None else f"{retiming.speed:g}x", total=None if loop else len(events))
            life = 0
            while life == 0 or loop:
                life += 1
                this_run = run if life == 1 or run is None else f"{run}.{life}"
                replay(events, intake, retiming, run_id=this_run, tally=tally, advanced=lambda count: bar.advance(task, count))
    except KeyboardInterrupt:
        console.print(f"Stopped. {tally.sentence(monotonic() - began)}", highlight=False)
        raise typer.Exit(130) from None
    except SojournError as error:
        if tally.sent:
            console.print(tally.sentence(monotonic() - began), highlight=False)
        console.print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    console.print(tally.sentence(monotonic() - began) + ("" if run is None else f" (run {run})"), highlight=False)
    if readers is not None:
        console.print(readers.sentence(), highlight=False)


def register(app: typer.Typer) -> None:
    """Add `replay` to the console script."""
    app.command("replay")(replay_command)


def _bar(console: Console) -> Progress:
    columns = (TextColumn("replay {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
