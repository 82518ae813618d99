"""The command `segments generate`: a synthetic shop as a file of events."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from schemas.instants import DAY, Instant, parse_rfc3339, rfc3339
from streams.clock import wall_clock
from streams.sources.files import SourceError, write_atomically
from streams.sources.shop import DEFAULT_START, Line, Mark, ShopPlan, census, marked_lines

_STANDARD_OUTPUT = "-"
_LINES_PER_REPORT = 2_000
_DEFAULTS = ShopPlan(customers=1, days=1)


def register(app: typer.Typer) -> None:
    """Add the command `generate` to an application."""
    app.command("generate", rich_help_panel="Files")(_generate)


@dataclass
class Generated:
    """What was written.

    Attributes:
        customers: customers of the plan by kind, also those who never showed up.
        lines: all lines.
        events: events by type, each counted once, late ones included.
        duplicates: repeated lines.
        late: lines after a line with a younger event.
        broken: lines that are to be refused, by the reason that their dead letter has.
    """

    customers: dict[str, int]
    lines: int = 0
    events: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    late: int = 0
    broken: Counter[str] = field(default_factory=Counter)

    def count(self, line: Line) -> None:
        """Count one line."""
        self.lines += 1
        if line.reason is not None:
            self.broken[line.reason.value] += 1
        elif line.mark is Mark.DUPLICATE:
            self.duplicates += 1
        else:
            self.events[line.type] += 1
            self.late += line.mark is Mark.LATE

    def as_json(self) -> dict[str, object]:
        """The summary as `--json` prints it; the lines are the events, the duplicates and the broken ones."""
        return {
            "lines": self.lines,
            "events": self.events.total(),
            "events_by_type": dict(sorted(self.events.items())),
            "duplicates": self.duplicates,
            "late": self.late,
            "broken": self.broken.total(),
            "broken_by_reason": dict(sorted(self.broken.items())),
            "customers": sum(self.customers.values()),
            "customers_by_kind": self.customers,
        }


def _instant(text: str) -> Instant:
    """Read the option `--start`."""
    try:
        return parse_rfc3339(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"'{text}' is no instant; write it as in 2026-01-01T00:00:00Z") from error


def _generate(  # noqa: PLR0913 # one parameter for each option of the command
    *,
    customers: Annotated[int, typer.Option(min=1, help="How many people.")],
    days: Annotated[int, typer.Option(min=1, help="How many days they come and go.")],
    seed: Annotated[int, typer.Option(min=0, help="Same arguments, same file, byte for byte.")],
    out: Annotated[str, typer.Option(help="Where the events go, one a line; '-' is standard output.")],
    start: Annotated[int, typer.Option(parser=_instant, metavar="RFC3339", help="First instant.")] = rfc3339(  # type: ignore[assignment] # typer passes a default through the parser
        DEFAULT_START
    ),
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the events that come twice.")
    ] = _DEFAULTS.duplicates,
    late: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the events that come minutes to days late.")
    ] = _DEFAULTS.late,
    broken: Annotated[float, typer.Option(min=0, max=1, help="Broken lines added for each event.")] = _DEFAULTS.broken,
    currency: Annotated[str, typer.Option(help="ISO 4217 code of all amounts.")] = _DEFAULTS.currency,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Make up a shop: customers of several kinds, with duplicates, late and broken lines at stated rates.

    The summary goes to standard output, or to standard error if the events go to standard output.
    """
    try:
        plan = ShopPlan(customers, days, seed, start, duplicates, late, broken, currency)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    to_stdout = out == _STANDARD_OUTPUT
    try:
        with _progress(plan) as on_progress:
            if to_stdout:
                generated = write_lines(plan, sys.stdout.buffer, on_progress)
                sys.stdout.buffer.flush()
            else:
                with write_atomically(Path(out)) as sink:
                    generated = write_lines(plan, sink, on_progress)
    except SourceError as error:
        typer.echo(f"segments generate: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(orjson.dumps(generated.as_json()), err=to_stdout)
    else:
        Console(stderr=to_stdout).print(_table(generated))
        if plan.end > wall_clock():
            typer.echo(
                f"the days end in the future, at {rfc3339(plan.end)}: a worker refuses what is not past", err=True
            )


def write_lines(plan: ShopPlan, sink: BinaryIO, on_progress: Callable[[Instant], None]) -> Generated:
    """Write all lines of a plan.

    Args:
        plan: the shop.
        sink: where the lines go, each with a line feed.
        on_progress: called now and then with the instant that the simulation has come to.
    """
    generated = Generated(census(plan))
    for number, line in enumerate(marked_lines(plan)):
        sink.write(line.raw + b"\n")
        generated.count(line)
        if number % _LINES_PER_REPORT == 0:
            on_progress(line.instant)
    return generated


@contextmanager
def _progress(plan: ShopPlan) -> Iterator[Callable[[Instant], None]]:
    """A bar on standard error by simulated days; nothing where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("days", total=plan.days)
        yield lambda instant: progress.update(task, completed=(instant - plan.start) // DAY)


def _table(generated: Generated) -> Table:
    """The summary for a person."""
    table = Table("count", "what", title=f"{generated.lines:,} lines", title_justify="left")
    table.columns[0].justify = "right"
    for kind, count in generated.customers.items():
        table.add_row(f"{count:,}", f"customers: {kind}")
    table.add_section()
    for kind, count in sorted(generated.events.items()):
        table.add_row(f"{count:,}", kind)
    table.add_section()
    table.add_row(f"{generated.late:,}", "of them late")
    table.add_row(f"{generated.duplicates:,}", "duplicates")
    for reason, count in sorted(generated.broken.items()):
        table.add_row(f"{count:,}", f"broken: {reason}")
    return table
