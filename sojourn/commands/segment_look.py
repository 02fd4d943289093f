"""`sojourn segment list`, `preview`, `size` and `explain`: what is asked of segments; nothing is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.commands import charts
from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir
from sojourn.commands.reading import DataDir, moment
from sojourn.commands.segment_shop import Mistake, Name, Seconds, Segments, opened, person, progress
from sojourn.customers.segments import guards, over_time
from sojourn.customers.segments.people import called
from sojourn.customers.segments.preview import Asked, people, sweep_page
from sojourn.customers.segments.standing import Standing, standing
from sojourn.language.asked import check_segments
from sojourn.language.conditions import Condition, parse
from sojourn.language.durations import parse_duration
from sojourn.language.model import Segment
from sojourn.language.segment_guards import too_many_attributes
from sojourn.local_time import parse_moment
from sojourn.store.limits import limited

TRIED = "condition_that_is_tried"  # the name of a segment that has none yet
TIMEOUT = 30.0


def list_command(journeys: JourneysDir = DEFAULT_JOURNEYS, data_dir: DataDir = None) -> None:
    """Show every segment: how many are in it, whether it is live, and what it is.

    *condition* is judged by Sojourn, to the second; a *list* is kept by hand, by upload, frozen, or clustered. A segment
    whose definition came or changed is *building* until everyone was gone through, and *not in force yet* until `sojourn up`
    (or `router`) was started with it.
    """
    with opened(journeys, data_dir) as shop:
        found = shop.builds()
        members = shop.database.read_now(guards.sizes, shop.definitions.segments)
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("segment, and what it is", "kind", "members", "state", "since (UTC)"):
            table.add_column(column, justify="right" if column == "members" else "left", no_wrap=column != "segment, and what it is")
        for name, segment in sorted(shop.definitions.segments.items()):
            build = found.get(name)
            since = moment(build.finished_at) if build is not None and build.finished_at is not None else ""
            kind = "condition" if segment.list_ is None else f"list: {segment.list_}"
            what = f"{name}\n[dim]{escape(' '.join(segment.description.split()))}[/]"
            table.add_row(what, kind, f"{members[name]:,}", shop.state(name, found), since)
        Console().print(table)
        if any("not in force yet" in shop.state(name, found) for name in shop.definitions.segments):
            start = "start `sojourn up` again to put those in force" if found else "`sojourn up` puts them in force"
            Console(soft_wrap=True).print(f"Definitions are read at a start: {start}.", style="yellow")


def preview_command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The segment; left out with --members.", show_default=False)] = None,
    members: Annotated[
        str | None, typer.Option("--members", metavar="CONDITION", help="A condition to try instead of the segment's.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many people on a page.")] = 20,
    page: Annotated[int, typer.Option(min=1, help="Which page of them.")] = 1,
    timeout: Seconds = TIMEOUT,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Show who is in a segment, or who would be by another condition. Changes nothing.

    - `sojourn segment preview dormant` — how many are in it now, and a page of them
    - `sojourn segment preview dormant --members 'not did("Session Started", within="30d")'` — who would come into it
      and who would go if it were edited so
    - `sojourn segment preview --members 'count("Order Completed", within="90d") >= 3'` — a segment that is not written yet

    Also warns of: too many attributes, too few people, twice the same people.
    """
    with opened(journeys, data_dir) as shop:
        condition, conditions = _tried(shop, name, members)
        rows, asked = _swept(shop, condition, conditions, name, timeout)
        _show_preview(shop, name, members, condition, rows, asked, limit, page)


def _tried(shop: Segments, name: str | None, members: str | None) -> tuple[Condition, dict[str, Condition]]:
    if name is not None:
        shop.get(name)
    conditions = dict(shop.book.conditions)
    if members is None:
        if name is None:
            raise Mistake('name a segment, or give a condition: sojourn segment preview --members \'did("Signed Up", within="7d")\'')
        return conditions[name], conditions
    called_ = name or TRIED
    tried = Segment.model_construct(segment=called_, description="tried", members=members)
    segments = {**shop.definitions.segments, called_: tried}
    findings = check_segments(segments, frozenset(segments))[called_]
    if findings:
        raise Mistake("; ".join(f"--members, character {(f.offset or 0) + 1}: {f.message}" for f in findings))
    condition = parse(members).by(shop.definitions.calendar)
    return condition, {**conditions, called_: condition}


def _swept(
    shop: Segments, condition: Condition, conditions: dict[str, Condition], name: str | None, timeout: float
) -> tuple[list[Asked], int]:
    found: list[Asked] = []
    asked, after = 0, ""
    with progress() as bar:
        task = bar.add_task("asking", total=shop.database.read_now(people))
        while True:
            page = shop.database.read_now(limited, timeout, sweep_page, condition, conditions, name, shop.now, after)
            found += page.found
            asked += page.asked
            bar.update(task, advance=page.asked)
            if page.last is None:
                return found, asked
            after = page.last


def _show_preview(
    shop: Segments,
    name: str | None,
    members: str | None,
    condition: Condition,
    rows: list[Asked],
    asked: int,
    limit: int,
    page: int,
) -> None:
    console = Console(soft_wrap=True, highlight=False)
    inside = [one.profile_id for one in rows if one.holds]
    share = f" ({len(inside) / asked:.1%})" if asked else ""
    console.print(f"[bold]{len(inside):,}[/] of {asked:,} people{share} as of {moment(shop.now)} UTC")
    if name is not None:
        comes, goes = [one for one in rows if one.holds and not one.member], [one for one in rows if one.member and not one.holds]
        if members is not None:
            console.print(f"edited so, [green]{len(comes):,} would come[/] into `{name}` and [red]{len(goes):,} would go[/]")
        elif comes or goes:
            state = shop.state(name, shop.builds())
            console.print(f"written as members: {len(inside) - len(comes) + len(goes):,}; it is {state}", style="yellow")
    moved = {one.profile_id: "comes" if one.holds else "goes" for one in rows if one.holds is not one.member}
    shown = [one.profile_id for one in rows if one.holds or members is not None]
    on_page = shown[(page - 1) * limit : page * limit]
    names = shop.database.read_now(called, on_page)
    for one in on_page:
        sign = {"comes": "[green]+[/] ", "goes": "[red]-[/] "}.get(moved.get(one, ""), "  ") if members is not None and name else ""
        console.print(f"{sign}{escape(names[one])}")
    if shown and not on_page:
        console.print(f"there is no page {page}; the last is {-(-len(shown) // limit)}", style="dim")
    elif page * limit < len(shown):
        console.print(f"… and {len(shown) - page * limit:,} more; --page {page + 1} shows the next", style="dim")
    for text in _cautions(shop, name, condition, inside):
        console.print(f"warning: {text}", style="yellow", markup=False)


def _cautions(shop: Segments, name: str | None, condition: Condition, inside: list[str]) -> list[str]:
    called_ = name or "it"
    texts = [text] if (text := too_many_attributes(condition)) is not None else []
    texts += [guard.message for guard in guards.too_few({called_: len(inside)})]
    others = {
        other: count for other, count in shop.database.read_now(guards.sizes, shop.book.conditions).items() if other != name and count
    }
    if inside and others:
        sample = inside[: guards.SAMPLE]
        hits = shop.database.read_now(guards.shared, sample, list(others))
        sizes = {**others, called_: len(inside)}
        found = [guards.overlapping(called_, other, sizes, len(sample), count) for other, count in hits.items()]
        texts += [guard.message for guard in guards.too_alike(found)]
    return texts


def size_command(
    name: Name,
    over: Annotated[str, typer.Option(help="How far back, such as 30d.")] = "30d",
    steps: Annotated[int, typer.Option(min=2, max=200, help="How many moments, evenly spread.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON instead.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Write a chart into this file as well.", show_default=False)] = None,
    sample: Annotated[int, typer.Option(min=100, help="How many people are asked at most; of more, a sample.")] = over_time.MOST,
    timeout: Seconds = TIMEOUT,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Show how many people a segment had over time.

    - `sojourn segment size dormant` — the last 30 days
    - `sojourn segment size dormant --over 12w --steps 84 --svg dormant.svg`
    - `sojourn segment size dormant --json` — for other tools

    The segment's condition, as it is written now, is asked as of each moment; so this works for a segment that is new as
    well. Traits are taken as they are now: their past is not kept. In a large store a sample of people is asked, and the
    error (95 % confidence) is said. A list's numbers come from when people came and went.
    """
    with opened(journeys, data_dir) as shop:
        shop.get(name)
        try:
            window = parse_duration(over)
        except ValueError as error:
            raise Mistake(f"--over: {error}") from None
        at = over_time.moments(shop.now, window, steps)
        asked = shop.database.read_now(limited, timeout, over_time.take, sample)
        if name in shop.book.lists:
            found = shop.database.read_now(limited, timeout, over_time.list_sizes, name, at, asked)
        else:
            condition, found = shop.book.conditions[name], []
            with progress(quiet=as_json) as bar:
                for each in bar.track(at, description="asking"):
                    found.append(shop.database.read_now(limited, timeout, over_time.size_at, condition, shop.book.conditions, each, asked))
        points = [charts.Point(each.at, each.members, each.error) for each in found]
        if svg is not None:
            svg.write_text(charts.svg(f"members of {name}", points), encoding="utf-8")
        if as_json:
            sizes = [{"at": each.at.isoformat(), "members": each.members, "error": each.error} for each in found]
            body = {"segment": name, "asked": asked.taken, "people": asked.of, "sampled": asked.until is not None, "sizes": sizes}
            typer.echo(json.dumps(body, indent=2))
            return
        console = Console(soft_wrap=True, highlight=False)
        console.print(f"[bold]members of {name}[/], UTC")
        for line in charts.bars(points):
            console.print(line, markup=False)
        console.print(charts.trend(points), markup=False)
        if asked.until is not None:
            worst = max(point.error for point in points)
            console.print(f"reckoned from {asked.taken:,} of {asked.of:,} people: each number is right to ± {worst:,} (95 %)", style="dim")
        if svg is not None:
            console.print(f"written: {svg}", markup=False)


def explain_command(
    name: Name,
    who: Annotated[str, typer.Argument(metavar="PERSON", help="A profile id or any id that the shop knows.", show_default=False)],
    at: Annotated[str | None, typer.Option(metavar="MOMENT", help="As of then: 2026-03-01T09:00Z.", show_default="now")] = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Show why one person is in a segment or is not: each part of the condition with its value for them.

    - `sojourn segment explain dormant customer-17511`
    - `sojourn segment explain dormant customer-17511 --at 2026-03-01T09:00Z` — as it was then

    Says since when they are in it, when that can change next though nothing happens (a window passes), and when they came
    and went before. Of a segment that the condition names, the parts of its own condition follow. For a moment that is past,
    events are those until then; traits, and the lists that they are on, are those of now.
    """
    with opened(journeys, data_dir) as shop:
        segment = shop.get(name)
        asked = shop.now if at is None else _moment(at)
        profile_id = shop.database.read_now(person, who)
        found = shop.database.read_now(standing, name, shop.book.conditions, profile_id, asked)
        _show_standing(shop, segment, who, asked, found)


def _moment(text: str) -> datetime:
    found = parse_moment(text)
    if found is None:
        raise Mistake(f"--at {text}: write a moment such as 2026-03-01, 2026-03-01T09:00Z or 2026-03-01T09:00+01:00")
    return found.astimezone(UTC)


def _show_standing(shop: Segments, segment: Segment, who: str, asked: datetime, found: Standing) -> None:
    console = Console(soft_wrap=True, highlight=False)
    name, why = segment.segment, found.why
    console.print(f"[bold]{escape(who)}[/] {'is' if why.holds else 'is not'} in [bold]{name}[/] as of {moment(asked)} UTC")
    if asked == shop.now and why.holds is not (found.since is not None):
        written = "a member" if found.since else "no member"
        console.print(f"written: {written}; it is {shop.state(name, shop.builds())}, and they are judged anew when due", style="yellow")
    if found.since is not None:
        console.print(f"a member since {moment(found.since)} UTC")
    if segment.list_ is None:
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold", style="dim")
        for leaf in why.leaves:
            decided = "  ← decides" if leaf in why.deciding else ""
            table.add_row("[green]✓[/]" if leaf.holds else "[red]✗[/]", escape(leaf.text), escape(leaf.shown + decided))
        console.print(table)
        turns = f"{moment(found.turns)} UTC at the earliest" if found.turns else "never: only what they do, or what is said of them, can"
        console.print(f"changes by itself: {turns}")
    else:
        console.print(f"a list ({segment.list_}): who is on it is changed by hand", style="dim")
    for move in found.moves:
        console.print(f"{moment(move.at)} {'[green]entered[/]' if move.entered else '[red]left[/]'}")
    if not found.moves:
        console.print("never came into it or left it, as far as was told", style="dim")


__all__ = ["explain_command", "list_command", "preview_command", "size_command"]
