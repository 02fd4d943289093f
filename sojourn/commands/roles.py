"""`sojourn api`, `router`, `worker` and `all`: a role in this process."""

from __future__ import annotations

from collections.abc import Callable

import typer

from sojourn.launch import load_worker

ROLES = ("api", "router", "worker", "all")


def run_role(role: str) -> None:
    """Run a role until it is asked to stop, and end the process."""
    from sojourn.logs import configure_logs, json_is_asked_for, log_uncaught

    if json_is_asked_for():  # also what is said before the settings are read
        configure_logs("json", process=role)
        log_uncaught()
    load_worker().run(role)


def register(app: typer.Typer) -> None:
    """Add the roles to the console script."""
    for role in ROLES:
        app.command(role)(_command(role))


def _command(role: str) -> Callable[[], None]:
    def command() -> None:
        run_role(role)

    command.__doc__ = f"Run the {role} in this process." if role != "all" else "Run API, router and worker in this one process."
    return command
