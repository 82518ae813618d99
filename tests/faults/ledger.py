"""The independent subscriber: a plain consumer of the change stream, and the ledger that it keeps."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from zlib import crc32

import orjson
from confluent_kafka import Consumer, TopicPartition

Members = dict[str, set[str]]

_PATIENCE = 30.0
_RESOLUTION = 1e-3


@dataclass
class Ledger:
    """What a subscriber knows that drops every sequence of a shard which it has seen. Not one rule of ours is in it."""

    inside: Members = field(default_factory=dict)
    """Segment -> who is in it."""
    latest: dict[int, int] = field(default_factory=dict)
    """Shard -> the latest sequence."""
    changes: int = 0
    """Changes taken: every one once."""
    repeated: int = 0
    """Changes that came again and were dropped."""
    causes: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    """The most sequences that were left out in a row; must be 0."""
    faults: list[str] = field(default_factory=list)
    """What must not be: gaps, one sequence with two contents, who enters twice."""
    arrivals: dict[int, list[float]] = field(default_factory=dict)
    """Shard -> when changes came, by the monotonic clock; one entry per millisecond at the most."""
    _bodies: dict[tuple[int, int], int] = field(default_factory=dict)

    def take(self, partition: int, value: bytes, now: float) -> None:
        """One message of the change stream."""
        change = orjson.loads(value)
        shard, sequence = change["shard"], change["sequence"]
        if shard != partition:
            self.faults.append(f"shard {shard} writes to partition {partition}")
        last = self.latest.get(shard, 0)
        if sequence <= last:
            self._again(shard, sequence, value)
            return
        if sequence != last + 1:
            self.skipped = max(self.skipped, sequence - last - 1)
            self.faults.append(f"shard {shard}: {last} is followed by {sequence}")
        self.latest[shard] = sequence
        self._bodies[shard, sequence] = crc32(value)
        self.changes += 1
        kind = change["cause"]["kind"]
        self.causes[kind] = self.causes.get(kind, 0) + 1
        arrivals = self.arrivals.setdefault(shard, [])
        if not arrivals or now - arrivals[-1] > _RESOLUTION:
            arrivals.append(now)
        self._apply(change)

    def _again(self, shard: int, sequence: int, value: bytes) -> None:
        self.repeated += 1
        if self._bodies.get((shard, sequence)) != crc32(value):
            self.faults.append(f"shard {shard}: sequence {sequence} came again with another content")

    def _apply(self, change: dict[str, Any]) -> None:
        who = change["customer_id"] or f"anonymous:{change['anonymous_id']}"
        members = self.inside.setdefault(change["segment"], set())
        enters = change["type"] == "segment.entered"
        if enters == (who in members):
            verb = "enters" if enters else "leaves"
            at = f"shard {change['shard']} sequence {change['sequence']}"
            self.faults.append(f"{who} {verb} {change['segment']} twice ({at}, cause {change['cause']['kind']})")
        (members.add if enters else members.discard)(who)

    def longest_gap(self, start: float, end: float) -> float:
        """The longest time without a change between two instants of the monotonic clock, in seconds."""
        return _longest(sorted(at for arrivals in self.arrivals.values() for at in arrivals), start, end)

    def longest_silence(self, start: float, end: float) -> float:
        """The same of a single shard: of the one that was silent for longest."""
        return max((_longest(arrivals, start, end) for arrivals in self.arrivals.values()), default=end - start)


def _longest(arrivals: list[float], start: float, end: float) -> float:
    moments = [start, *(at for at in arrivals if start < at < end), end]
    return max(later - earlier for earlier, later in pairwise(moments))


class Subscriber:
    """Fills a ledger from Kafka, in a thread of its own."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        """Reads from the beginning."""
        self.ledger = Ledger()
        self._topic, self._partitions = topic, partitions
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "faults-subscriber",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "reconnect.backoff.max.ms": 500,
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )
        self._told = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, name="subscriber", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._consumer.assign([TopicPartition(self._topic, number, 0) for number in range(self._partitions)])
        self._thread.start()

    def stop(self) -> Ledger:
        """Stop reading; the ledger.

        Raises:
            BaseException: whatever ended it before.
        """
        self._told.set()
        self._thread.join(_PATIENCE)
        self._consumer.close()
        if self._failure is not None:
            raise self._failure
        return self.ledger

    def _guarded(self) -> None:
        try:
            self._read(lambda: not self._told.is_set())
        except BaseException as failure:  # noqa: BLE001 # raised again where it is waited for
            self._failure = failure

    def _read(self, go_on: Callable[[], bool]) -> None:
        while go_on():
            for message in self._consumer.consume(500, 0.05):
                if message.error() is None:
                    self.ledger.take(message.partition(), message.value(), time.monotonic())


def read_all(bootstrap: str, topics: list[str], partitions: int) -> list[tuple[str, int, int, bytes]]:
    """Every message of some topics: (topic, partition, offset, value).

    Raises:
        TimeoutError: Kafka did not give them.
    """
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "faults-reader", "log_level": 0})
    try:
        places = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        ends = {(tp.topic, tp.partition): consumer.get_watermark_offsets(tp, _PATIENCE)[1] for tp in places}
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in ends])
        rows: list[tuple[str, int, int, bytes]] = []
        end = time.monotonic() + _PATIENCE
        while len(rows) < sum(ends.values()):
            if time.monotonic() > end:
                raise TimeoutError(f"{len(rows)} of {sum(ends.values())} messages could be read")
            rows += [
                (message.topic(), message.partition(), message.offset(), message.value() or b"")
                for message in consumer.consume(2_000, 0.2)
                if message.error() is None
            ]
        return rows
    finally:
        consumer.close()
