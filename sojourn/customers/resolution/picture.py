"""A picture of precision, recall and F1 over thresholds, as SVG."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.customers.resolution.judging import AtThreshold, Judgement

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 420, 56, 48, 130, 52
_LINES = (("F1", "#0f766e", 3.0), ("precision", "#2563eb", 1.5), ("recall", "#c2410c", 1.5))


def picture(judged: Judgement, title: str) -> str:
    """Return the judged part's precision, recall and F1 at each threshold, as a standalone SVG."""
    rows = judged.table
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" font-size="15" font-weight="600" fill="#111827">{_text(title)}</text>',
        *_grid(rows),
    ]
    for (_, colour, width), values in zip(_LINES, _series(rows), strict=True):
        places = [(f"{_x(place, rows):.1f}", f"{_y(value):.1f}") for place, value in enumerate(values)]
        points = " ".join(f"{x},{y}" for x, y in places)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{colour}"/>' for x, y in places]
    at = _x(rows.index(judged.fixed), rows)
    parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#111827" stroke-dasharray="4 3"/>')
    parts += _legend(judged.fixed)
    return "\n".join([*parts, "</svg>", ""])


def _series(rows: Sequence[AtThreshold]) -> tuple[list[float], list[float], list[float]]:
    return [row.judged.f1 for row in rows], [row.judged.precision for row in rows], [row.judged.recall for row in rows]


def _grid(rows: Sequence[AtThreshold]) -> list[str]:
    parts = []
    for tenth in range(0, 11, 2):
        y = _y(tenth / 10)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#4b5563">{tenth / 10:.1f}</text>')
    for place, row in enumerate(rows):
        at = f'x="{_x(place, rows):.1f}" y="{HEIGHT - BOTTOM + 18}"'
        parts.append(f'<text {at} text-anchor="middle" fill="#4b5563" font-size="10">{row.threshold:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    says = "merged at or above this probability"
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle" fill="#4b5563">{says}</text>')
    return parts


def _legend(fixed: AtThreshold) -> list[str]:
    values = (fixed.judged.f1, fixed.judged.precision, fixed.judged.recall)
    x = WIDTH - RIGHT + 14
    parts = [f'<text x="{x}" y="{TOP + 4}" fill="#111827">at {fixed.threshold:g}, fixed</text>']
    for place, ((name, colour, _), value) in enumerate(zip(_LINES, values, strict=True), 1):
        parts.append(f'<text x="{x}" y="{TOP + 4 + 20 * place}" fill="{colour}">{name} {value:.3f}</text>')
    return parts


def _x(place: int, rows: Sequence[AtThreshold]) -> float:
    return LEFT + place * (WIDTH - LEFT - RIGHT) / max(1, len(rows) - 1)


def _y(value: float) -> float:
    return TOP + (1 - value) * (HEIGHT - TOP - BOTTOM)


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
