"""The report: what was measured, how, on what, and with which command, as a page of Markdown."""

from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from bench.latency import PROBE_EVERY, THROUGH, WARM_UP
from bench.memory import Memory
from bench.results import Results, machine, spread
from bench.system import PARTITIONS
from bench.throughput import PEER, WORKER, Speed

RATIO_GOAL, RATE_GOAL = 10.0, 30_000.0
PACE, P50_GOAL, P99_GOAL = 2_000, 10.0, 50.0
MEMORY_GOAL = 700.0
_MIB = 1024**2


class Goal(NamedTuple):
    """Something that the project wants to reach, and how far it came."""

    what: str
    wanted: str
    measured: float
    digits: int
    met: bool


def goals(results: Results) -> Iterator[Goal]:
    """The goals of which something was measured."""
    for contest in results.contests:
        ratio, rate = median(results.ratios(contest)), median(run.rate for run in results.runs(WORKER, contest))
        log = f"log of {contest:,} customers"
        yield Goal(f"times the peer, {log}", f"at least {RATIO_GOAL:.0f}", ratio, 1, ratio >= RATIO_GOAL)
        yield Goal(f"events/s, {log}", f"at least {RATE_GOAL:,.0f}", rate, 0, rate >= RATE_GOAL)
    for latency in results.latencies:
        if (latency.path, latency.rate) == (THROUGH, PACE):
            yield Goal(f"ms at {PACE:,}/s, p50", f"below {P50_GOAL:.0f}", latency.p50, 1, latency.p50 < P50_GOAL)
            yield Goal(f"ms at {PACE:,}/s, p99", f"below {P99_GOAL:.0f}", latency.p99, 1, latency.p99 < P99_GOAL)
    if results.memory:
        size = results.memory.per_customer
        yield Goal("bytes of Redis per customer", f"at most {MEMORY_GOAL:.0f}", size, 0, size <= MEMORY_GOAL)


def page(results: Results) -> str:
    """The whole page."""
    rows = [(g.what, g.wanted, f"{g.measured:,.{g.digits}f}", "yes" if g.met else "no") for g in goals(results)]
    parts = [_head(results), table(("goal", "wanted", "measured", "met"), rows)]
    if results.speeds:
        parts.append(_throughput(results))
    if results.latencies:
        parts.append(_latency(results))
    if results.memory:
        parts.append(_memory(results.memory))
    return "\n\n".join(parts) + "\n"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    names = list(header)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _head(results: Results) -> str:
    known = machine()
    versions = ", ".join(f"{name} {known[name]}" for name in list(known)[2:])
    before, after = results.busy
    return f"""# Benchmarks
Written by the harness under `bench/`, not by hand. Made on {results.date} with

    {results.command}

on {known["cores"]} cores and {known["memory"]} of memory, which Kafka, Redis, the classifier and the harness share. The
load average was {before:.1f} before and {after:.1f} after.
{versions}; Redis {results.redis_version} with its append-only file.
The shipped `segments.toml`, {PARTITIONS} partitions. Of several runs the median stands, with the range in brackets."""


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
    return f"""## Throughput
The topics are filled before anything starts. 10 % of the events are orders, 5 % support contacts, 85 % site events (6 %
put something into the cart); customers are drawn evenly; the log covers 60 days, in order, and the clock stands at
its end. Timed from the first event applied until all are, everything due is settled, and all changes are in Kafka.

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


def _latency(results: Results) -> str:
    header = ("events/s through", "probes", "missing", "p50 ms", "p99 ms", "p99.9 ms", "worst ms")
    rows = [
        (
            f"{run.rate:,}, {run.path}",
            f"{run.probes:,}",
            str(run.missing),
            *(f"{value:.1f}" for value in (run.p50, run.p99, run.p999, run.worst)),
        )
        for run in results.latencies
    ]
    return f"""## Latency
Events are sent at an even pace by a process of its own; each {PROBE_EVERY}th is the first order of a new customer,
which must make that customer enter `first_time_buyer`. Timed from handing it to the Kafka client until a plain aiokafka
subscriber has the change in its hands; the first {WARM_UP:.0f} s do not count. "A plain topic" is the same without a
classifier: the same producer, broker and subscriber, the least that can be measured here.

{table(header, rows)}"""


def _memory(memory: Memory) -> str:
    sizes = [(f"`{{p}}:{kind}`", f"{size:,.1f}") for kind, size in memory.groups.items()]
    values = [(f"`{{p}}:{kind}`", f"{size:,.1f}", f"{count:.2f}") for kind, (size, count) in memory.values.items()]
    return f"""## Memory
{memory.events:,} events of {memory.customers:,} customers, equally many each, of the same mix as above; ids of
customers have ten characters, and a customer is in {memory.memberships:.2f} segments on average. Redis has allocated
{memory.per_customer:,.0f} bytes per customer more than when it was empty (`used_memory`, without the worker);
{memory.waiting} changes wait in the outbox. By `MEMORY USAGE`, all fields counted:

{table(("keys", "bytes per customer"), sizes)}

Of that, the stored values alone:

{table(("keys", "mean bytes of a value", "values per customer"), values)}"""
