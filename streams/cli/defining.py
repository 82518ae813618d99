"""`segments check`: are the definitions good? And the settings of Kafka and Redis?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from schemas.errors import DefinitionsError
from streams.cli.common import FAULT, command, err, load_definitions, out, print_json
from streams.cli.running import check_running
from streams.core.definitions import Definitions
from streams.core.language.catalogue import FIELDS, FUNCTIONS, PREDICTIONS, SERIES
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("check", rich_help_panel="Definitions")(_check)


@command
def _check(
    file: Annotated[Path | None, typer.Argument(help="The definitions file; segments.toml if not given.")] = None,
    catalogue: Annotated[bool, typer.Option("--catalogue", help="List all that a rule may use.")] = False,
    running: Annotated[
        bool, typer.Option("--running", help="Check Kafka's and Redis' settings instead, as a worker does.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as one JSON object.")] = False,
) -> None:
    """Check definitions: every fault with its line and column. Exit 1 if there is any."""
    if running:
        check_running(as_json=as_json)
        return
    if catalogue:
        if as_json:
            print_json(_catalogue())
        else:
            _print_catalogue()
        return
    path = file or Settings().definitions_path()
    try:
        definitions = load_definitions(path)
    except DefinitionsError as error:
        if as_json:
            print_json({"file": str(path), "ok": False, "faults": error.faults})
        else:
            for fault in error.faults:
                err.print(f"{path}: {fault}", style="red", markup=False)
        raise typer.Exit(FAULT) from None
    except UnicodeDecodeError as error:
        err.print(f"{path}: not UTF-8 text (byte {error.start})", style="red", markup=False)
        raise typer.Exit(FAULT) from None
    if as_json:
        rules = {segment.key: segment.when for segment in definitions.segments}
        print_json({"file": str(path), "ok": True, "version": definitions.version, "segments": rules})
    else:
        _print_segments(definitions, path)


def _print_segments(definitions: Definitions, path: Path) -> None:
    table = Table(title=f"{path}: version {definitions.version}, {len(definitions.segments)} segments, no fault")
    table.add_column("segment", no_wrap=True)
    table.add_column("when")
    for segment in definitions.segments:
        table.add_row(segment.key, " ".join(segment.when.split()))
    out.print(table)


def _catalogue() -> dict[str, Any]:
    """The language for programs: an editor that completes, a form that builds rules."""
    return {
        "fields": {
            name: {"kind": entry.kind, "unit": entry.unit, "meaning": entry.meaning, "from": entry.source}
            for name, entry in (FIELDS | PREDICTIONS).items()
        },
        "series": {name: {"values": row.values, "meaning": row.meaning} for name, row in SERIES.items()},
        "functions": FUNCTIONS,
    }


def _print_catalogue() -> None:
    """The language on one page."""
    fields = Table(title="Fields")
    for column in ("name", "kind", "unit", "meaning", "from"):
        fields.add_column(column)
    for name, entry in (FIELDS | PREDICTIONS).items():
        fields.add_row(name, entry.kind, entry.unit, entry.meaning, entry.source)
    series = Table(title="Series")
    for column in ("name", "values", "meaning"):
        series.add_column(column)
    for name, row in SERIES.items():
        series.add_row(name, ", ".join(f"{name}.{value}" for value in row.values), row.meaning)
    functions = Table(title="Functions")
    functions.add_column("use")
    for usage in FUNCTIONS.values():
        functions.add_row(usage)
    for table in (fields, series, functions):
        out.print(table)
    out.print("A missing value makes a comparison false; `not` of that is true; is_set(x) asks.")
