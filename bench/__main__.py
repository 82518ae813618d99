"""`python -m bench`: measure, print the report, and write what was measured in full into docs/benchmarks.md."""

import os
import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.builds import cache
from bench.entrants import NAMES
from bench.parts import MEASURES, Part, Wanted, chosen
from bench.report import MINI, PROFILE, page, sections
from bench.report_memory import FLAME_GRAPH
from bench.report_race import CHART, race_chart
from bench.results import Results
from bench.system import BenchError, servers
from bench.usage import redis_version

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main(  # noqa: PLR0913 # one parameter per option
    part: Annotated[Part, typer.Argument(help="What to measure; `all` is everything but the soak.")] = Part.ALL,
    *,
    events: Annotated[int, typer.Option(min=1_000, help="Events of a race, a throughput run, a profile.")] = 1_000_000,
    customers: Annotated[
        list[int] | None, typer.Option(help="Customers of throughput (can be given again) and of memory.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often everybody races and runs.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help=f"Who races: {', '.join(NAMES)}; can be given again.")] = None,
    peer_events: Annotated[int, typer.Option(min=1_000, help="Events of a run of a slow peer.")] = 30_000,
    check_one_in: Annotated[int, typer.Option(min=1, help="Check one customer in so many against the core.")] = 10,
    minutes: Annotated[float, typer.Option(min=1, help="Of a soak.")] = 60,
    quick: Annotated[bool, typer.Option(help="A tenth of everything, once: says whether it works.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write all figures there, too.")] = None,
) -> None:
    """Measure on a real Kafka and Redis; progress on stderr, the report on stdout."""
    strangers = sorted(set(only or ()) - set(NAMES))
    if strangers:
        raise SystemExit(f"bench: there is no '{strangers[0]}' to race; there are {', '.join(NAMES)}")
    wanted = Wanted(
        events=events,
        customers=tuple(customers or ()),
        repeats=1 if quick else repeats,
        only=tuple(only or ()),
        slow_events=peer_events,
        check_one_in=check_one_in,
        minutes=minutes,
        scale=10 if quick else 1,
    )
    results = Results(_command(sys.argv[1:]), datetime.now(UTC).date().isoformat(), check_one_in=check_one_in)
    before = os.getloadavg()[0]
    try:
        with servers() as one:
            results.redis_version = redis_version(one.install().redis)
        for each in chosen(part):
            MEASURES[each](wanted, results)
            # What there is by now is written at once: a later part may fail.
            results.busy = (before, os.getloadavg()[0])
            _write(results, json_path, to_page=not quick and not only)
    except BenchError as error:
        raise SystemExit(f"bench: {error}") from None
    print(page(sections(results)))


def _command(arguments: list[str]) -> str:
    """What was typed, without the path that `--json` names: the page is for every machine."""
    kept = iter(arguments)
    said = [word for word in kept if not word.startswith("--json") or ("=" not in word and next(kept, None) is None)]
    return shlex.join(["python", "-m", "bench", *said])


def _write(results: Results, json_path: Path | None, *, to_page: bool) -> None:
    if json_path is not None:
        json_path.write_bytes(results.as_json())
    if not to_page:
        return
    found = sections(results)
    PAGE.write_text(page(found, PAGE.read_text() if PAGE.exists() else ""))
    if MINI in found:
        PAGE.with_name(CHART).write_text(race_chart(results.laps))
    if PROFILE in found:
        shutil.copyfile(cache() / FLAME_GRAPH, PAGE.with_name(FLAME_GRAPH))


if __name__ == "__main__":
    typer.run(main)
