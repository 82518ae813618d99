"""`segments classify`: the pure core alone on a file; no Kafka, no Redis."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from schemas.errors import UndecodableError
from schemas.instants import Instant, rfc3339
from schemas.wire import decode
from streams.cli.common import (
    command,
    err,
    instant,
    load_definitions,
    load_parameters,
    out,
    print_json,
    progress,
)
from streams.clock import wall_clock
from streams.core.admission import admit
from streams.core.changes import change_json
from streams.core.definitions import Definitions
from streams.core.replay import Replay
from streams.sources.files import PIPE, numbered_events, write_atomically

_SHOWN = 5
_LINES_PER_REPORT = 2_000


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("classify", rich_help_panel="Files")(_classify)


@dataclass
class Log:
    """A file of events: the good lines in order of event time, and what was wrong with the others."""

    lines: list[tuple[Instant, str, bytes]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def read(self, path: Path, definitions: Definitions, as_of: Instant, on_progress: Callable[[int], None]) -> None:
        """Read a file; a line that a worker would refuse, now or at `as_of` if that is later, is counted."""
        now = max(wall_clock(), as_of)
        for number, line in numbered_events(path):
            if number % _LINES_PER_REPORT == 0:
                on_progress(number)
            try:
                event = decode(line)
                admit(event, now, definitions.rates)
            except UndecodableError as refusal:
                self.refused[refusal.reason.value] += 1
                if len(self.examples) < _SHOWN:
                    self.examples.append(f"line {number}: {refusal.detail}")
            else:
                self.lines.append((event.occurred_at, event.id, line))
        self.lines.sort()


@command
def _classify(
    file: Annotated[Path, typer.Argument(help="Events, one JSON object a line; plain or .gz; '-' is standard input.")],
    definitions_file: Annotated[Path | None, typer.Option("--definitions", help="Another definitions file.")] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Parameters for predicted.*, as segments fit --out and segments models --out write them."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="The instant to answer for; that of the last event if not given.")
    ] = None,
    changes: Annotated[
        Path | None, typer.Option(help="Write every transition, in order, one a line; '-' is standard output.")
    ] = None,
    members: Annotated[
        Path | None, typer.Option(help="Write {segment: [customer ids, sorted]}; '-' is standard output.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.")] = False,
) -> None:
    """Classify a file of events as of an instant: the same answers as the running system, from the same core.

    The summary goes to standard output, or to standard error if something else goes there.
    """
    if changes == members == PIPE:
        raise typer.BadParameter("only one of --changes and --members can be standard output")
    definitions = load_definitions(definitions_file, load_parameters(models))
    until = instant(as_of, "--as-of")
    log = Log()
    run = Replay(definitions)
    with progress() as bar:
        reading = bar.add_task("read", total=None)
        log.read(file, definitions, until or 0, lambda lines: bar.update(reading, completed=lines))
        if until is None:
            until = log.lines[-1][0] if log.lines else 0
        for _at, _id, line in bar.track([row for row in log.lines if row[0] <= until], description="classify"):
            run.feed(decode(line))
    run.finish(until)
    if changes is not None:
        with write_atomically(changes) as sink:
            sink.writelines(_change_lines(run))
    if members is not None:
        with write_atomically(members) as sink:
            sink.write(orjson.dumps(run.members(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    _report(run, log, until, as_json=as_json, to_stderr=PIPE in {changes, members})


def _change_lines(run: Replay) -> Iterator[bytes]:
    """Transitions as the change stream has them, in one shard, and emitted when they were effective."""
    for sequence, (profile_id, transition) in enumerate(run.transitions, start=1):
        yield (
            change_json(transition, profile_id, run.definitions, 0, sequence, transition.effective_at).encode() + b"\n"
        )


def _report(run: Replay, log: Log, until: Instant, *, as_json: bool, to_stderr: bool) -> None:
    sizes = {key: len(ids) for key, ids in run.members().items()}
    if as_json:
        summary: dict[str, Any] = {
            "as_of": rfc3339(until),
            "events": len(log.lines),
            "refused": dict(sorted(log.refused.items())),
            "customers": len(run.customers),
            "transitions": len(run.transitions),
            "members": sizes,
        }
        print_json(summary, to_stderr=to_stderr)
    else:
        title = f"{len(run.customers)} customers, {len(run.transitions)} transitions, as of {rfc3339(until)}"
        table = Table(title=title)
        table.add_column("segment", no_wrap=True)
        table.add_column("members", justify="right")
        for key, size in sizes.items():
            table.add_row(key, str(size))
        (err if to_stderr else out).print(table)
    if log.refused:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(log.refused.items()))
        err.print(f"refused {log.refused.total()} lines: {reasons}", style="yellow", markup=False)
        for example in log.examples:
            err.print(f"  {example}", style="yellow", markup=False)
