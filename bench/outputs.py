"""What came out: the changes on a topic as sequences of each customer, and whether Kafka has all of them."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from bench.mini import Flip
from bench.system import PARTITIONS, BenchError
from schemas.transitions import CauseKind

_TIMEOUT = 30.0
_MANY, _PAUSE = 10_000, 0.1


class _Cause(msgspec.Struct):
    kind: str
    event_id: str | None


class _Told(msgspec.Struct):
    """A change, as ours or a peer's program writes it."""

    type: str
    segment: str
    customer_id: str
    event_id: str | None = None
    cause: _Cause | None = None


_decode = msgspec.json.Decoder(_Told).decode


@dataclass
class Heard:
    """What a subscriber heard.

    Attributes:
        flips: customer -> their changes, in the order in which they stand on the topic.
        late: how many of them an event, other than a refund, made that came after a later one of the same customer.
    """

    flips: dict[str, list[Flip]] = field(default_factory=dict)
    late: int = 0


def hear(values: Iterable[bytes]) -> Heard:
    """All changes of a topic."""
    heard = Heard()
    for value in values:
        told = _decode(value)
        event_id = told.event_id
        if told.cause is not None:
            event_id = told.cause.event_id
            heard.late += told.cause.kind == CauseKind.LATE_EVENT
        flip = Flip(told.segment, told.type == "segment.entered", event_id or "")
        heard.flips.setdefault(told.customer_id, []).append(flip)
    return heard


def committed(bootstrap: str, topic: str) -> Iterator[bytes]:
    """The values of all messages on a topic that no open or given-up transaction wrote, each partition in order.

    Raises:
        BenchError: Kafka does not answer, or says that something is wrong.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-outputs",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 3,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
        open_partitions, end = PARTITIONS, time.monotonic() + _TIMEOUT
        while open_partitions:
            messages = consumer.consume(_MANY, _PAUSE)  # waits for as many as that, or for as long
            if messages:
                end = time.monotonic() + _TIMEOUT
            elif time.monotonic() > end:
                raise BenchError(f"nothing came of {topic} for {_TIMEOUT:.0f} s")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message.value() or b""
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 # it has no other name
                    open_partitions -= 1
                else:
                    raise BenchError(f"{topic} could not be read: {error}")
    finally:
        consumer.close()


class Ends:
    """How far a topic has got."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        """Connects in the background."""
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]

    def written(self) -> list[int]:
        """The end of each partition."""
        return self._ask(IsolationLevel.READ_UNCOMMITTED)

    def stable(self) -> list[int]:
        """The end of what each partition has of transactions that are over."""
        return self._ask(IsolationLevel.READ_COMMITTED)

    def _ask(self, isolation: Any) -> list[int]:
        latest = {partition: OffsetSpec.latest() for partition in self._partitions}
        answers = self._admin.list_offsets(latest, isolation_level=isolation, request_timeout=_TIMEOUT)
        return [answers[partition].result().offset for partition in self._partitions]
