"""The parts of the benchmark, and what each of them measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bench import builds, disturbed, latency, latency_peers, memory, profiling, race, soak
from bench.latency import Pacing
from bench.load import LoadPlan
from bench.race import Race
from bench.report_latency import PACE
from bench.report_memory import FLAME_GRAPH
from bench.results import Results
from bench.throughput import Contest, compare
from streams.clock import wall_clock

_PACES = (500, PACE, 10_000)
_WAVE = 50_000


class Part(StrEnum):
    """What to measure."""

    PEERS = "peers"
    THROUGHPUT = "throughput"
    LATENCY = "latency"
    MEMORY = "memory"
    PROFILE = "profile"
    SOAK = "soak"
    ALL = "all"


@dataclass(frozen=True)
class Wanted:
    """How much of it.

    Attributes:
        events: of a race and of a throughput run.
        customers: of throughput runs, and the first of them of a memory run; the usual ones if empty.
        repeats: of races and throughput runs.
        only: who races; all if empty.
        slow_events: of a run of a slow peer.
        check_one_in: which customers are checked against the core in throughput runs.
        minutes: of a soak.
        scale: everything is divided by it but a profile, which fewer events would be too few for.
    """

    events: int
    customers: tuple[int, ...]
    repeats: int
    only: tuple[str, ...]
    slow_events: int
    check_one_in: int
    minutes: float
    scale: int

    @property
    def pacing(self) -> Pacing:
        """Of latency runs."""
        return Pacing(_PACES, 20 / min(self.scale, 4), 20_000 // self.scale, 100_000 // self.scale)


def _peers(wanted: Wanted, results: Results) -> None:
    scale = wanted.scale
    events, customers, few = wanted.events // scale, 20_000 // scale, wanted.slow_events // scale
    entered = Race(events, customers, few, wall_clock(), wanted.repeats, wanted.only, results.skipped)
    results.laps += race.run(entered)


def _throughput(wanted: Wanted, results: Results) -> None:
    for count in wanted.customers or (20_000, 200_000):
        plan = LoadPlan(wanted.events // wanted.scale, count // wanted.scale, wall_clock())
        contest = Contest(plan, wanted.slow_events // wanted.scale, wanted.check_one_in, wanted.repeats)
        results.speeds += compare(contest)


def _latency(wanted: Wanted, results: Results) -> None:
    results.latencies += latency.measure(wanted.pacing)
    results.latencies += disturbed.measure(wanted.pacing, PACE, _WAVE // wanted.scale)
    results.latencies += latency_peers.measure(wanted.pacing, PACE)


def _memory(wanted: Wanted, results: Results) -> None:
    results.memory = memory.measure((wanted.customers or (100_000,))[0] // wanted.scale)


def _profile(wanted: Wanted, results: Results) -> None:
    results.profile = profiling.measure(wanted.events, 20_000, builds.cache() / FLAME_GRAPH)


def _soak(wanted: Wanted, results: Results) -> None:
    results.soak = soak.measure(wanted.minutes / wanted.scale)


MEASURES: Mapping[Part, Callable[[Wanted, Results], None]] = {
    Part.PEERS: _peers,
    Part.THROUGHPUT: _throughput,
    Part.LATENCY: _latency,
    Part.MEMORY: _memory,
    Part.PROFILE: _profile,
    Part.SOAK: _soak,
}
"""Part -> what puts its figures into the results."""


def chosen(part: Part) -> list[Part]:
    """The parts that a word stands for. `all` leaves out the soak, which lasts as long as one likes."""
    return [one for one in MEASURES if one is not Part.SOAK] if part is Part.ALL else [part]
