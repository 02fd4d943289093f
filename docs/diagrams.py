"""Writes the diagrams of the journeys into journeys/README.md, between its markers: `python docs/diagrams.py`."""

from __future__ import annotations

from pathlib import Path

from sojourn.language.diagram import draw
from sojourn.language.loader import load

JOURNEYS = Path(__file__).parents[1] / "journeys"
BEGIN, END = "<!-- diagrams: begin -->", "<!-- diagrams: end -->"


def diagrams(folder: Path) -> str:
    """Return the journeys of a folder as Markdown: description and diagram of each."""
    parts = [
        f"### {journey.name}\n\n{journey.description.strip()}\n\n```mermaid\n{draw(journey)}```\n"
        for journey in load(folder).journeys.values()
    ]
    return "\n".join(parts)


def with_diagrams(page: str, folder: Path) -> str:
    """Return a page with the diagrams between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{diagrams(folder)}\n{END}{after}"


if __name__ == "__main__":
    readme = JOURNEYS / "README.md"
    readme.write_text(with_diagrams(readme.read_text("utf-8"), JOURNEYS), "utf-8")
