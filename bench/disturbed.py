"""How long live events wait while something else goes on: a wave of crossings, or a change of owners."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import orjson

from bench.latency import WARM_UP, Latency, Pacing, classifier, judged, pace_of, run, wait_applied, warmed
from bench.load import Message, cart_add, customer_id
from bench.system import BenchError, Installation, say, servers
from schemas.instants import MINUTE, Instant
from streams.clock import wall_clock
from streams.stacks.guarded import GuardedProcess
from streams.state.keys import WORKERS

_ABANDONED_AFTER = 60 * MINUTE
"""The shipped rule of `cart_abandoner`."""
_SHOPPERS = 900_000_000
"""Number of the first customer of a wave."""
_AHEAD = 40.0
"""Seconds from now to the instant of the wave, for its events to be applied before it."""
_QUIET = 5.0
_STAY = 10.0
_JOINING = 60.0
_SECOND = 1_000_000_000
_LAST_TURN = 5


def measure(pacing: Pacing, rate: int, crossings: int) -> Iterator[Latency]:
    """Latency of live events during a wave of so many crossings, and while a second worker joins and leaves.

    Raises:
        BenchError: a run could not be made.
    """
    with servers() as both:
        ours = both.install()
        worker = warmed(ours, pacing)
        yield _wave(ours, worker, pacing, rate, crossings)
        yield _rebalance(ours, pacing, rate)


def shoppers(count: int, due: Instant) -> Iterator[Message]:
    """Events that make so many customers enter `cart_abandoner` at one and the same instant."""
    for number in range(count):
        yield cart_add(f"w{number:08d}", due - _ABANDONED_AFTER, customer_id(_SHOPPERS + number), 1)


class Wave:
    """The crossings of a wave, as a subscriber sees them."""

    def __init__(self, due: Instant) -> None:
        """None has come yet."""
        self._due = due
        self.seen = 0
        self.last = 0
        """When the last one came, nanoseconds."""

    def heard(self, body: Any, arrived: int) -> None:
        """Take note of a change that may be one of them."""
        if body["segment"] == "cart_abandoner" and body["cause"]["kind"] == "time":
            self.seen += 1
            self.last = arrived


def _wave(ours: Installation, worker: GuardedProcess, pacing: Pacing, rate: int, crossings: int) -> Latency:
    """Probes sent from the instant of the wave until its last crossing has come."""
    due = wall_clock() + round(_AHEAD * 1_000_000)
    before = ours.applied()
    ours.fill(shoppers(crossings, due))
    wait_applied(ours, worker, before + crossings)
    ahead = (due - wall_clock()) / 1_000_000
    if ahead < WARM_UP:
        raise BenchError(f"the wave's own events took so long that it is due in {ahead:.1f} s")
    wave = Wave(due)
    path = classifier(f"the classifier, during a wave of {crossings:,} crossings", wave.heard)
    longer = Pacing((rate,), ahead + pacing.seconds, pacing.customers, pacing.events)
    pace = pace_of(longer, ours, rate, _LAST_TURN)
    waits = run(path, ours, pace)
    if wave.seen < crossings:
        raise BenchError(f"only {wave.seen:,} of {crossings:,} crossings came")
    say(f"the last of {crossings:,} crossings came {(wave.last / 1000 - due) / 1_000_000:.2f} s after they were due")
    during = [took for sent, took in waits if due * 1000 <= sent <= wave.last]
    return judged(path, pace, during, pace.probes - len(waits))


def _rebalance(ours: Installation, pacing: Pacing, rate: int) -> Latency:
    """Probes sent from just before a second worker starts until it has left again and all is quiet."""
    path = classifier("the classifier, while a second worker joins and leaves")
    window: list[int] = []

    async def join_and_leave() -> None:
        await asyncio.sleep(WARM_UP)
        window.append(time.time_ns())
        second = await asyncio.to_thread(ours.start_worker)
        await _until_owners(ours, 2)
        await asyncio.sleep(_STAY)
        await asyncio.to_thread(second.stop)
        await asyncio.sleep(_QUIET)
        window.append(time.time_ns())

    longer = Pacing((rate,), pacing.seconds + _STAY + _JOINING / 2, pacing.customers, pacing.events)
    pace = pace_of(longer, ours, rate, _LAST_TURN + 1)
    waits = run(path, ours, pace, join_and_leave)
    during = [took for sent, took in waits if window[0] <= sent <= window[1]]
    return judged(path, pace, during, pace.probes - len(waits))


async def _until_owners(ours: Installation, count: int) -> None:
    """Wait until so many workers say that they own shards."""
    end = time.monotonic() + _JOINING
    while True:
        signs: Any = await asyncio.to_thread(ours.redis.hgetall, WORKERS)
        if sum(bool(orjson.loads(sign)["shards"]) for sign in signs.values()) >= count:
            return
        if time.monotonic() > end:
            raise BenchError("the second worker got no shard")
        await asyncio.sleep(0.1)
