"""The console script: every command of `sojourn/commands/`, each read when it is asked for.

Most of a start is imports, and `--help` needs none of them: `commands/index.py` has the summaries.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Annotated

import typer

from sojourn import commands
from sojourn.commands.index import COMMANDS


def build(*wanted: str) -> typer.Typer:
    """Return the console script.

    Args:
        wanted: the commands that are to run; of the others only the summary is there. None given, all are.
    """
    built = typer.Typer(
        name="sojourn",
        help="Carries each customer along a journey as a durable Temporal workflow. Begin with `sojourn check` and `sojourn up`.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    built.callback()(_options)
    needed = COMMANDS if not wanted else {name: COMMANDS[name] for name in wanted if name in COMMANDS}
    there = typer.Typer()
    for module in dict.fromkeys(entry.module for entry in needed.values()):
        import_module(f"{commands.__name__}.{module}").register(there)
    single = {found.name: found for found in there.registered_commands}
    groups = {found.name or (found.typer_instance.info.name if found.typer_instance else None): found for found in there.registered_groups}
    for name, entry in COMMANDS.items():
        if name in single:
            single[name].rich_help_panel = entry.panel
            built.registered_commands.append(single[name])
        elif name in groups:
            groups[name].rich_help_panel = entry.panel
            built.registered_groups.append(groups[name])
        else:
            built.command(name, rich_help_panel=entry.panel)(_summary(entry.summary))
    return built


def _summary(text: str) -> Callable[[], None]:
    def command() -> None:
        raise AssertionError("a command that was not asked for is only listed")

    command.__doc__ = text
    return command


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"sojourn {version('sojourn')}")
        raise typer.Exit


def _options(
    _version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    pass
