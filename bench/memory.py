"""Bytes of Redis per customer, and which keys they are in."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench.checking import stored
from bench.load import LoadPlan, generate
from bench.system import PARTITIONS, PATIENCE, BenchError, Installation, ensure_alive, redis_info, say, servers
from bench.usage import peak_memory, redis_bytes
from streams.clock import wall_clock
from streams.state import keys

_SAMPLE = 2_000
_HASHES = {"profiles": keys.profiles_key, "live": keys.live_key}


@dataclass(frozen=True)
class Memory:
    """What a run left in Redis.

    Attributes:
        per_customer: bytes that Redis has allocated beyond those of the empty server, without the worker.
        groups: kind of key -> bytes per customer by `MEMORY USAGE`.
        values: kind of key -> mean bytes of a stored value alone, and how many values there are per customer.
        memberships: segments that a customer is in, on average.
        waiting: transitions still in the outbox.
        whole: bytes that Redis has allocated in all, the empty server included.
        resident: bytes of the Redis process that are resident.
        worker_peak: the most bytes of the worker that were ever resident.
    """

    customers: int
    events: int
    per_customer: float
    groups: dict[str, float]
    values: dict[str, tuple[float, float]]
    memberships: float
    waiting: int
    whole: int
    resident: int
    worker_peak: int


def measure(customers: int, events_each: int = 10) -> Memory:
    """Have a worker apply `events_each` events of each customer, and look at what Redis holds then.

    Raises:
        BenchError: it could not be done.
    """
    plan = LoadPlan(customers * events_each, customers, wall_clock(), exact=True)
    with servers() as both:
        ours = both.install()
        ours.empty()
        empty = redis_bytes(ours.redis)
        say(f"memory: {plan.events:,} events of {customers:,} customers")
        ours.fill(generate(plan))
        worker = ours.start_worker(clock_at=str(plan.until))
        end = time.monotonic() + PATIENCE
        while ours.applied() < plan.events or ours.due(plan.until) or ours.unrelayed():
            ensure_alive(worker)
            if time.monotonic() > end:
                raise BenchError("gave up waiting for the events to be applied")
            time.sleep(0.1)
        worker_peak = peak_memory(worker.pid)
        worker.stop()
        memory = Memory(
            customers=customers,
            events=plan.events,
            per_customer=(redis_bytes(ours.redis) - empty) / customers,
            groups={kind: size / customers for kind, size in _groups(ours).items()},
            values=_values(ours, customers),
            memberships=sum(map(len, stored(ours.redis).values())) / customers,
            waiting=sum(ours.redis.xlen(keys.outbox_key(shard)) for shard in range(PARTITIONS)),
            whole=redis_bytes(ours.redis),
            resident=int(redis_info(ours.redis)["used_memory_rss"]),
            worker_peak=worker_peak,
        )
    say(f"memory: {memory.per_customer:.0f} bytes per customer")
    return memory


def _groups(ours: Installation) -> dict[str, int]:
    """Kind of key -> bytes of all keys of that kind, exactly counted."""
    sizes: Counter[str] = Counter()
    for name in ours.redis.scan_iter():
        kind = name.decode().partition(":")[2].partition(":")[0]
        used: Any = ours.redis.memory_usage(name, samples=0)
        sizes[kind] += used or 0
    return dict(sizes.most_common())


def _values(ours: Installation, customers: int) -> dict[str, tuple[float, float]]:
    found = {}
    for kind, key in _HASHES.items():
        rows: Any = ours.redis.hrandfield(key(0), _SAMPLE, withvalues=True)
        count = sum(ours.redis.hlen(key(shard)) for shard in range(PARTITIONS))
        sizes = [len(value) for value in rows[1::2]]
        found[kind] = (sum(sizes) / max(1, len(sizes)), count / customers)
    return found
