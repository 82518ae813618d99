"""Tables of Markdown, and how a figure stands in them."""

from collections.abc import Iterable
from statistics import median
from typing import NamedTuple


class Goal(NamedTuple):
    """Something that the project wants to reach, and how far it came."""

    what: str
    wanted: str
    measured: float
    digits: int
    met: bool


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    names = list(header)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def goal_table(goals: Iterable[Goal]) -> str:
    """Which goals are met."""
    rows = [(g.what, g.wanted, f"{g.measured:,.{g.digits}f}", "yes" if g.met else "no") for g in goals]
    return table(("goal", "wanted", "measured", "met"), rows)


def spread(values: list[float], digits: int = 0) -> str:
    """The median, and the range where there are several.

    >>> spread([1.0, 3.0, 2.0])
    '2 (1 to 3)'
    """
    middle = f"{median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
