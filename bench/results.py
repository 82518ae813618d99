"""What one run of the benchmark measured, and on what."""

import os
import platform
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

import orjson

from bench.builds import java_version
from bench.latency import Latency
from bench.memory import Memory
from bench.profiling import Profile
from bench.race import Lap
from bench.soak import Soak
from bench.throughput import PEER, WORKER, Speed

_LIBRARIES = ("faust-streaming", "aiokafka", "redis", "hiredis", "pydantic", "uvloop")
_GIB = 1024**3


@dataclass
class Results:
    """Everything that was measured; what was not asked for is empty.

    Attributes:
        command: what was typed.
        date: the day, as 2026-01-31.
        busy: the load average over a minute before and after; what else the machine did shows in it.
        check_one_in: which part of the customers was checked against the core.
        laps: of the race on *mini*.
        skipped: title of a peer that could not be run here -> the reason.
    """

    command: str
    date: str
    busy: tuple[float, float] = (0.0, 0.0)
    check_one_in: int = 1
    redis_version: str = ""
    speeds: list[Speed] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    memory: Memory | None = None
    laps: list[Lap] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    soak: Soak | None = None
    profile: Profile | None = None

    def runs(self, who: str, contest: int) -> list[Speed]:
        """The runs of one side of a contest, in their order."""
        return [speed for speed in self.speeds if (speed.who, speed.contest) == (who, contest)]

    @property
    def contests(self) -> list[int]:
        """The contests, by the customers of their logs."""
        return sorted({speed.contest for speed in self.speeds})

    def ratios(self, contest: int) -> list[float]:
        """Our steady rate over the peer's, for each repeat."""
        pairs = zip(self.runs(WORKER, contest), self.runs(PEER, contest), strict=True)
        return [ours.steady_rate / peer.steady_rate for ours, peer in pairs]

    def as_json(self) -> bytes:
        """All figures."""
        body = {"machine": machine(), **asdict(self)}
        return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def machine() -> dict[str, str]:
    """What it ran on: cores, memory and versions; nothing that tells this machine from another."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    found = {"cores": str(os.cpu_count()), "memory": f"{memory:.0f} GiB", "Python": platform.python_version()}
    java = java_version()
    return found | ({"Java": java} if java else {}) | {name: version(name) for name in _LIBRARIES}
