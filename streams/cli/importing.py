"""The command `segments import`: a public data set in, a file of events out."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from streams.sources.files import SourceError, write_atomically
from streams.sources.importing import FormatName, import_events
from streams.sources.summary import MEANING, Skip, Summary

_STANDARD_OUTPUT = "-"
_CURRENCY = re.compile(r"[A-Z]{3}")


def register(app: typer.Typer) -> None:
    """Add the command `import` to an application."""
    app.command("import", rich_help_panel="Files")(_import)


def _currency_code(text: str | None) -> str | None:
    """Check the option before a long file is read for nothing."""
    if text is not None and _CURRENCY.fullmatch(text) is None:
        raise typer.BadParameter("write an ISO 4217 code of three capital letters, as in GBP")
    return text


def _import(
    form: Annotated[FormatName, typer.Argument(metavar="FORMAT", help=" | ".join(FormatName))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The data set, plain or gzip; '-' is standard input.")],
    out: Annotated[str, typer.Option("--out", help="Where the events go, one a line; '-' is standard output.")],
    *,
    currency: Annotated[
        str | None,
        typer.Option(
            callback=_currency_code,
            help="Currency of the amounts; if not given, GBP for online-retail, CNY for taobao, else USD.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Turn a public data set into events, in order of time, and say what was left out.

    The summary goes to standard output, or to standard error if the events go to standard output.
    """
    to_stdout = out == _STANDARD_OUTPUT
    try:
        with _progress(file) as on_progress:
            if to_stdout:
                summary = import_events(form, file, sys.stdout.buffer, currency, on_progress)
                sys.stdout.buffer.flush()
            else:
                summary = _import_to_file(form, file, Path(out), currency, on_progress)
    except SourceError as error:
        typer.echo(f"segments import: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(orjson.dumps(summary.as_json()), err=to_stdout)
    else:
        Console(stderr=to_stdout).print(_table(summary))


def _import_to_file(
    form: FormatName, file: Path, out: Path, currency: str | None, on_progress: Callable[[int], None]
) -> Summary:
    """Write a file that is whole or not there."""
    if out.exists() and file.exists() and out.samefile(file):
        raise SourceError(f"{out} is the file to import; name another file for the events")
    with write_atomically(out) as sink:
        return import_events(form, file, sink, currency, on_progress)


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """A bar on standard error by bytes read; nothing where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    size = file.stat().st_size if file.is_file() else None
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"reading {file.name}", total=size)
        yield lambda bytes_read: progress.update(task, completed=bytes_read)


def _table(summary: Summary) -> Table:
    """The summary for a person."""
    table = Table("count", "what", title=f"{summary.format}: {summary.events.total():,} events", title_justify="left")
    table.columns[0].justify = "right"
    table.add_row(f"{summary.lines_read:,}", "lines read", end_section=True)
    for kind, count in sorted(summary.events.items()):
        table.add_row(f"{count:,}", kind)
    table.add_section()
    for skip in Skip:
        if summary.skipped[skip]:
            table.add_row(f"{summary.skipped[skip]:,}", f"skipped: {MEANING[skip]}")
    return table
