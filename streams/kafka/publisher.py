"""A producer of events for tools: fast, keyed as every producer should key."""

from typing import Any

from confluent_kafka import KafkaError, Message, Producer

_TIMEOUT = 60.0


class Publisher:
    """Sends events with librdkafka, to the partition that Kafka's default partitioner chooses."""

    def __init__(self, bootstrap: str, topic_prefix: str = "", **options: Any) -> None:
        """Connects in the background; `options` are librdkafka's."""
        self._prefix = topic_prefix
        self._failures: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "queue.buffering.max.messages": 500_000,
                "message.max.bytes": 16 * 1024 * 1024,
                "message.timeout.ms": int(_TIMEOUT * 1000),
                **options,
            }
        )

    def send(self, topic: str, key: str, value: bytes, timestamp: int | None = None) -> None:
        """Queue one message; waits when the queue is full. `timestamp` is in milliseconds."""
        extra = {} if timestamp is None else {"timestamp": timestamp}
        while True:
            try:
                self._producer.produce(self._prefix + topic, value, key or None, on_delivery=self._delivered, **extra)
            except BufferError:
                self._producer.poll(0.1)
            else:
                break
        self._producer.poll(0)

    def finish(self) -> list[str]:
        """Wait until Kafka has everything; what went wrong, one sentence per failed message."""
        left = self._producer.flush(_TIMEOUT)
        return self._failures + [f"{left} messages were not delivered in {_TIMEOUT:g} s"] * (left > 0)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failures.append(f"{message.topic()}: {error.str()}")
