"""A worker's resident memory over a long time at an even pace, with more customers than it may keep in memory."""

import sys
import time
from dataclasses import dataclass
from statistics import median

import msgspec

from bench.latency import PROBE_EVERY
from bench.pacing import Pace
from bench.system import BenchError, ensure_alive, say, servers
from bench.usage import resident_memory

_CUSTOMERS, _IN_MEMORY = 400_000, 20_000
_SAMPLES = 60
_NEW = 100_000_000
_QUARTER = 4
FLAT = 1.05
"""The last quarter's median over the second quarter's: a worker that has all that it may have needs no more."""


@dataclass(frozen=True)
class Soak:
    """What a soak showed.

    Attributes:
        rate: events a second.
        customers: of how many customers they are.
        in_memory: how many the worker may keep (`SEGMENTS_CUSTOMERS_IN_MEMORY`).
        every: seconds between two samples.
        samples: bytes resident.
        applied: events applied when it was over.
        sent: events that were sent.
    """

    rate: int
    customers: int
    in_memory: int
    every: float
    samples: list[int]
    applied: int
    sent: int

    @property
    def growth(self) -> float:
        """The last quarter's median over that of the second; the first one is for filling up."""
        quarter = max(1, len(self.samples) // _QUARTER)
        return median(self.samples[-quarter:]) / median(self.samples[quarter : 2 * quarter] or self.samples)


def measure(minutes: float, rate: int = 2_000) -> Soak:
    """Run a worker at a pace for so long.

    Raises:
        BenchError: it could not be done.
    """
    with servers() as both:
        ours = both.install()
        ours.empty()
        worker = ours.start_worker(customers_in_memory=str(_IN_MEMORY))
        pace = Pace(ours.bootstrap, ours.prefix, rate, minutes * 60, PROBE_EVERY, _CUSTOMERS, _NEW)
        producer = ours.start("pacing", [sys.executable, "-m", "bench.pacing", msgspec.json.encode(pace).decode()])
        every, begun, samples = pace.seconds / _SAMPLES, time.monotonic(), list[int]()
        for number in range(1, _SAMPLES + 1):
            time.sleep(max(0.0, begun + number * every - time.monotonic()))
            ensure_alive(worker)
            samples.append(resident_memory(worker.pid))
            say(f"soak: {samples[-1] / 1024**2:.0f} MiB resident, {ours.applied():,} events applied")
        while producer.is_alive():
            time.sleep(0.1)
        log = producer.log.read_text()
        if "Error" in log:
            raise BenchError(f"the producer failed: {log[-2000:]}")
        return Soak(rate, _CUSTOMERS, _IN_MEMORY, every, samples, ours.applied(), pace.events)
