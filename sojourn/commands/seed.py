"""`sojourn seed`: tests of messages to a seed list, through the provider that is set."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import make_url

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.reading import DataDir, reading
from sojourn.customers import suppression
from sojourn.delivery.carrier import carrier, delivery_of
from sojourn.delivery.providers import Provider
from sojourn.delivery.routing import Only
from sojourn.errors import NotFound, SettingsError
from sojourn.language.loader import SEEDS_FILE
from sojourn.language.persona_model import Seed
from sojourn.language.problems import unknown
from sojourn.preview.making import Case, Made, Workshop
from sojourn.preview.seeding import MOST, Test, read_seeds, send_all, tests_of
from sojourn.preview.subjects import SAMPLE, Subject
from sojourn.settings import INBOX, Settings, load_settings
from sojourn.store.database import SQLITE
from sojourn.timekeeping import read_clock

ASK_ABOVE = 20
EVERY = "all"


def seed_command(
    content: Annotated[str | None, typer.Argument(metavar="CONTENT", help="The content's name.", show_default=False)] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every content.")] = False,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help="An address, or a file with one a line; may be repeated.", show_default="seeds.yaml of the journeys"),
    ] = None,
    persona: Annotated[
        list[str] | None,
        typer.Option("--persona", help="As this persona would get it, or `all`; may be repeated.", show_default="the content's own sample"),
    ] = None,
    language: Annotated[
        list[str] | None,
        typer.Option("--language", help="In this language, or `all`; may be repeated.", show_default="theirs"),
    ] = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Only this variant.", show_default="every one")] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", help="Which provider of delivery.yaml carries them.", show_default="the first")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help=f"Do not ask before sending more than {ASK_ABOVE}.")] = False,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Send all variants of a message to a seed list, marked as tests.

    The subject begins with `[test]`, the header `X-Sojourn-Test` says 1, nothing is tracked, links to unsubscribe or
    confirm are dead ones, and no cap counts it. It goes through the provider that is set, else into the local inbox.
    Addresses that a hard bounce or a person put on the suppression list are left out. Exits with 1 where not all went out.
    """
    if all_ is (content is not None):
        raise typer.BadParameter("name a content, or --all for every one")
    console = Console()
    with told():
        workshop = Workshop.load(journeys)
        settings = load_settings(keys=False, data_dir=data_dir)
        seeds = read_seeds(to or [], journeys / SEEDS_FILE)
        carried = _provider(settings, journeys, provider)
        made = _made(workshop, content, persona or [], language or [], variant)
        stopped = _suppressed(settings, seeds, data_dir)
        wanted = [seed for seed in seeds if seed.address not in stopped]
        now = read_clock(settings.data_dir).now()
        tests = tests_of(made, wanted, now)
        if len(tests) > MOST:
            raise SettingsError(f"that would be {len(tests):,} messages, more than {MOST:,}; name fewer contents, personas or addresses")
    for address, reason in stopped.items():
        console.print(f"[yellow]left out[/] {escape(address)}: on the suppression list ({reason})", highlight=False, soft_wrap=True)
    count = sum(1 for test in tests if test.message is not None)
    if count > ASK_ABOVE and not yes:
        typer.confirm(f"Send {count} tests to {_addresses(wanted)} through {carried.name}?", abort=True)
    sent, failed = _send(carried, tests)
    where = f" ({settings.data_dir / INBOX})" if carried.name == INBOX else ""
    tests_sent = f"{sent} test{'' if sent == 1 else 's'}"
    console.print(f"{tests_sent} went to {_addresses(wanted)} through {carried.name}{where}", highlight=False, soft_wrap=True)
    _tell(console, failed)
    if failed or not sent:
        raise typer.Exit(1)


def _addresses(seeds: list[Seed]) -> str:
    return f"{len(seeds)} address{'' if len(seeds) == 1 else 'es'}"


def _provider(settings: Settings, journeys: Path, name: str | None) -> Provider:
    delivery = delivery_of(journeys)
    found: Any = carrier(settings, delivery)
    found = found.provider if isinstance(found, Only) else found
    if delivery is None:
        if name is not None and name != found.name:
            raise NotFound(f"there is no delivery.yaml that names {name}; {found.name} carries messages")
        one: Provider | None = found
    else:
        names = [each.provider for each in delivery.providers]
        one = found.named(name or names[0])
        if one is None:
            raise NotFound(unknown("provider", name or "", names))
    assert one is not None
    return one


def _made(workshop: Workshop, content: str | None, personas: list[str], languages: list[str], variant: str | None) -> list[Made]:
    named = sorted(workshop.definitions.personas) if EVERY in personas else personas
    people: list[Subject] = [workshop.persona(name) for name in named] or [SAMPLE]
    names = [content] if content is not None else sorted(workshop.contents.names())
    cases: dict[str, Case] = {}
    for name in names:
        for case in (case for person in people for case in workshop.cases(name, person, every_language=EVERY in languages)):
            spoken = [case.language] if EVERY in languages or not languages else languages
            for language in spoken:
                if variant is None or case.variant == variant:
                    one = replace(case, language=language)
                    cases.setdefault(one.slug, one)
        if variant is not None and content is not None:
            workshop.check(name, variant, None)
    return [workshop.make(case) for case in cases.values()]


def _suppressed(settings: Settings, seeds: list[Seed], data_dir: Path | None) -> dict[str, str]:
    """Return the addresses that nothing may be sent to, each with the reason; none where there is no data yet."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == SQLITE and not Path(str(url.database)).exists():
        return {}
    secret, stopped = load_settings(data_dir=data_dir).secret_key, {}
    with reading(data_dir) as database:
        for seed in seeds:
            found = database.read_now(suppression.look, secret, seed.address)
            if found is not None and not found.marketing_only:
                stopped[seed.address] = str(found.reason)
    return stopped


def _send(provider: Provider, tests: list[Test]) -> tuple[int, list[tuple[Test, str]]]:
    failed: list[tuple[Test, str]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(provider.name, total=len(tests))

        def tell(test: Test, problem: str | None) -> None:
            if problem is not None:
                failed.append((test, problem))
            bar.advance(task)

        asyncio.run(send_all(provider, tests, tell))
    return len(tests) - len(failed), failed


def _tell(console: Console, failed: list[tuple[Test, str]]) -> None:
    """Tell what did not go out, by address; the same reason once, with how often."""
    counted = Counter((test.seed.address, test.case.content, problem) for test, problem in failed)
    for (address, content, problem), times in counted.items():
        often = f" ({times} times)" if times > 1 else ""
        console.print(f"[red]not sent[/] to {escape(address)}: {content}: {escape(problem)}{often}", highlight=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add `seed` to the console script."""
    app.command("seed")(seed_command)
