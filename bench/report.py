"""The report: what was measured, how, on what, and with which command, as sections of a page of Markdown."""

import re
from collections.abc import Iterator, Mapping
from statistics import median

from bench.report_latency import latency_goals, latency_text
from bench.report_memory import memory_goals, memory_text, profile_text, soak_goals, soak_text
from bench.report_race import exactly_once, race_goals, race_text
from bench.results import Results, machine
from bench.system import PARTITIONS
from bench.tables import Goal, goal_table, spread, table
from bench.throughput import PEER, WORKER, Speed

RATIO_GOAL, RATE_GOAL, LEVEL_GOAL = 10.0, 30_000.0, 1.0
_MIB = 1024**2
MINI, FULL = "Mini: ours and the peers", "Full: the shipped definitions"
LATENCY, MEMORY, SOAK, PROFILE = "Latency", "Memory", "A long run", "Where the time goes"
TITLES = (MINI, FULL, LATENCY, MEMORY, SOAK, PROFILE)
"""The sections, in their order on the page."""
_HEAD = """# Benchmarks
Written by the harness under `bench/`, not by hand: `make bench` measures everything, `make bench ARGS=peers` a part.
Each section says when, with which command, and on what it was made; a Kafka, a Redis, the program that is measured
and the harness share that machine. Of several runs the median stands, with the range in brackets."""


def goals(results: Results) -> list[Goal]:
    """The goals of which something was measured."""
    made = [race_goals(results.laps), _full_goals(results), latency_goals(results.latencies)]
    made += [memory_goals(one) for one in [results.memory] if one] + [soak_goals(one) for one in [results.soak] if one]
    return [goal for some in made for goal in some]


def _full_goals(results: Results) -> Iterator[Goal]:
    for contest in results.contests:
        ratio, rate = median(results.ratios(contest)), median(run.rate for run in results.runs(WORKER, contest))
        log = f"log of {contest:,} customers"
        yield Goal(f"times the peer, {log}", f"at least {RATIO_GOAL:.0f}", ratio, 1, ratio >= RATIO_GOAL)
        yield Goal(f"events/s, {log}", f"at least {RATE_GOAL:,.0f}", rate, 0, rate >= RATE_GOAL)
    streams = exactly_once(results.laps)
    if results.contests and streams:
        small = results.contests[0]
        level = median(run.steady_rate for run in results.runs(WORKER, small)) / streams
        name = f"times Kafka Streams exactly once on mini, log of {small:,} customers"
        yield Goal(name, f"at least {LEVEL_GOAL:g}", level, 2, level >= LEVEL_GOAL)


def sections(results: Results) -> dict[str, str]:
    """Title -> text, of what was measured."""
    found = {}
    if results.laps:
        found[MINI] = _section(results, race_goals(results.laps), race_text(results.laps, results.skipped))
    if results.speeds:
        found[FULL] = _section(results, _full_goals(results), _throughput(results))
    if results.latencies:
        found[LATENCY] = _section(results, latency_goals(results.latencies), latency_text(results.latencies))
    if results.memory:
        found[MEMORY] = _section(results, memory_goals(results.memory), memory_text(results.memory))
    if results.soak:
        found[SOAK] = _section(results, soak_goals(results.soak), soak_text(results.soak))
    if results.profile:
        found[PROFILE] = _section(results, iter(()), profile_text(results.profile))
    return found


def page(found: Mapping[str, str], before: str = "") -> str:
    """The page with these sections; those of the page of before that were not measured anew stay."""
    texts = sections_of(before) | dict(found)
    return "\n\n".join([_HEAD, *(f"## {title}\n{texts[title]}" for title in TITLES if title in texts)]) + "\n"


def sections_of(text: str) -> dict[str, str]:
    """Title -> text, of a page."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def _section(results: Results, judged: Iterator[Goal], text: str) -> str:
    known = machine()
    versions = ", ".join(f"{name} {known[name]}" for name in list(known)[2:])
    before, after = results.busy
    made = f"""Made on {results.date} with

    {results.command}

on {known["cores"]} cores and {known["memory"]} of memory; the load average was {before:.1f} before and {after:.1f}
after. {versions}; Redis {results.redis_version} with its append-only file."""
    found = list(judged)
    return "\n\n".join([made, *([goal_table(found)] if found else []), text])


def _throughput(results: Results) -> str:
    rows = [
        _speed_row(contest, who, results.runs(who, contest)) for contest in results.contests for who in (WORKER, PEER)
    ]
    header = (
        "log, program",
        "events",
        "events/s",
        "second half",
        "CPU s per 100,000",
        "of Redis",
        "peak MiB",
        "changes per event",
        "wrong",
    )
    checked = "every customer" if results.check_one_in == 1 else f"one customer in {results.check_one_in}"
    return f"""The shipped `segments.toml`, {PARTITIONS} partitions. The topics are filled before anything starts. 10
% of the events are orders, 5 % support contacts, 85 % site events (6 % put something into the cart); customers are
drawn evenly; the log covers 60 days, in order, and the clock stands at its end. Timed from the first event applied
until all are, everything due is settled, and all changes are in Kafka.

The peer (`bench/peers/faust_event_by_event.py`) is an ordinary Faust program around the same decoder and the same
core, with one Redis read and one Redis write per event. The whole log would take it too long, so it gets the same in
small: fewer customers, each with as many events over as long a time. It has no outbox, no fencing and no clock.

"Wrong" counts memberships that differ from what the core alone says of the same events ({checked} of ours,
all of the peer's). The ratio compares the second halves.

{table(header, rows)}

{table(("log", "times the peer"), ((f"{c:,} customers", spread(results.ratios(c), 1)) for c in results.contests))}"""


def _speed_row(contest: int, who: str, runs: list[Speed]) -> tuple[str, ...]:
    return (
        f"{contest:,} customers, {who}",
        f"{runs[0].events:,}",
        spread([run.rate for run in runs]),
        spread([run.steady_rate for run in runs]),
        spread([run.process_cpu for run in runs], 2),
        spread([run.redis_cpu for run in runs], 2),
        spread([run.peak_bytes / _MIB for run in runs]),
        f"{median(run.transitions / run.events for run in runs):.2f}",
        str(sum(run.wrong for run in runs)),
    )
