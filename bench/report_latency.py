"""The part of the report that tells how long a subscriber waits."""

from collections.abc import Iterator, Sequence

from bench.latency import FLOOR, PROBE_EVERY, THROUGH, WARM_UP, Latency
from bench.tables import Goal, table

PACE, P50_GOAL, P99_GOAL, P999_GOAL, WAVE_GOAL = 2_000, 3.0, 10.0, 60.0, 150.0
_WAVE = "crossings"


def latency_goals(latencies: Sequence[Latency]) -> Iterator[Goal]:
    """The goals of which something was measured; the floor is that of the same run."""
    floor = next((one for one in latencies if (one.path, one.rate) == (FLOOR, PACE)), None)
    ours = next((one for one in latencies if (one.path, one.rate) == (THROUGH, PACE)), None)
    wave = next((one for one in latencies if _WAVE in one.path), None)
    if floor and ours:
        p50, p99 = ours.p50 - floor.p50, ours.p99 - floor.p99
        yield Goal(f"ms above the floor at {PACE:,}/s, p50", f"at most {P50_GOAL:g}", p50, 1, p50 <= P50_GOAL)
        yield Goal(f"ms above the floor at {PACE:,}/s, p99", f"at most {P99_GOAL:g}", p99, 1, p99 <= P99_GOAL)
    if ours:
        yield Goal(f"ms at {PACE:,}/s, p99.9", f"below {P999_GOAL:g}", ours.p999, 1, ours.p999 < P999_GOAL)
    if wave:
        yield Goal(f"ms {wave.path.partition(', ')[2]}, p99", f"below {WAVE_GOAL:g}", wave.p99, 1, wave.p99 < WAVE_GOAL)


def latency_text(latencies: Sequence[Latency]) -> str:
    """How it was measured, and all runs."""
    header = ("events/s through", "probes", "missing", "p50 ms", "p99 ms", "p99.9 ms", "worst ms")
    rows = [
        (
            f"{run.rate:,}, {run.path}",
            f"{run.probes:,}",
            str(run.missing),
            *(f"{value:.1f}" for value in (run.p50, run.p99, run.p999, run.worst)),
        )
        for run in latencies
    ]
    return f"""Events are sent at an even pace by a process of its own; each {PROBE_EVERY}th is the first order of a
new customer, which must make that customer enter `first_time_buyer`. Timed from handing it to the Kafka client until
a plain aiokafka subscriber has the change in its hands; the first {WARM_UP:.0f} s do not count.
"{FLOOR.capitalize()}" is the same without a classifier: the same producer, broker and subscriber, the least that can
be measured here.

During the wave, the probes count that were sent between the instant at which all crossings come due and the arrival of
the last of them; during the change of owners, those from just before the second worker starts until it has left and
5 s have passed. Peers run *mini*, with one topic and `first_time`; what a run leaves to its library, the producer's
lingering too, is as it comes.

{table(header, rows)}"""
