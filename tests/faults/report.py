"""The report: tables for people, JSON for programs. `python -m tests.faults.report one.json two.json` joins runs."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import msgspec
import orjson
from rich.console import Console
from rich.table import Table

from bench.results import machine
from tests.faults.play import Outcome
from tests.faults.stage import Injected

WIDTH = 160
"""Of a report that is not shown on a terminal."""
_COLUMNS = (
    "schedule",
    "seed",
    "faults",
    "events",
    "a second",
    "changes",
    "repeated",
    "deaths",
    "gap s",
    "of a shard s",
    "catch-up s",
    "differences",
    "problems",
)
_KIND_COLUMNS = ("kind of fault", "injected", "lasted s", "caught up after s: median", "slowest", "never")


def as_json(outcomes: Sequence[Outcome]) -> bytes:
    """All figures."""
    body = {"machine": machine(), **totals(outcomes), "schedules": [asdict(outcome) for outcome in outcomes]}
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_json(report: bytes) -> list[Outcome]:
    """The outcomes in a report.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(orjson.loads(report)["schedules"], list[Outcome])


def totals(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """What all schedules come to. `longest_gap_in_sequences` is how many were left out in a row."""
    return {
        "played": len(outcomes),
        "schedules_played": len({outcome.name for outcome in outcomes}),
        "seeds": sorted({outcome.seed for outcome in outcomes}),
        "failed": [f"{outcome.name} seed {outcome.seed}" for outcome in outcomes if outcome.problems],
        "faults_injected": sum(len(_faults(outcome)) for outcome in outcomes),
        "faults_by_kind": by_kind(outcomes),
        "events": sum(outcome.events for outcome in outcomes),
        "slowest_load_events_per_second": round(min((outcome.rate for outcome in outcomes), default=0.0)),
        "transitions_checked": sum(outcome.transitions for outcome in outcomes),
        "repeated_and_dropped": sum(outcome.repeated for outcome in outcomes),
        "differences": sum(outcome.differences for outcome in outcomes),
        "longest_gap_in_sequences": max((outcome.skipped for outcome in outcomes), default=0),
        "longest_gap_seconds": round(max((outcome.longest_gap for outcome in outcomes), default=0.0), 2),
        "longest_silence_of_a_shard_seconds": round(max((o.longest_silence for o in outcomes), default=0.0), 2),
        "seconds": round(sum(outcome.seconds for outcome in outcomes)),
    }


def by_kind(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float | None]]:
    """Kind of fault -> how often it was injected, how long it lasted at most, and how soon the system had caught up."""
    kinds: dict[str, list[Injected]] = {}
    for fault in (fault for outcome in outcomes for fault in _faults(outcome)):
        kinds.setdefault(fault.kind, []).append(fault)
    return {kind: _figures(faults) for kind, faults in kinds.items()}


def _faults(outcome: Outcome) -> list[Injected]:
    return [fault for fault in outcome.injected if fault.kind != "none"]


def _figures(faults: Sequence[Injected]) -> dict[str, float | None]:
    caught = [fault.catch_up for fault in faults if fault.catch_up is not None]
    return {
        "injected": len(faults),
        "lasted_seconds": round(max(fault.lasted for fault in faults), 2),
        "median_catch_up_seconds": round(median(caught), 2) if caught else None,
        "slowest_catch_up_seconds": round(max(caught), 2) if caught else None,
        "never_caught_up": len(faults) - len(caught),
    }


def print_tables(outcomes: Sequence[Outcome], console: Console) -> None:
    """One row per schedule, one per kind of fault, and what they come to."""
    console.print(_table("Fault schedules", _COLUMNS, map(_row, outcomes)))
    kinds = ((kind, *figures.values()) for kind, figures in by_kind(outcomes).items())
    console.print(_table("Faults", _KIND_COLUMNS, kinds))
    for name, value in totals(outcomes).items():
        if name != "faults_by_kind":
            console.print(f"{name.replace('_', ' ')}: {value}", highlight=False)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table(title=title)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    for row in rows:
        table.add_row(*("-" if value is None else str(value) for value in row))
    return table


def _row(outcome: Outcome) -> Sequence[object]:
    caught = [fault.catch_up for fault in outcome.injected if fault.catch_up is not None]
    return (
        outcome.name,
        outcome.seed,
        len(_faults(outcome)),
        f"{outcome.events:,}",
        f"{outcome.rate:,.0f}",
        f"{outcome.transitions:,}",
        f"{outcome.repeated:,}",
        outcome.deaths,
        f"{outcome.longest_gap:.1f}",
        f"{outcome.longest_silence:.1f}",
        f"{max(caught):.1f}" if caught else None,
        outcome.differences,
        len(outcome.problems),
    )


if __name__ == "__main__":
    read = [outcome for path in sys.argv[1:] for outcome in read_json(Path(path).read_bytes())]
    print_tables(read, Console(width=WIDTH if not sys.stdout.isatty() else None))
