"""`sojourn segment …`: who is in which segment, why, how many over time, and who is on the lists."""

from __future__ import annotations

import typer

from sojourn.commands import segment_keep, segment_look, segment_work

HELP = """Look into segments: who is in them and why, how many over time; and keep lists.

- `sojourn segment list` — all of them, and how many people each has
- `sojourn segment preview dormant` — who; with `--members '…'` who would come and go if its condition were another
- `sojourn segment size dormant --over 90d` — how many over time, as a picture
- `sojourn segment explain dormant customer-17511` — why this person is in it, or is not
- `sojourn segment upload fair visitors.csv` — a list from a file; `add` and `remove` change it by hand
- `sojourn segment freeze dormant dormant_in_may` — keeps whoever is in it now
- `sojourn segment check` — warnings about segments
"""


def register(app: typer.Typer) -> None:
    """Add the group `segment` to the console script."""
    group = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode="markdown")
    group.command("list")(segment_look.list_command)
    group.command("preview")(segment_look.preview_command)
    group.command("size")(segment_look.size_command)
    group.command("explain")(segment_look.explain_command)
    group.command("add")(segment_keep.add_command)
    group.command("remove")(segment_keep.remove_command)
    group.command("upload")(segment_keep.upload_command)
    group.command("freeze")(segment_keep.freeze_command)
    group.command("check")(segment_work.check_command)
    group.command("rebuild")(segment_work.rebuild_command)
    group.command("status")(segment_work.status_command)
    app.add_typer(group, name="segment")
