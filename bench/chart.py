"""A bar chart as SVG, of figures that have a median and a range."""

from collections.abc import Sequence
from html import escape
from statistics import median
from typing import NamedTuple

_WIDTH, _LABELS, _FIGURES = 860, 330, 90
_ROW, _BAR, _TOP = 26, 16, 34
_OURS, _PEER, _RANGE = "#2f6f4f", "#9aa7b0", "#333333"


class Bar(NamedTuple):
    """One row.

    Attributes:
        label: whose it is.
        values: of each run.
        ours: whether to stand out.
    """

    label: str
    values: Sequence[float]
    ours: bool = False


def bars(title: str, rows: Sequence[Bar]) -> str:
    """The chart: a bar up to each median, with a line over the range, the longest bar first."""
    ordered = sorted(rows, key=lambda row: -median(row.values))
    scale = (_WIDTH - _LABELS - _FIGURES) / max(max(row.values) for row in rows)
    height = _TOP + _ROW * len(rows) + 8
    frame = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
    lines = [
        f'<svg {frame} font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>',
    ]
    for number, row in enumerate(ordered):
        lines += _row(row, _TOP + _ROW * number, scale)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _row(row: Bar, top: float, scale: float) -> list[str]:
    middle, low, high = median(row.values), min(row.values), max(row.values)
    text, y = top + _BAR - 3, top + _BAR / 2
    end = _LABELS + high * scale
    width, fill = middle * scale, _OURS if row.ours else _PEER
    lines = [
        f'<text x="{_LABELS - 8}" y="{text}" text-anchor="end">{escape(row.label)}</text>',
        f'<rect x="{_LABELS}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{fill}"/>',
        f'<text x="{end + 8:.1f}" y="{text}">{middle:,.0f}</text>',
    ]
    if high > low:
        ends = f'x1="{_LABELS + low * scale:.1f}" y1="{y}" x2="{end:.1f}" y2="{y}"'
        lines.append(f'<line {ends} stroke="{_RANGE}" stroke-width="2"/>')
    return lines
