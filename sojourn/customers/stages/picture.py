"""Pictures of customers' scores: a histogram for the terminal, a heat map as SVG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from jinja2 import Environment

from sojourn.customers.stages.fit import Fitted
from sojourn.language.stages_model import Cell, StagesModel

BINS = 10
CELL, LEFT, TOP = 74, 112, 56
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="24" font-size="15" font-weight="600">{{ people }} customers by recency and frequency</text>
<text x="16" y="42" fill="#666">{{ at }}; M is the mean score of what they spent, 1 to {{ spend_top }}</text>
{% for column in columns -%}
<text x="{{ column.x }}" y="{{ height - 30 }}" text-anchor="middle">{{ column.label }}</text>
{% endfor %}
{%- for row in rows -%}
<text x="{{ left - 8 }}" y="{{ row.y }}" text-anchor="end">{{ row.label }}</text>
{% endfor %}
{%- for cell in cells -%}
<g><title>{{ cell.title }}</title>
<rect x="{{ cell.x }}" y="{{ cell.y }}" width="{{ size - 3 }}" height="{{ size - 3 }}" rx="4" fill="{{ cell.fill }}"/>
<text x="{{ cell.x + size / 2 }}" y="{{ cell.y + 30 }}" text-anchor="middle" fill="{{ cell.ink }}">{{ cell.share }}</text>
<text x="{{ cell.x + size / 2 }}" y="{{ cell.y + 48 }}" text-anchor="middle" fill="{{ cell.ink }}" font-size="10">{{ cell.note }}</text></g>
{% endfor %}
<text x="{{ left }}" y="{{ height - 10 }}" fill="#666">purchases in {{ window }} →</text>
</svg>
"""


def histogram(values: Sequence[float], bins: int = BINS) -> Iterator[tuple[str, int, float]]:
    """Yield a histogram's rows: the range, how many are in it, and their share of the fullest row.

    Ranges grow by a constant factor where values span more than two powers of ten, since spending and counts do.
    """
    low, high = min(values), max(values)
    if low == high:
        yield f"{low:,.4g}", len(values), 1.0
        return
    steps = bins if high - low > bins or any(value != int(value) for value in (low, high)) else max(1, int(high - low))
    wide = low > 0 and high / low > 100
    edges = [low * (high / low) ** (i / steps) if wide else low + (high - low) * i / steps for i in range(steps + 1)]
    counts = Counter(_bin(value, edges, wide) for value in values)
    fullest = max(counts.values())
    for i in range(steps):
        yield f"{edges[i]:,.4g} to {edges[i + 1]:,.4g}", counts[i], counts[i] / fullest


def _bin(value: float, edges: list[float], wide: bool) -> int:
    steps = len(edges) - 1
    part = math.log(value / edges[0]) / math.log(edges[-1] / edges[0]) if wide else (value - edges[0]) / (edges[-1] - edges[0])
    return min(int(part * steps), steps - 1)


def heat_map(grid: Counter[Cell], model: StagesModel, fitted: Fitted) -> str:
    """Return the RFM grid as SVG: recency down, frequency across, darker where more customers are."""
    tops = model.tops()
    total = sum(grid.values())
    homes = {cell: group.group for group in model.groups for cell in model.cells(group)}
    places: dict[tuple[int, int], Counter[int]] = {}
    for (r, f, m), count in grid.items():
        places.setdefault((r, f), Counter())[m] += count
    most = max((sum(spent.values()) for spent in places.values()), default=1)
    cells = []
    for r in range(1, tops["recency"] + 1):
        for f in range(1, tops["frequency"] + 1):
            spent = places.get((r, f), Counter())
            count = sum(spent.values())
            names = sorted({homes[(r, f, m)] for m in range(1, tops["monetary"] + 1)})
            mean = sum(m * n for m, n in spent.items()) / count if count else 0.0
            heat = count / most
            cells.append(
                {
                    "x": LEFT + (f - 1) * CELL, "y": TOP + (tops["recency"] - r) * CELL, "fill": _shade(heat),
                    "ink": "#fff" if heat > 0.55 else "#222", "share": f"{count / total:.1%}" if count else "none",
                    "note": f"M {mean:.1f}" if count else "", "title": f"R{r} F{f}: {count:,} customers, {' or '.join(names)}",
                }
            )  # fmt: skip
    return (
        Environment(autoescape=True)
        .from_string(_SVG)
        .render(
            width=LEFT + tops["frequency"] * CELL + 24, height=TOP + tops["recency"] * CELL + 54, left=LEFT, size=CELL, cells=cells,
            people=f"{total:,}", at=f"{fitted.at:%Y-%m-%d}", window=model.window, spend_top=tops["monetary"],
            columns=[{"x": LEFT + (i + 0.5) * CELL, "label": text} for i, text in enumerate(_purchases(fitted.frequency))],
            rows=[{"y": TOP + (i + 0.55) * CELL, "label": text} for i, text in enumerate(_ages(fitted.recency))],
        )
    )  # fmt: skip


def _shade(heat: float) -> str:
    """Return a colour from near white to deep green."""
    light, deep = (238, 243, 240), (24, 92, 64)
    return "#" + "".join(f"{round(a + (b - a) * heat):02x}" for a, b in zip(light, deep, strict=True))


def _purchases(cuts: Sequence[int]) -> list[str]:
    """Return the purchases of each score, such as 1, 2 and 3-5; an empty one where two cuts coincide."""
    lows = [1, *(cut + 1 for cut in cuts)]
    return [
        *(str(low) if low == cut else f"{low}-{cut}" if low < cut else "" for low, cut in zip(lows, cuts, strict=False)),
        f"{lows[-1]}+",
    ]


def _ages(cuts: Sequence[float]) -> list[str]:
    return [*(f"< {cut:g} days" for cut in cuts), f"≥ {cuts[-1]:g} days"]


__all__ = ["heat_map", "histogram"]
