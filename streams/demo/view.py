"""The picture of a demo: one screen out of a `DemoState`. Pure, and readable from 80 columns on."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from schemas.instants import Instant, to_datetime
from schemas.transitions import CauseKind, SegmentChange
from streams.demo.state import DemoState, Row

NARROWEST = 80
_WIDE = 100
"""Columns from which there is room for the time of day and the event's whole type."""
_AROUND = 6
"""Lines that are not rows of the two tables."""
_FEWEST_ROWS = 3
_NAME = 19
"""Columns of a segment's key; a longer one is cut."""
_CUSTOMER = 9
_BAR = "▏▎▍▌▋▊▉█"
_ENTERED, _EXITED, _TIME, _QUIET = "green", "red", "cyan", "bright_black"


def screen(state: DemoState, width: int, height: int) -> RenderableType:
    """The whole view, for a terminal of so many columns and lines."""
    width = max(width, NARROWEST)
    wide = width >= _WIDE
    rows = max(height - _AROUND, _FEWEST_ROWS)
    right = max(63, min(70, width - 50)) if wide else 45
    left = width - right - 2
    body = Table.grid(padding=(0, 2, 0, 0))
    body.add_column(width=left)
    body.add_column(width=right)
    lines = min(rows, max(len(state.segments), _FEWEST_ROWS))
    body.add_row(_sizes(state.rows(), left, lines), _transitions(state, right, lines, wide=wide))
    return Group(_headline(state, width), _figures(state, wide=wide), Rule(style=_QUIET), body, _footer(state, width))


def _headline(state: DemoState, width: int) -> RenderableType:
    line = Table.grid(expand=True)
    line.width = width
    line.add_column()
    line.add_column(justify="right")
    shop_time = Text.assemble(("shop time ", _QUIET), (_moment(state.sample.shop_time, wide=True), "bold"))
    line.add_row(Text("live segments", style="bold"), shop_time if state.live else Text("starting", style=_QUIET))
    return line


def _figures(state: DemoState, *, wide: bool) -> Text:
    """Events a second, dead letters, crossings by time, lag; the words shrink where there is no room."""
    figures = [
        (f"{state.rate:,.0f}", "events applied/s" if wide else "events/s"),
        (f"{state.transitions:,}", "transitions"),
        (f"{state.by_time:,}", "by time alone" if wide else "by time"),
        ("-" if state.lag is None else f"{state.lag:.0f} ms", "from due to emitted" if wide else "late"),
        (f"{state.sample.dead_letters:,}", "dead letters"),
    ]
    line = Text(no_wrap=True, overflow="ellipsis")
    for number, (value, name) in enumerate(figures):
        line.append("   " if number else "").append(value, style="bold").append(f" {name}", style=_QUIET)
    return line


def _sizes(rows: Sequence[Row], width: int, lines: int) -> Table:
    """Segments with size, bar, and change since the show began."""
    shown = rows if len(rows) <= lines else rows[: lines - 1]
    largest = max((row.size for row in rows), default=0)
    digits = max(len("size"), len(str(largest)))
    bar = width - _NAME - digits - 5 - 3
    table = _plain()
    table.add_column("segment", width=_NAME, no_wrap=True, overflow="ellipsis")
    table.add_column("size", width=digits, justify="right")
    table.add_column("", width=bar)
    table.add_column("since", width=5, justify="right", no_wrap=True)
    for row in shown:
        table.add_row(row.segment, str(row.size), Text(_bar(row.size, largest, bar), style="blue"), _change(row.change))
    if len(shown) < len(rows):
        table.add_row(Text(f"and {len(rows) - len(shown)} more", style=_QUIET))
    return table


def _bar(size: int, largest: int, width: int) -> str:
    """A bar in eighths of a column; nobody is no bar, somebody is at least an eighth."""
    if size == 0:
        return ""
    eighths = max(1, round(8 * width * size / largest))
    return "█" * (eighths // 8) + (_BAR[eighths % 8 - 1] if eighths % 8 else "")


def _change(change: int) -> Text:
    if change == 0:
        return Text("·", style=_QUIET)
    return Text(f"{change:+}", style=_ENTERED if change > 0 else _EXITED)


def _transitions(state: DemoState, width: int, lines: int, *, wide: bool) -> Table:
    """The latest transitions, the newest first."""
    table = _plain()
    table.add_column("when", width=12 if wide else 6, no_wrap=True)
    table.add_column("", width=1)
    table.add_column("latest transitions", width=_NAME if wide else _NAME - 1, no_wrap=True, overflow="ellipsis")
    table.add_column("customer", width=_CUSTOMER, no_wrap=True, overflow="ellipsis")
    table.add_column("cause", width=width - 45 if wide else 7, no_wrap=True, overflow="ellipsis")
    for change in list(state.shown)[: -lines - 1 : -1]:
        table.add_row(*_line(change, wide=wide))
    return table


def _line(change: SegmentChange, *, wide: bool) -> tuple[Text, ...]:
    entered = change.type == "segment.entered"
    style = _ENTERED if entered else _EXITED
    by_time = change.cause.kind is CauseKind.TIME
    return (
        Text(_moment(change.effective_at, wide=wide), style=_QUIET),
        Text("+" if entered else "-", style=style),
        Text(change.segment, style=style),
        Text(change.customer_id or change.anonymous_id or ""),
        Text(cause(change, wide=wide), style=_TIME if by_time else _QUIET),
    )


def _footer(state: DemoState, width: int) -> RenderableType:
    """How far the past is read, or how long the show still lasts."""
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=width - 42)
    line.add_column(width=40, justify="right", no_wrap=True)
    first: RenderableType = Text(f"1 in {_every(state)} transitions is listed", style=_QUIET)
    words = f"ends by itself in {state.left:.0f} s, or by Ctrl-C"
    if not state.live:
        first = ProgressBar(total=1.0, completed=state.past, width=width - 42)
        words = "reading the shop's past"
    line.add_row(first, Text(words, style=_QUIET))
    return line


def _every(state: DemoState) -> int:
    return max(1, round(state.transitions / max(1, state.listed)))


def _plain() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style=_QUIET)


def _moment(instant: Instant, *, wide: bool) -> str:
    return f"{to_datetime(instant):%d %b %H:%M}" if wide else f"{to_datetime(instant):%d %b}"


def cause(change: SegmentChange, *, wide: bool) -> str:
    """What made it happen: the event's type (what it is about, where there is no room), or `time`."""
    kind = change.cause.kind
    if kind is CauseKind.TIME or change.cause.event_type is None:
        return kind.value
    if not wide:
        return "late" if kind is CauseKind.LATE_EVENT else change.cause.event_type.partition(".")[0]
    return change.cause.event_type + (", late" if kind is CauseKind.LATE_EVENT else "")
