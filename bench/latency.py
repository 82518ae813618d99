"""How long it takes from an event to the segment change that it causes, as a subscriber sees it, at an even pace."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.load import LoadPlan, generate
from bench.pacing import Pace, sent_at
from bench.system import PARTITIONS, PATIENCE, BenchError, Installation, ensure_alive, say, servers
from schemas.names import REROUTED, SEGMENT_CHANGES
from streams.clock import wall_clock
from streams.stacks.guarded import GuardedProcess

WARM_UP = 5.0
"""Seconds at the beginning that do not count."""
PROBE_EVERY = 5
_STRAGGLERS = 20.0
_NEW = 100_000_000
_MS = 1_000_000

THROUGH = "the classifier"
"""The path that is measured; the other one is the floor."""
FLOOR = "a plain topic"

Waits = list[tuple[int, int]]
"""(when a probe was sent, how long it took), nanoseconds."""
Meanwhile = Callable[[], Coroutine[Any, Any, None]]
"""What happens while events are sent."""


@dataclass(frozen=True)
class Latency:
    """One run: milliseconds from the producer's hand-over to Kafka's client until the subscriber has the message.

    Attributes:
        path: what lies between.
        rate: events a second.
        probes: how many were measured.
        missing: probes whose change never came.
    """

    path: str
    rate: int
    probes: int
    missing: int
    p50: float
    p99: float
    p999: float
    worst: float


@dataclass(frozen=True)
class Pacing:
    """What is to be measured.

    Attributes:
        rates: events a second, each for `seconds`.
        customers: known customers, who got `events` events before.
    """

    rates: tuple[int, ...]
    seconds: float
    customers: int
    events: int


@dataclass(frozen=True)
class Path:
    """What lies between a producer and a subscriber.

    Attributes:
        name: what to call it.
        topic: what the subscriber reads, without the prefix.
        id_of: the id of the event that made a message, or None.
        heard: is shown every message, and when it came in nanoseconds.
    """

    name: str
    topic: str
    id_of: Callable[[Any], str | None]
    heard: Callable[[Any, int], None] | None = None


def measure(pacing: Pacing) -> Iterator[Latency]:
    """For each rate: through a plain topic, which is the least that can be measured here, and through the classifier.

    Raises:
        BenchError: a run could not be made.
    """
    with servers() as both:
        ours, floor = both.install(), both.install()
        worker = warmed(ours, pacing)
        for turn, rate in enumerate(pacing.rates):
            yield along(plain(), floor, pace_of(pacing, floor, rate, turn, REROUTED))
            yield along(classifier(), ours, pace_of(pacing, ours, rate, turn))
            ensure_alive(worker)


def plain() -> Path:
    """Nothing: a topic that is written and read."""
    return Path(FLOOR, REROUTED, lambda body: str(body["id"]))


def classifier(name: str = THROUGH, heard: Callable[[Any, int], None] | None = None) -> Path:
    """Our worker with the shipped definitions."""
    return Path(name, SEGMENT_CHANGES, _id_of_cause, heard)


def warmed(ours: Installation, pacing: Pacing) -> GuardedProcess:
    """A worker that has applied the events of before.

    Raises:
        BenchError: it does not come to that.
    """
    ours.empty()
    ours.fill(generate(LoadPlan(pacing.events, pacing.customers, wall_clock())))
    worker = ours.start_worker()
    wait_applied(ours, worker, pacing.events)
    return worker


def pace_of(pacing: Pacing, at: Installation, rate: int, turn: int, topic: str = "") -> Pace:  # noqa: D417 # see Pace
    """The pace of a turn; each turn has new customers of its own.

    Args:
        topic: where everything goes; empty: each event to its own topic.
    """
    return Pace(
        kafka=at.bootstrap,
        prefix=at.prefix,
        rate=rate,
        seconds=pacing.seconds + WARM_UP,
        probe_every=PROBE_EVERY,
        customers=pacing.customers,
        first_new=_NEW * (turn + 1),
        topic=topic,
    )


def wait_applied(ours: Installation, worker: GuardedProcess, events: int) -> None:
    """Return when a worker has applied so many events.

    Raises:
        BenchError: it ends, or it does not come to that.
    """
    say(f"{events:,} events of before are being applied")
    end = time.monotonic() + PATIENCE
    while ours.applied() < events or ours.due(wall_clock()) or ours.unrelayed():
        ensure_alive(worker)
        if time.monotonic() > end:
            raise BenchError("gave up waiting for the events of before")
        time.sleep(0.1)


def along(path: Path, at: Installation, pace: Pace) -> Latency:
    """What a whole run of a path shows, without its beginning."""
    waits = run(path, at, pace)
    began = min((sent for sent, _took in waits), default=0)
    missing = pace.probes - len(waits)
    return judged(path, pace, [took for sent, took in waits if sent >= began + WARM_UP * 1e9], missing)


def judged(path: Path, pace: Pace, counted: list[int], missing: int) -> Latency:
    """The figures of so many waits, which are said.

    Raises:
        BenchError: there are none.
    """
    if not counted:
        raise BenchError(f"no probe came through {path.name}")
    p50, p99, p999 = (percentile(counted, share) / _MS for share in (0.5, 0.99, 0.999))
    latency = Latency(path.name, pace.rate, len(counted), missing, p50, p99, p999, max(counted) / _MS)
    say(
        f"{latency.rate}/s through {latency.path}: p50 {latency.p50:.1f} ms, p99 {latency.p99:.1f} ms, "
        f"p99.9 {latency.p999:.1f} ms; {latency.missing} of {latency.probes} missing"
    )
    return latency


def run(path: Path, at: Installation, pace: Pace, meanwhile: Meanwhile | None = None) -> Waits:
    """Send at a pace, and subscribe to what comes of it.

    Raises:
        BenchError: the pace could not be kept.
    """
    waits, producer = uvloop.run(_subscribe(path, at, pace, meanwhile))
    _check(producer)
    return waits


async def _subscribe(
    path: Path, at: Installation, pace: Pace, meanwhile: Meanwhile | None
) -> tuple[Waits, GuardedProcess]:
    """Read a topic from its end while the pace is sent; ends when every probe has come, or none comes any more."""
    consumer = AIOKafkaConsumer(bootstrap_servers=at.bootstrap, isolation_level="read_committed")
    await consumer.start()
    waits: Waits = []
    aside: asyncio.Task[None] | None = None
    try:
        partitions = [TopicPartition(at.prefix + path.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        await asyncio.gather(*(consumer.position(partition) for partition in partitions))
        command = [sys.executable, "-m", "bench.pacing", msgspec.json.encode(pace).decode()]
        producer = at.start("pacing", command)
        aside = asyncio.create_task(meanwhile()) if meanwhile else None
        end = time.monotonic() + pace.seconds + _STRAGGLERS
        while len(waits) < pace.probes and time.monotonic() < end:
            batches = await consumer.getmany(timeout_ms=100)
            arrived = time.time_ns()
            for records in batches.values():
                _take(path, [orjson.loads(record.value) for record in records], arrived, waits)
        if aside:
            await aside
    finally:
        if aside:
            aside.cancel()
            with suppress(asyncio.CancelledError):
                await aside
        await consumer.stop()
    return waits, producer


def _take(path: Path, bodies: list[Any], arrived: int, waits: Waits) -> None:
    for body in bodies:
        if path.heard is not None:
            path.heard(body, arrived)
        sent = sent_at(path.id_of(body))
        if sent is not None:
            waits.append((sent, arrived - sent))


def _check(producer: GuardedProcess) -> None:
    end = time.monotonic() + _STRAGGLERS
    while producer.is_alive() and time.monotonic() < end:
        time.sleep(0.05)
    log = producer.log.read_text()
    if "Error" in log:
        raise BenchError(f"the producer failed: {log[-2000:]}")


def _id_of_cause(body: Any) -> str | None:
    event_id: str | None = body["cause"]["event_id"] if body["segment"] == "first_time_buyer" else None
    return event_id


def percentile(values: list[int], share: float) -> int:
    """The smallest value that at least `share` of all values do not exceed.

    >>> percentile([4, 1, 3, 2], 0.5)
    2
    """
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]
