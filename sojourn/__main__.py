"""The console script `sojourn`, and `python -m sojourn`."""

from __future__ import annotations

import sys

from sojourn.commands.roles import ROLES, run_role


def main() -> None:
    """Run the command that the command line names."""
    words = sys.argv[1:]
    if len(words) == 1 and words[0] in ROLES:
        run_role(words[0])  # a role that was killed has to be back within seconds: it needs no command line
    from sojourn.cli import build
    from sojourn.errors import SojournError

    try:
        build(next((word for word in words if not word.startswith("-")), ""))()
    except SojournError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the terminal is whom it is for
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
