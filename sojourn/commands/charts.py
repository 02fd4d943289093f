"""A series of numbers as a picture: in the terminal, and as an SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import pairwise

_EIGHTHS = " ▁▂▃▄▅▆▇█"
WIDTH, HEIGHT, MARGIN = 720, 260, 48  # of the SVG


@dataclass(frozen=True)
class Point:
    """One number at a moment, and how wrong it may be."""

    at: datetime
    value: int
    error: int = 0


def bars(points: Sequence[Point], rows: int = 8, columns: int = 60) -> list[str]:
    """Return the lines of a bar chart, with the greatest number at its left and the first and last moment below.

    Args:
        points: in order of time.
        rows: how high it is.
        columns: how wide it may be; a bar is one or more columns wide.
    """
    if not points:
        return []
    top = max(max(point.value for point in points), 1)
    width = max(columns // len(points), 1)
    label = max(len(f"{top:,}"), 1)
    lines = []
    for row in range(rows, 0, -1):
        cells = (_cell(point.value / top * rows - (row - 1)) for point in points)
        lines.append(f"{f'{top:,}' if row == rows else '0' if row == 1 else '':>{label}} ┤" + "".join(cell * width for cell in cells))
    first, last = (f"{point.at:%Y-%m-%d %H:%M}" for point in (points[0], points[-1]))
    gap = max(len(points) * width - len(first) - len(last), 1)
    return [*lines, f"{'':>{label}}  {first}{' ' * gap}{last}"]


def _cell(eighths: float) -> str:
    return _EIGHTHS[min(max(round(eighths * 8), 0), 8)]


def svg(title: str, points: Sequence[Point]) -> str:
    """Return a line chart as a whole SVG document; the errors are a band around the line."""
    if not points:
        raise ValueError("a chart needs at least one point")
    top = max(max(point.value + point.error for point in points), 1)
    begin = points[0].at
    span = max((points[-1].at - begin).total_seconds(), 1.0)

    def place(at: datetime, value: float) -> str:
        x = MARGIN + (at - begin).total_seconds() / span * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - max(value, 0) / top * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    line = " ".join(place(point.at, point.value) for point in points)
    upper = [place(point.at, point.value + point.error) for point in points]
    lower = [place(point.at, point.value - point.error) for point in reversed(points)]
    band = f'<polygon points="{" ".join([*upper, *lower])}" fill="#2f67a8" opacity="0.15"/>' if any(p.error for p in points) else ""
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="2.5" fill="#2f67a8"><title>{point.at:%Y-%m-%d %H:%M} UTC: {point.value:,}'
        f"{f' ± {point.error:,}' if point.error else ''}</title></circle>"
        for point in points
        for x, y in [place(point.at, point.value).split(",")]
    )
    middle, floor = WIDTH / 2, HEIGHT - MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{middle:g}" y="24" text-anchor="middle" font-size="14">{escape(title)}</text>'
        f'<path d="M{MARGIN} {MARGIN}V{floor}H{WIDTH - MARGIN}" fill="none" stroke="#999"/>'
        f'<text x="{MARGIN - 6}" y="{MARGIN + 4}" text-anchor="end">{top:,}</text>'
        f'<text x="{MARGIN - 6}" y="{floor + 4}" text-anchor="end">0</text>'
        f'<text x="{MARGIN}" y="{floor + 20}">{begin:%Y-%m-%d %H:%M}</text>'
        f'<text x="{WIDTH - MARGIN}" y="{floor + 20}" text-anchor="end">{points[-1].at:%Y-%m-%d %H:%M} UTC</text>'
        f'{band}<polyline points="{line}" fill="none" stroke="#2f67a8" stroke-width="2"/>{dots}</svg>\n'
    )


def trend(points: Sequence[Point]) -> str:
    """Return what changed from the first number to the last, in words."""
    rises = sum(later.value > earlier.value for earlier, later in pairwise(points))
    change = points[-1].value - points[0].value
    return f"{points[0].value:,} → {points[-1].value:,} ({change:+,}); it grew in {rises} of {max(len(points) - 1, 0)} steps"


__all__ = ["Point", "bars", "svg", "trend"]
