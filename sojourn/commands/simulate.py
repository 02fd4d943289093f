"""`sojourn simulate JOURNEY`: many made-up lives walked through a journey in virtual time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from sojourn.clock import monotonic
from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.naming import chosen
from sojourn.content import Contents
from sojourn.errors import SettingsError
from sojourn.language.conditions import Condition
from sojourn.language.durations import parse_duration
from sojourn.language.loader import load
from sojourn.language.moments import zone_named
from sojourn.language.segments import conditions_of
from sojourn.prediction import Models
from sojourn.travel.lives import Habits, Lives
from sojourn.travel.program import Program
from sojourn.travel.simulated_messages import LEFT_OUT, SimulatedMessages
from sojourn.travel.simulation import Simulation, asking
from sojourn.travel.tally import Tally

BAR = 30
USUAL = Habits()


def simulate_command(
    journey: Annotated[str, typer.Argument(metavar="JOURNEY", help="The journey's name.", show_default=False)],
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    people: Annotated[int, typer.Option(min=1, help="How many walk it.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same lives.")] = 1,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A fact of everyone, as in an example's `given`: score.rfm=0.2.", show_default=False),
    ] = None,
    happens: Annotated[float, typer.Option(min=0, max=0.95, help="Chance of each event that the journey listens for.")] = USUAL.happens,
    chance: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT=CHANCE", help='The same for one event: "Order Completed=0.3".', show_default=False),
    ] = None,
    within: Annotated[str, typer.Option(help="The time after entry in which they happen; the earlier the likelier.")] = "14d",
    past: Annotated[float, typer.Option(min=0, max=0.95, help="Chance of each event in a person's past, and of each again.")] = USUAL.past,
    delivered: Annotated[float, typer.Option(min=0, max=1, help="Chance of a message being delivered.")] = USUAL.delivered,
    opened: Annotated[float, typer.Option(min=0, max=1, help="Chance of a delivered message being opened.")] = USUAL.opened,
    clicked: Annotated[float, typer.Option(min=0, max=1, help="Chance of its link being followed.")] = USUAL.clicked,
    complained: Annotated[float, typer.Option(min=0, max=1, help="Chance of its being called spam.")] = USUAL.complained,
    declined: Annotated[float, typer.Option(min=0, max=1, help="Chance of each topic of the shop being declined.")] = USUAL.declined,
    failed: Annotated[float, typer.Option(min=0, max=1, help="Chance of each `call` failing for good.")] = USUAL.failed,
) -> None:
    """Walk many made-up people through a journey, in virtual time.

    People get random pasts, traits and scores (asked of the models) around what the journey asks for, and act
    at random. The chances are guesses to be set, not measurements: this shows how a journey behaves when people
    behave like this. Caps, topics, quiet hours and `send_between` hold as they do live, sections and slots of contents
    are chosen by their conditions, and calls are answered at random. Left out are consent, suppression, holdouts,
    brakes and other journeys' messages; nothing is rendered, fetched or called.
    """
    console = Console(soft_wrap=True)
    with told():
        chances = {name: _number(name, value, below=0.95) for name, value in _pairs(chance or [], "--chance").items()}
        habits = Habits(happens, chances, _duration(within), past, delivered, opened, clicked, complained, declined, failed)
        facts = {name: _value(text) for name, text in _pairs(given or [], "--given").items()}
        found = load(journeys)
        program = Program(chosen(found.journeys, [journey])[0])
        models = Models.load(journeys)
        segments: dict[str, Condition] = conditions_of(found.segments, found.profile.trees, found.calendar)
        contents = Contents.load(journeys)
        messages = SimulatedMessages(found.shop, program.journey, segments, contents, models)
        simulation = Simulation(
            program, segments, asking(models), computed=found.profile.expressions, calendar=found.calendar, because=False, messages=messages
        )
        beside = [text for _, step in program.sends() for text in _conditions(contents, step.send)]
        zone, topics = zone_named(found.shop.zone), found.shop.topics
        lives = Lives(simulation, models, habits, facts, zone, seed, topics=topics, beside=beside)
        tally = Tally()
        began = monotonic()
        for _ in track(range(people), "walking", console=Console(stderr=True), transient=True, update_period=0.2):
            lives.live(tally)
        _report(console, program, tally, monotonic() - began)


def _conditions(contents: Contents, content: str) -> list[str]:
    asks = contents.asks(content)
    return [*asks.conditions, *(line.if_ for lines in asks.slots.values() for line in lines if line.if_ is not None)]


def _pairs(texts: list[str], flag: str) -> Mapping[str, str]:
    for text in texts:
        if "=" not in text:
            raise SettingsError(f"{flag} {text}: write a name, = and a value")
    return {name.strip(): value.strip() for name, _, value in (text.partition("=") for text in texts)}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(name: str, text: str, below: float) -> float:
    value = _value(text)
    if not isinstance(value, int | float) or not 0 <= value <= below:
        raise SettingsError(f"--chance {name}={text}: a chance is a number from 0 to {below}")
    return float(value)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"--within: {error}") from None


def _report(console: Console, program: Program, tally: Tally, seconds: float) -> None:
    people = tally.people
    days = tally.days / people
    console.print(f"[bold]{people:,} people on {escape(program.journey.name)}[/], {days:.1f} days on average", highlight=False)
    _bars(console, "How it ended", tally.outcomes.most_common(), people)
    total = sum(tally.contents.values())
    _bars(console, f"Sent: {total / people:.2f} messages a person", tally.contents.most_common(), people)
    for title, counts, of in (("Not sent", tally.unsent, total + tally.unsent.total()), ("Waited first", tally.held, total)):
        if counts:
            named = [(f"{content}: {check}", count) for (content, check), count in counts.most_common()]
            _bars(console, f"{title}, by the gate's check", named, of)
    each = [("1 message" if count == 1 else f"{count} messages", number) for count, number in sorted(tally.sends.items())]
    _bars(console, "People who got", each, people)
    for step, branches in tally.shares(program):
        reached = people if step.startswith("leave") else sum(count for _, count in branches)
        _bars(console, f"{escape(step)} [dim]({reached:,} came here)[/]", branches, reached)
    for content, part in dict.fromkeys((content, part) for content, part, _ in sorted(tally.shown)):
        found = Counter({said: count for (whose, what, said), count in tally.shown.items() if (whose, what) == (content, part)})
        _bars(console, escape(f"{content}: {part}"), found.most_common(), found.total())
    console.print(f"\nleft out: {LEFT_OUT}", style="dim", highlight=False)
    console.print(f"{people / seconds:,.0f} journeys a second", style="dim", highlight=False)


def _bars(console: Console, title: str, counts: list[tuple[str, int]], of: int) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(max_width=60)
    for _ in range(2):
        table.add_column(justify="right")
    table.add_column()
    for name, count in counts:
        share = count / of if of else 0.0
        table.add_row(escape(name), f"{count:,}", f"{share:.1%}", "█" * round(share * BAR))
    console.print(f"\n[bold]{title}[/]", highlight=False)
    console.print(table)


def register(app: typer.Typer) -> None:
    """Add `simulate` to the console script."""
    app.command("simulate")(simulate_command)
