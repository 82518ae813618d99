"""Clocks. The core takes `now` as a parameter; this is where it comes from."""

import time

from schemas.instants import Instant
from streams.settings import Settings
from streams.shard.port import Clock

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux it goes on while the machine sleeps, too."""


def steady_clock() -> float:
    """Seconds since some instant, which nobody sets; they go on while the process is stopped."""
    return time.clock_gettime(_STEADY)


def wall_clock() -> Instant:
    """The wall clock, in microseconds."""
    return time.time_ns() // 1_000


def clock_of(settings: Settings) -> Clock:
    """The clock that crossings are measured by: the wall clock, or the one that a replay sets."""
    start = settings.clock_at
    if start is None:
        return wall_clock
    origin = wall_clock() if settings.clock_from is None else settings.clock_from

    def replay_clock() -> Instant:
        return start + int((wall_clock() - origin) * settings.clock_speed)

    return replay_clock
