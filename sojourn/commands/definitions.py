"""`sojourn check`, `draw` and `schema`: what can be said of definitions without running them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from sojourn.content import Contents
from sojourn.content.blocks import Block
from sojourn.content.source import Front
from sojourn.content.theme import Theme
from sojourn.content.translations import Translation
from sojourn.customers.normal_forms import normal_forms
from sojourn.errors import NotFound, Terminal
from sojourn.language.definitions import Definitions
from sojourn.language.diagram import draw
from sojourn.language.examining import Examined, examine
from sojourn.language.finding import Known
from sojourn.language.loader import load
from sojourn.language.model import Journey, Model
from sojourn.language.problems import DefinitionError, Problem, unknown
from sojourn.language.schema import SCHEMAS, schema_of
from sojourn.prediction.models import Models

JOURNEYS_DIR = "SOJOURN_JOURNEYS_DIR"

JourneysDir = Annotated[
    Path,
    typer.Option(
        "--journeys",
        "--journeys-dir",
        envvar=JOURNEYS_DIR,
        help="The folder that holds shop.yaml, the journeys, segments/, events/ and content/.",
    ),
]
DEFAULT_JOURNEYS = Path("journeys")


class Kind(StrEnum):
    """What a schema can be of."""

    journey = "journey"
    segment = "segment"
    broadcast = "broadcast"
    event = "event"
    shop = "shop"
    profile = "profile"
    stages = "stages"
    clusters = "clusters"
    resolution = "resolution"
    delivery = "delivery"
    persona = "persona"
    seeds = "seeds"
    catalog = "catalog"
    recommendations = "recommendations"
    content = "content"
    translation = "translation"
    block = "block"
    theme = "theme"


# Of contents, a room above the language's: front matter, and the YAML beside it.
ALL_SCHEMAS: dict[str, type[Model]] = {**SCHEMAS, "content": Front, "translation": Translation, "block": Block, "theme": Theme}


@contextmanager
def told() -> Iterator[None]:
    """Tell what is wrong on standard error, one line a problem, and exit with 1; never with a traceback."""
    try:
        yield
    except DefinitionError as error:
        tell_warnings(error.warnings)
        console = Console(stderr=True, soft_wrap=True)
        for problem in error.problems:
            place = f"{_near(problem.file)}:{problem.line}:{problem.column}:"
            console.print(f"{place} {problem.message}", highlight=False, markup=False)
        files, count = len({problem.file for problem in error.problems}), len(error.problems)
        console.print(f"{count} problem{'s' if count > 1 else ''} in {files} file{'s' if files > 1 else ''}", style="red", highlight=False)
        raise typer.Exit(1) from None
    except Terminal as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None


def load_everything(folder: Path) -> Definitions:
    """Return the definitions of a folder whose contents and models are in order as well.

    Raises:
        DefinitionError: with every problem of every file, contents and models among them.
    """
    examined = examine(folder)
    problems, notes, found = [*examined.problems, *examined.circles], list(examined.warnings), examined.definitions
    known = _known_of(examined)
    variants: dict[str, frozenset[str]] = {}
    try:
        contents = Contents.load(folder)
        for name in sorted(contents.names()):
            problems += contents.check(name, known)
            notes += contents.notes(name)
            variants[name] = contents.variants(name)
    except DefinitionError as error:
        problems += error.problems
    try:
        Models.load(folder)
    except DefinitionError as error:
        problems += error.problems
    problems += examined.variants(variants)
    notes += normal_forms(examined)
    if problems or found is None:
        raise DefinitionError(problems, notes)
    return replace(found, warnings=tuple(sorted(set(notes))))


def _known_of(examined: Examined) -> Known:
    """Return what contents may name, as far as it is known: also beside definitions in which something is wrong."""
    known, shop = examined.known, examined.shop
    return Known(
        segments=known.segments, models=known.models, hosts=known.hosts,
        pictures=None if shop is None else frozenset((*shop.connected.hosts, *shop.pictures.hosts)),
        home="" if shop is None else urlsplit(shop.url or "").hostname or "",
    )  # fmt: skip


def tell_warnings(warnings: Iterable[Problem]) -> None:
    """Print the warnings about definitions on standard error, a line each."""
    console = Console(stderr=True, soft_wrap=True)
    for warning in warnings:
        text = f"{_near(warning.file)}:{warning.line}:{warning.column}: warning: {warning.message}"
        console.print(text, style="yellow", highlight=False, markup=False)


def _near(file: str) -> str:
    """Return a path as seen from here, where that is shorter."""
    relative = os.path.relpath(file)
    return relative if len(relative) < len(file) else file


def check_command(
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    strict: Annotated[bool, typer.Option("--strict", help="Take every warning for a mistake: exit with 1 where there is one.")] = False,
) -> None:
    """Check all definitions, and say everything that is wrong.

    Reads shop.yaml, profile.yaml and every journey, segment, event, content and model. Each problem comes as file:line:column with
    what may stand there. Exits with 0 where all is well, with 1 where something is wrong. What is
    suspicious, such as a segment that nothing names or an event that nothing declares, is a warning; the exit code stays the
    same, unless --strict is given, which is for a pipeline.
    """
    with told():
        found = load_everything(journeys)
        tell_warnings(found.warnings)
        if strict and found.warnings:
            told_of = len(found.warnings)
            text = f"{told_of} warning{'s' if told_of > 1 else ''}, and --strict takes each for a mistake"
            Console(stderr=True, soft_wrap=True).print(text, style="red", highlight=False)
            raise typer.Exit(1)
        parts = (("journey", found.journeys), ("segment", found.segments), ("event", found.events), ("content", found.contents))
        count = ", ".join(f"{len(names)} {kind}{'' if len(names) == 1 else 's'}" for kind, names in parts)
        Console(soft_wrap=True).print(f"all is well: {count}", style="green", highlight=False)


def draw_command(
    journey: Annotated[str | None, typer.Argument(help="The journey's name; default: every journey.", show_default=False)] = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    markdown: Annotated[bool, typer.Option("--markdown", help="Wrap each in a Mermaid block with a heading, for a README.")] = False,
) -> None:
    """Draw a journey as a Mermaid flowchart.

    Paste it into any Markdown that shows Mermaid (GitHub and GitLab do): `sojourn draw cart_abandonment --markdown`.
    """
    with told():
        found = load(journeys)
        for name in [journey] if journey is not None else sorted(found.journeys):
            text = draw(_named(found, name))
            typer.echo(f"## {name}\n\n```mermaid\n{text}```\n" if markdown else text)


def _named(found: Definitions, name: str) -> Journey:
    if name not in found.journeys:
        raise NotFound(unknown("journey", name, found.journeys))
    return found.journeys[name]


def schema_command(
    kind: Annotated[Kind, typer.Argument(help="What the schema is of.")] = Kind.journey,
    out: Annotated[Path | None, typer.Option(help="Write the schemas of all kinds into this folder instead.", show_default=False)] = None,
) -> None:
    """Print the JSON Schema of a kind of definition, for editors.

    With the YAML extension of an editor, the first line `# yaml-language-server: $schema=journey.schema.json`
    makes it complete and check while you type.
    """
    if out is None:
        typer.echo(json.dumps(schema_of(ALL_SCHEMAS[kind.value]), indent=2, ensure_ascii=False))
        return
    out.mkdir(parents=True, exist_ok=True)
    for each, model in ALL_SCHEMAS.items():
        path = out / f"{each}.schema.json"
        path.write_text(json.dumps(schema_of(model), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        typer.echo(str(path))


def register(app: typer.Typer) -> None:
    """Add `check`, `draw` and `schema` to the console script."""
    app.command("check")(check_command)
    app.command("draw")(draw_command)
    app.command("schema")(schema_command)
