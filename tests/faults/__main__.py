"""`python -m tests.faults`: play the fault schedules, print the report. Exit 1 if one ended wrong."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streams.stacks import StackError
from tests.faults.play import Outcome, Schedule, play
from tests.faults.report import WIDTH, as_json, print_tables
from tests.faults.schedules import SCHEDULES
from tests.faults.servers import servers

_out = Console(width=WIDTH if not sys.stdout.isatty() else None)


def main(
    only: Annotated[list[str] | None, typer.Argument(help="Names of schedules; all if none is given.")] = None,
    *,
    short: Annotated[bool, typer.Option(help="Only those that a change must pass.")] = False,
    seed: Annotated[int, typer.Option(help="Of the load and of the faults' instants.")] = 1,
    repeat: Annotated[int, typer.Option(min=1, help="Play everything so often, each time with the next seed.")] = 1,
    names: Annotated[bool, typer.Option("--list", help="Only say which schedules there are.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Leave the logs of servers and workers in this folder.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write all figures there, too.")] = None,
) -> None:
    """Play fault schedules on a real Kafka and Redis of our own."""
    chosen = _chosen(only or [], short=short)
    if names:
        for schedule in chosen:
            _out.print(schedule.name)
        return
    outcomes: list[Outcome] = []
    try:
        with servers(keep) as running:
            for number in range(seed, seed + repeat):
                for schedule in chosen:
                    outcomes.append(play(schedule, number, running))
                    _tell(outcomes[-1])
    except StackError as error:
        raise SystemExit(f"faults: {error}") from None
    print_tables(outcomes, _out)
    if json_path is not None:
        json_path.write_bytes(as_json(outcomes))
    if any(outcome.problems for outcome in outcomes):
        raise SystemExit(1)


def _chosen(only: list[str], *, short: bool) -> list[Schedule]:
    known = {schedule.name: schedule for schedule in SCHEDULES}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise SystemExit(f"faults: no schedule is called {unknown[0]}; --list names them all")
    chosen = [known[name] for name in only] or list(SCHEDULES)
    return [schedule for schedule in chosen if schedule.short or not short]


def _tell(outcome: Outcome) -> None:
    """One line as soon as a schedule has ended, and what was wrong."""
    verdict = "WRONG" if outcome.problems else "ok"
    said = f"{outcome.transitions} changes, {outcome.repeated} repeated, longest gap {outcome.longest_gap:.1f} s"
    line = f"{time.strftime('%H:%M:%S')} {outcome.name} seed {outcome.seed}: {verdict}; {said}, {outcome.seconds:.0f} s"
    print(line, file=sys.stderr, flush=True)
    for fault in outcome.injected:
        caught = "never" if fault.catch_up is None else f"{fault.catch_up:.1f} s"
        how = ", once the load had ended" if fault.relieved else ""
        print(
            f"    {fault.kind}: lasted {fault.lasted:.1f} s, caught up after {caught}{how}", file=sys.stderr, flush=True
        )
    for problem in outcome.problems:
        print(f"    {problem}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(main)
