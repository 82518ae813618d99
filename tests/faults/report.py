"""The report of a run: a table for people, JSON for programs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import orjson
from rich.console import Console
from rich.table import Table

from bench.results import machine
from tests.faults.play import Outcome

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


def as_json(outcomes: Sequence[Outcome]) -> bytes:
    """All figures."""
    body = {"machine": machine(), **totals(outcomes), "schedules": [asdict(outcome) for outcome in outcomes]}
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def totals(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """What all schedules come to."""
    injected = [fault for outcome in outcomes for fault in outcome.injected if fault.kind != "none"]
    slowest: dict[str, float] = {}
    for fault in injected:
        if fault.catch_up is not None:
            slowest[fault.kind] = max(slowest.get(fault.kind, 0.0), round(fault.catch_up, 2))
    return {
        "played": len(outcomes),
        "failed": [outcome.name for outcome in outcomes if outcome.problems],
        "faults_injected": dict(Counter(fault.kind for fault in injected)),
        "slowest_catch_up_seconds": slowest,
        "events": sum(outcome.events for outcome in outcomes),
        "slowest_load_events_per_second": round(min((outcome.rate for outcome in outcomes), default=0.0)),
        "transitions_checked": sum(outcome.transitions for outcome in outcomes),
        "repeated_and_dropped": sum(outcome.repeated for outcome in outcomes),
        "differences": sum(outcome.differences for outcome in outcomes),
        "longest_gap_seconds": round(max((outcome.longest_gap for outcome in outcomes), default=0.0), 2),
        "longest_silence_of_a_shard_seconds": round(max((o.longest_silence for o in outcomes), default=0.0), 2),
        "seconds": round(sum(outcome.seconds for outcome in outcomes)),
    }


def print_table(outcomes: Sequence[Outcome], console: Console) -> None:
    """One row per schedule, and what they come to."""
    table = Table(title="Fault schedules")
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name == "schedule" else "right")
    for outcome in outcomes:
        caught = [fault.catch_up for fault in outcome.injected if fault.catch_up is not None]
        table.add_row(
            outcome.name,
            str(outcome.seed),
            str(sum(fault.kind != "none" for fault in outcome.injected)),
            f"{outcome.events:,}",
            f"{outcome.rate:,.0f}",
            f"{outcome.transitions:,}",
            f"{outcome.repeated:,}",
            str(outcome.deaths),
            f"{outcome.longest_gap:.1f}",
            f"{outcome.longest_silence:.1f}",
            f"{max(caught):.1f}" if caught else "-",
            str(outcome.differences),
            str(len(outcome.problems)),
        )
    console.print(table)
    for name, value in totals(outcomes).items():
        console.print(f"{name.replace('_', ' ')}: {value}", highlight=False)
