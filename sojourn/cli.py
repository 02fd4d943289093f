"""The console script's commands that need only the domain; `worker.py` adds those that run it.

Each module of `sojourn/commands/` that has a `register(app)` adds its commands by itself.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import typer

from sojourn import commands


def build() -> typer.Typer:
    """Return the console script with every command of `sojourn/commands/`."""
    built = typer.Typer(
        name="sojourn",
        help="Carries each customer along a journey as a durable Temporal workflow. Begin with `sojourn check` and `sojourn up`.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    built.callback()(_keep_subcommands)
    for module in sorted(found.name for found in iter_modules(commands.__path__)):
        register = getattr(import_module(f"{commands.__name__}.{module}"), "register", None)
        if register is not None:
            register(built)
    return built


def _keep_subcommands() -> None:
    pass


app = build()
