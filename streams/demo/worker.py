"""The demo's worker process: `segments worker` on the mock Kafka, told to ask it more often. Nothing imports it."""

import logging
from typing import Any

import aiokafka

from streams.run import run_worker
from streams.settings import Settings

_MAX_WAIT_MS = 20


class ImpatientConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc] # aiokafka is untyped
    """Waits for new records by asking again.

    A real broker answers a waiting fetch as soon as a record comes; the mock one lets it wait to its end, which Faust
    sets to 1.5 s and offers no setting for.
    """

    def __init__(self, *topics: str, **options: Any) -> None:
        """As aiokafka's own, with a short wait."""
        super().__init__(*topics, **options | {"fetch_max_wait_ms": _MAX_WAIT_MS})


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    # Faust's driver looks the class up in this module when it connects.
    aiokafka.AIOKafkaConsumer = ImpatientConsumer
    run_worker(Settings())
