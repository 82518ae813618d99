"""Versions of the model parameters: which of them count, and how one is published."""

import logging
from dataclasses import dataclass, field

import pytest

from schemas.parameters import ModelParameters
from streams.core.predict.library import ModelLibrary
from streams.models import Models
from tests.models import CDNOW, parameters


@dataclass
class Topic:
    """`streams.models.Log` in memory, one reader's."""

    records: list[bytes | None] = field(default_factory=list)
    read_so_far: int = 0
    rival: ModelParameters | None = None
    """Is there first when the next one is appended."""

    async def read(self) -> list[bytes | None]:
        found, self.read_so_far = self.records[self.read_so_far :], len(self.records)
        return found

    async def append(self, key: str, value: bytes) -> None:
        assert key
        if self.rival is not None:
            self.records.append(self.rival.model_dump_json().encode())
            self.rival = None
        self.records.append(value)

    async def close(self) -> None:
        pass


def plain(found: ModelParameters | None) -> ModelParameters | None:
    """But for the id, which is another for each message."""
    return None if found is None else found.model_copy(update={"id": ""})


def row(version: int, r: float = 0.243) -> bytes:
    return parameters(version=version, r=r).model_dump_json().encode()


async def test_what_is_published_gets_the_next_number() -> None:
    topic = Topic()
    models = Models(topic)
    first = await models.publish(CDNOW)
    assert plain(first) == CDNOW.model_copy(update={"version": 1})
    second = await models.publish(parameters(r=0.5))
    assert second == models.latest
    assert plain(second) == parameters(version=2, r=0.5)
    assert first is not None
    assert second is not None
    assert first.id != second.id
    again = Models(Topic(topic.records))
    assert again.latest is None
    await again.refresh()
    assert [found.version for found in again.library.versions] == [1, 2]
    assert again.library.find(1) == first
    assert again.library.find(3) is again.library.find(0) is None


async def test_of_two_that_are_published_at_once_the_first_counts_for_everybody() -> None:
    topic = Topic(rival=parameters(version=1, r=0.7))
    models = Models(topic)
    assert await models.publish(CDNOW) is None
    assert models.latest == parameters(version=1, r=0.7)
    assert plain(await models.publish(CDNOW)) == parameters(version=2)


async def test_a_message_that_does_not_count_is_told_of_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    models = Models(Topic([row(4), b"rubbish", None, row(0), row(4), row(6), row(5)]))
    with caplog.at_level(logging.ERROR):
        await models.refresh()
    assert [found.version for found in models.library.versions] == [4, 5]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 5
    assert told[3].endswith("version 4 came where 5 was next; somebody else's was first")


def test_the_first_version_may_have_any_number() -> None:
    library = ModelLibrary()
    assert (library.last, library.next) == (None, 1)
    assert library.feed(row(7)) is None
    assert library.next == 8
