"""How long it takes from an event to the segment change that it causes, as a subscriber sees it, at an even pace."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
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

Waits = list[tuple[int, int]]
"""(when a probe was sent, how long it took), nanoseconds."""


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


def measure(pacing: Pacing) -> Iterator[Latency]:
    """For each rate: through a plain topic, which is the least that can be measured here, and through the classifier.

    Raises:
        BenchError: a run could not be made.
    """
    with servers() as both:
        ours, floor = both.install(), both.install()
        ours.empty()
        ours.fill(generate(LoadPlan(pacing.events, pacing.customers, wall_clock())))
        worker = ours.start_worker()
        _wait_applied(ours, worker, pacing.events)
        for turn, rate in enumerate(pacing.rates):
            pace = Pace(
                kafka=ours.bootstrap,
                prefix=floor.prefix,
                rate=rate,
                seconds=pacing.seconds + WARM_UP,
                probe_every=PROBE_EVERY,
                customers=pacing.customers,
                first_new=_NEW * (turn + 1),
                topic=REROUTED,
            )
            yield _told(_run(floor, pace, REROUTED, _id_of_event, "a plain topic"))
            pace = msgspec.structs.replace(pace, prefix=ours.prefix, topic="")
            yield _told(_run(ours, pace, SEGMENT_CHANGES, _id_of_cause, THROUGH))
            ensure_alive(worker)


def _told(latency: Latency) -> Latency:
    say(
        f"{latency.rate}/s through {latency.path}: p50 {latency.p50:.1f} ms, p99 {latency.p99:.1f} ms, "
        f"p99.9 {latency.p999:.1f} ms; {latency.missing} of {latency.probes} missing"
    )
    return latency


def _wait_applied(ours: Installation, worker: GuardedProcess, events: int) -> None:
    say(f"{events:,} events of before are being applied")
    end = time.monotonic() + PATIENCE
    while ours.applied() < events or ours.due(wall_clock()) or ours.unrelayed():
        ensure_alive(worker)
        if time.monotonic() > end:
            raise BenchError("gave up waiting for the events of before")
        time.sleep(0.1)


def _run(at: Installation, pace: Pace, topic: str, id_of: Callable[[Any], str | None], path: str) -> Latency:
    waits, producer = uvloop.run(_subscribe(at, pace, topic, id_of))
    _check(producer)
    began = min((sent for sent, _took in waits), default=0)
    counted = [took for sent, took in waits if sent >= began + WARM_UP * 1e9]
    if not counted:
        raise BenchError(f"no probe came through {path}")
    return Latency(
        path=path,
        rate=pace.rate,
        probes=len(counted),
        missing=pace.probes - len(waits),
        p50=percentile(counted, 0.5) / _MS,
        p99=percentile(counted, 0.99) / _MS,
        p999=percentile(counted, 0.999) / _MS,
        worst=max(counted) / _MS,
    )


async def _subscribe(
    at: Installation, pace: Pace, topic: str, id_of: Callable[[Any], str | None]
) -> tuple[Waits, GuardedProcess]:
    """Read a topic from its end while the pace is sent; ends when every probe has come, or none comes any more."""
    consumer = AIOKafkaConsumer(bootstrap_servers=at.bootstrap)
    await consumer.start()
    waits: Waits = []
    try:
        partitions = [TopicPartition(at.prefix + topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        await asyncio.gather(*(consumer.position(partition) for partition in partitions))
        command = [sys.executable, "-m", "bench.pacing", msgspec.json.encode(pace).decode()]
        producer = at.start("pacing", command)
        end = time.monotonic() + pace.seconds + _STRAGGLERS
        while len(waits) < pace.probes and time.monotonic() < end:
            batches = await consumer.getmany(timeout_ms=100)
            arrived = time.time_ns()
            for records in batches.values():
                for record in records:
                    sent = sent_at(id_of(orjson.loads(record.value)))
                    if sent is not None:
                        waits.append((sent, arrived - sent))
    finally:
        await consumer.stop()
    return waits, producer


def _check(producer: GuardedProcess) -> None:
    end = time.monotonic() + _STRAGGLERS
    while producer.is_alive() and time.monotonic() < end:
        time.sleep(0.05)
    log = producer.log.read_text()
    if "Error" in log:
        raise BenchError(f"the producer failed: {log[-2000:]}")


def _id_of_event(body: Any) -> str | None:
    event_id: str | None = body["id"]
    return event_id


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
