"""What a demo says in plain lines: where there is no terminal, and at its end. Pure."""

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.instants import rfc3339
from schemas.transitions import SegmentChange
from streams.demo.state import DemoState
from streams.demo.view import cause

_LATEST = 5
"""Transitions in one plain summary."""


def summary(state: DemoState) -> str:
    """The state of the show in a few lines: figures, sizes, the latest transitions."""
    sizes = ", ".join(
        f"{row.segment} {row.size}" + (f" ({row.change:+})" if row.change else "") for row in state.rows()
    )
    lines = [f"{rfc3339(state.sample.shop_time)[:16]}Z  {_figures(state)}", f"  {_lag(state)}", f"  members: {sizes}"]
    for change in list(state.shown)[: -_LATEST - 1 : -1]:
        sign = "+" if change.type == "segment.entered" else "-"
        lines.append(f"  {rfc3339(change.effective_at)} {sign} {change.segment:<20} {_who(change)} ({_cause(change)})")
    return "\n".join(lines)


def last_words(state: DemoState) -> RenderableType:
    """The last table, the figures, and one crossing by time explained."""
    table = Table(title="During the demo", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("segment", no_wrap=True)
    for name in ("members", "entered", "exited"):
        table.add_column(name, justify="right")
    for row in state.rows():
        table.add_row(row.segment, str(row.size), str(row.entered), str(row.exited))
    parts: list[RenderableType] = [table, Text(_figures(state)), Text(_lag(state))]
    if state.example is not None:
        parts += ["", *_why(state.example)]
    return Group(*parts)


def _figures(state: DemoState) -> str:
    return (
        f"{state.sample.applied} events applied, {state.transitions} transitions, {state.by_time} by time alone, "
        f"{state.sample.dead_letters} dead letters"
    )


def _lag(state: DemoState) -> str:
    if state.lag is None:
        return "no crossing by time came due"
    return f"crossings by time: {state.lag:.0f} ms from due to emitted (median), {state.longest_lag:.0f} ms at most"


def _why(change: SegmentChange) -> list[RenderableType]:
    """Why time alone made a customer enter or leave: the clauses as they stood."""
    verb = "entered" if change.type == "segment.entered" else "left"
    orders = "1 order" if change.profile.orders == 1 else f"{change.profile.orders} orders"
    sentence = (
        f"Why? {_who(change)} ({orders}, {change.profile.spend} {change.profile.currency}) {verb} {change.segment}\n"
        f"at {rfc3339(change.effective_at)}, by time alone:"
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("clause")
    for name in ("value", "threshold", "holds", "until"):
        table.add_column(name, no_wrap=True)
    for row in change.evidence:
        value, threshold = ("-" if cell is None else str(cell) for cell in (row.value, row.threshold))
        until = "further notice" if row.until is None else rfc3339(row.until)
        table.add_row(row.clause, value, threshold, "yes" if row.holds else "no", until)
    return [Text(sentence), table]


def _who(change: SegmentChange) -> str:
    return change.customer_id or f"anonymous:{change.anonymous_id}"


def _cause(change: SegmentChange) -> str:
    return cause(change, wide=True)
