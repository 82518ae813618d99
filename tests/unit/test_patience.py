"""A consumer whose brokers are gone does not ask for them without a pause."""

import asyncio
from collections.abc import Iterator

import pytest

from streams.kafka.patience import RETRY_WAIT_S, make_patient


class Client:
    """aiokafka's, as far as it asks where partitions are."""

    def __init__(self, answers: Iterator[bool]) -> None:
        self._answers = answers

    async def _metadata_update(self, _cluster: object, _topics: object) -> bool:
        return next(self._answers)


async def test_a_client_waits_only_after_nobody_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    client = Client(iter([True, False, False, True]))
    make_patient(client)
    answers = [await client._metadata_update(None, None) for _ in range(4)]
    assert answers == [True, False, False, True]
    assert waits == [RETRY_WAIT_S] * 2


def test_the_client_is_asked_by_the_name_that_aiokafka_calls() -> None:
    from aiokafka.client import AIOKafkaClient  # noqa: PLC0415 # only here

    assert asyncio.iscoroutinefunction(AIOKafkaClient._metadata_update)
