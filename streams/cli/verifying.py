"""`segments verify`: whether inputs, state and changes agree."""

from typing import Annotated

import typer
from rich.progress import Progress, TaskID
from rich.table import Table

from streams.cli.common import FAULT, command, err, out, print_json, progress, run
from streams.settings import Settings
from streams.verify.report import CHECKS, Report
from streams.verify.verify import verify


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("verify", rich_help_panel="Running system")(_verify)


class Bar:
    """`streams.verify.verify.Watch` as a progress bar."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        """Show it on a task of a bar."""
        self._bar = bar
        self._task = task

    def begin(self, total: int) -> None:
        """See `Watch.begin`."""
        self._bar.update(self._task, total=total)

    def advance(self, count: int) -> None:
        """See `Watch.advance`."""
        self._bar.advance(self._task, count)


@command
def _verify(
    sample: Annotated[
        int | None, typer.Option(help="Check only so many customers, always the same ones; else all.", min=1)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
) -> None:
    """Replay the inputs and compare: profiles, memberships, changes, due times, offsets. Exit 1 where they differ.

    Only reads, and may run while workers do.
    """
    with progress() as bar:
        report = run(verify(Settings(), sample, watch=Bar(bar, bar.add_task("verify", total=None))))
    if as_json:
        print_json(report.as_json())
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(FAULT)


def _show(report: Report) -> None:
    figures = ", ".join(f"{number} {name}" for name, number in report.figures.items())
    table = Table(title=figures)
    table.add_column("check", no_wrap=True)
    table.add_column("looked at", justify="right")
    table.add_column("differ", justify="right")
    table.add_column("what holds")
    for name, check in report.checks.items():
        table.add_row(name, str(check.checked), str(check.differing), CHECKS[name])
    out.print(table)
    for note in report.notes:
        err.print(note, style="yellow", markup=False)
    for line in report.lines():
        err.print(line, style="red", markup=False)
