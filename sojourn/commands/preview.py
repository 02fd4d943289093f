"""`sojourn preview`: a message as one person would get it, or all of them as a gallery."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.reading import DataDir, reading, shop_clock
from sojourn.content.check import GMAIL_CLIPS_AT
from sojourn.errors import SettingsError
from sojourn.preview.chromium import ABSENT, SCREENS, THUMBNAIL, Browser, NoPicture, browser, find_chromium
from sojourn.preview.files import PAGE, write_message, write_report
from sojourn.preview.findings import Level
from sojourn.preview.following import follow, links_of
from sojourn.preview.making import Case, Made, Workshop
from sojourn.preview.page import Card, gallery, kilobytes, spam_told
from sojourn.preview.report import Report, report
from sojourn.preview.spam import Spam, spam_score
from sojourn.preview.subjects import SAMPLE, Subject, of_person

DEFAULT_OUT = Path("var") / "preview"
GALLERY = "gallery.html"


def preview_command(
    content: Annotated[str | None, typer.Argument(metavar="CONTENT", help="The content's name.", show_default=False)] = None,
    person: Annotated[str | None, typer.Option("--person", help="A person of the data, by any identifier.", show_default=False)] = None,
    persona: Annotated[str | None, typer.Option("--persona", help="A persona of journeys/personas/.", show_default=False)] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Which variant.", show_default=False)] = None,
    language: Annotated[str | None, typer.Option("--language", help="Another language than theirs.", show_default=False)] = None,
    journey: Annotated[str | None, typer.Option("--journey", help="As this one sends it.", show_default="the first that does")] = None,
    all_: Annotated[bool, typer.Option("--all", help="One page of every content for every persona.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The folder to write into.", show_default="var/preview/…")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    follow_links: Annotated[bool, typer.Option("--follow", help="Ask every link whether it leads anywhere.")] = False,
    pictures: Annotated[bool, typer.Option(help="Take pictures, where Chromium is on this machine.")] = True,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Show a message before anyone gets it: as files, as pictures, and as a report.

    For example: `sojourn preview cart_reminder --persona ada --open`, or `sojourn preview --all`. Without a person or
    a persona, what the content gives as its `sample` is taken. Nothing is sent or written to the data, and links to
    unsubscribe or confirm are dead ones. Exits with 1 where there is no message to show.
    """
    if all_ is (content is not None):
        raise typer.BadParameter("name a content, or --all for every one")
    if person is not None and persona is not None:
        raise typer.BadParameter("name a person or a persona, not both")
    if all_ and (person or persona or variant or language or journey or follow_links):
        raise typer.BadParameter("--all takes every persona, variant and language, and follows no links")
    with told():
        workshop = Workshop.load(journeys)
        if all_:
            page = _gallery(workshop, out or DEFAULT_OUT, pictures=pictures)
            failed = False
        else:
            page, failed = _one(workshop, Case(content or "", SAMPLE, variant, language, journey), person, persona, out, data_dir,
                                follows=follow_links, pictures=pictures)  # fmt: skip
    if open_:
        webbrowser.open(page.absolute().as_uri())
    if failed:
        raise typer.Exit(1)


def _one(
    workshop: Workshop, case: Case, person: str | None, persona: str | None, out: Path | None, data_dir: Path | None,
    *, follows: bool, pictures: bool,
) -> tuple[Path, bool]:  # fmt: skip
    made = _made(workshop, case, person, persona, data_dir)
    folder = out or DEFAULT_OUT / made.case.slug
    shots: dict[str, bytes] = {}
    notes: tuple[str, ...] = ()
    with Console(stderr=True).status("looking at it") as status:
        if follows and made.rendered is not None:
            status.update("following its links")
        followed = follow(links_of(made.rendered.html)) if follows and made.rendered is not None else None
        status.update("asking SpamAssassin")
        found = report(made, spam_score(made.raw) if made.raw else None, followed)
        files = write_message(folder, found)
        if made.rendered is not None and pictures:
            status.update("taking pictures")
            shots, notes = _shots(files[0])
    found = replace(found, pictures={name: f"{name}.png" for name in shots}, notes=(*found.notes, *notes))
    files += write_report(folder, found, shots)
    _tell(Console(), found, folder, files)
    return folder / PAGE, made.rendered is None


def _made(workshop: Workshop, case: Case, person: str | None, persona: str | None, data_dir: Path | None) -> Made:
    if persona is not None:
        return workshop.make(replace(case, subject=workshop.persona(persona)))
    if person is None:
        return workshop.make(case)
    now = shop_clock(data_dir).now()
    with reading(data_dir) as database:
        return database.read_now(lambda connection: workshop.make(replace(case, subject=of_person(connection, person, now))))


def _shots(page: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    program = find_chromium()
    if program is None:
        return {}, (ABSENT,)
    shots: dict[str, bytes] = {}
    try:
        with browser(program) as opened:
            for screen in SCREENS:
                shots[screen.name] = opened.picture(page, screen)
    except NoPicture as error:
        return shots, (f"not all pictures were taken: {error}",)
    return shots, ()


def _gallery(workshop: Workshop, folder: Path, *, pictures: bool) -> Path:
    people: list[Subject] = workshop.personas() or [SAMPLE]
    names = sorted(workshop.contents.names())
    if not names:
        raise SettingsError("there is no content to show; write one into journeys/content/")
    cases = [case for name in names for person in people for case in workshop.cases(name, person)]
    cards: list[Card] = []
    notes: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _camera(notes, wanted=pictures) as camera, Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rendering", total=len(cases))
        ask_spam = True
        for case in cases:
            bar.update(task, description=case.content)
            made = workshop.make(case)
            spam = spam_score(made.raw, quick=True) if made.raw and ask_spam else None
            ask_spam = ask_spam and not isinstance(spam, str)
            thumbnail, camera = _thumbnail(made, camera, notes)
            cards.append(Card(report(made, spam if isinstance(spam, Spam) else None), thumbnail))
            bar.advance(task)
    if not ask_spam:
        notes.append("No spam scores: no spamd answers. `sojourn preview CONTENT` asks SpamAssassin itself.")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / GALLERY
    path.write_text(gallery(workshop.shop.name, cards, people, notes), "utf-8")
    _tell_gallery(Console(), cards, notes, path)
    return path


@contextmanager
def _camera(notes: list[str], *, wanted: bool) -> Iterator[Browser | None]:
    """Give a browser for thumbnails; None, and a note that says why, where there is none."""
    program = find_chromium() if wanted else None
    if program is None:
        notes += [ABSENT] if wanted else []
        yield None
        return
    try:
        opened = browser(program)
        camera = opened.__enter__()
    except NoPicture as error:
        notes.append(f"No pictures: {error}.")
        opened, camera = nullcontext(), None  # type: ignore[assignment]
    try:
        yield camera
    finally:
        if camera is not None:
            opened.__exit__(None, None, None)


def _thumbnail(made: Made, camera: Browser | None, notes: list[str]) -> tuple[bytes | None, Browser | None]:
    if camera is None or made.rendered is None:
        return None, camera
    with tempfile.TemporaryDirectory(prefix="sojourn-preview-") as folder:
        page = Path(folder) / "message.html"
        page.write_text(made.rendered.html, "utf-8")
        try:
            return camera.picture(page, THUMBNAIL, whole=False, jpeg=True), camera
        except NoPicture as error:
            notes.append(f"No more pictures after {made.case.content}: {error}.")
            return None, None


def _tell(console: Console, found: Report, folder: Path, files: list[Path]) -> None:
    made, rendered = found.made, found.made.rendered
    if rendered is None:
        console.print(f"[red]no message:[/] {escape(made.problem or '')}", highlight=False, soft_wrap=True)
    language, why = found.language()
    rows = {
        "content": f"{made.case.content}" + (f", variant {made.case.variant}" if made.case.variant else ""),
        "for": made.case.subject.told(),
        "as sent by": made.occasion.told(),
        "subject": rendered.subject if rendered else "",
        "preheader": rendered.preheader if rendered else "",
        "language": f"{language}, for {why}" if language else "",
        "size": f"{kilobytes(found.html_bytes)} of HTML; Gmail cuts at {GMAIL_CLIPS_AT // 1024} kB" if rendered else "",
        "spam score": spam_told(found.spam) + (f": {found.spam}" if isinstance(found.spam, str) else "") if rendered else "",
        "links": str(len(found.links)) if rendered else "",
    }
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        if value:
            grid.add_row(f"[dim]{name}[/]", escape(value))
    console.print(grid)
    for one in sorted(found.findings, key=lambda each: each.level is Level.HINT):
        style = "red" if one.level is Level.PROBLEM else "yellow"
        console.print(f"[{style}]{one.level.value}[/] {escape(one.about)}: {escape(one.message)}", highlight=False, soft_wrap=True)
    console.print(_tokens(found))
    for note in found.notes:
        console.print(escape(note), style="dim", highlight=False, soft_wrap=True)
    names = ", ".join(path.name for path in files)
    console.print(f"in {escape(str(folder))}: {names}", highlight=False, soft_wrap=True)


def _tokens(found: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("token", "value", "from"):
        table.add_column(column, overflow="fold")
    for one in found.tokens:
        table.add_row(escape(one.name), escape(str(one.value)), f"[dim]{escape(one.origin)}[/]")
    for each in found.decisions:
        table.add_row(escape(each.name), escape(str(each.value)), f"[dim]{escape(each.because)}[/]")
    return table


def _tell_gallery(console: Console, cards: list[Card], notes: list[str], path: Path) -> None:
    bad = [card.report for card in cards if card.report.problems]
    for one in bad:
        for finding in one.problems:
            text = f"[red]{one.made.case.slug}[/] {escape(finding.about)}: {escape(finding.message)}"
            console.print(text, highlight=False, soft_wrap=True)
    for note in notes:
        console.print(escape(note), style="dim", highlight=False, soft_wrap=True)
    console.print(f"{len(cards)} messages, {len(bad)} to mend; the page is {escape(str(path))}", highlight=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add `preview` to the console script."""
    app.command("preview")(preview_command)
