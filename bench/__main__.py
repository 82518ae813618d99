"""`python -m bench`: measure, print the report, and write it to docs/benchmarks.md when all of it was measured."""

import os
import shlex
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench import latency, memory
from bench.latency import Pacing
from bench.load import LoadPlan
from bench.report import PACE, page
from bench.results import Results
from bench.system import BenchError, servers
from bench.throughput import Contest, compare
from bench.usage import redis_version
from streams.clock import wall_clock

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_SLOW_PACE = 500


class Part(StrEnum):
    """What to measure."""

    THROUGHPUT = "throughput"
    LATENCY = "latency"
    MEMORY = "memory"
    ALL = "all"


def main(  # noqa: PLR0913 # one parameter per option
    part: Annotated[Part, typer.Argument(help="What to measure.")] = Part.ALL,
    *,
    events: Annotated[int, typer.Option(min=1_000, help="Events of a throughput run.")] = 1_000_000,
    customers: Annotated[
        list[int] | None, typer.Option(help="Customers of a throughput run; can be given again.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Throughput runs of each side.")] = 3,
    peer_events: Annotated[int, typer.Option(min=1_000, help="Events of a run of the peer.")] = 30_000,
    check_one_in: Annotated[int, typer.Option(min=1, help="Check one customer in so many against the core.")] = 10,
    quick: Annotated[bool, typer.Option(help="A tenth of everything, once: says whether it works.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write all figures there, too.")] = None,
) -> None:
    """Measure on a real Kafka and Redis; progress on stderr, the report on stdout."""
    results = Results(_command(sys.argv[1:]), datetime.now(UTC).date().isoformat(), check_one_in=check_one_in)
    before = os.getloadavg()[0]
    scale = 10 if quick else 1
    try:
        with servers() as one:
            results.redis_version = redis_version(one.install().redis)
        if part in {Part.THROUGHPUT, Part.ALL}:
            for count in customers or [20_000, 200_000]:
                plan = LoadPlan(events // scale, count // scale, wall_clock())
                contest = Contest(plan, peer_events // scale, check_one_in, 1 if quick else repeats)
                results.speeds += compare(contest)
        if part in {Part.LATENCY, Part.ALL}:
            pacing = Pacing((_SLOW_PACE, PACE), 20 / (4 if quick else 1), 20_000 // scale, 100_000 // scale)
            results.latencies += latency.measure(pacing)
        if part in {Part.MEMORY, Part.ALL}:
            results.memory = memory.measure(100_000 // scale)
    except BenchError as error:
        raise SystemExit(f"bench: {error}") from None
    results.busy = (before, os.getloadavg()[0])
    _write(results, json_path, to_page=part is Part.ALL and not quick)


def _command(arguments: list[str]) -> str:
    """What was typed, without the path that `--json` names: the page is for every machine."""
    kept = iter(arguments)
    said = [word for word in kept if not word.startswith("--json") or ("=" not in word and next(kept, None) is None)]
    return shlex.join(["python", "-m", "bench", *said])


def _write(results: Results, json_path: Path | None, *, to_page: bool) -> None:
    text = page(results)
    print(text)
    if json_path is not None:
        json_path.write_bytes(results.as_json())
    if to_page:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text)


if __name__ == "__main__":
    typer.run(main)
