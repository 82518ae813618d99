"""What a shard needs of Kafka and of time."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.deadletters import DeadLetter
from schemas.instants import Instant
from streams.core.definitions import Definitions
from streams.state.port import Outgoing

Clock = Callable[[], Instant]
"""The time that crossings are measured by: the wall clock, or event time in a replay."""


class Record(Protocol):
    """One message as it was read; aiokafka's records are such, so none has to be copied."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def key(self) -> bytes | None:
        """The producer's key."""

    @property
    def timestamp(self) -> int | None:
        """When it was produced, milliseconds; None where Kafka does not know."""

    @property
    def value(self) -> bytes | None:
        """The message itself; None is a tombstone, which no input should have."""


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """A run of records of one partition, and the ownership that it was read under."""

    topic: str
    shard: int
    epoch: int
    start: int
    """The offset that reading was at: the one after the batch before."""
    end: int
    """The offset after the last record."""
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Forward:
    """An event that belongs to another shard, as it was read."""

    shard: int
    key: bytes
    value: bytes


class Sink(Protocol):
    """Where a shard's output goes."""

    async def tail(self, shard: int) -> int:
        """The sequence of the latest transition in the shard's partition of `segment-changes`; 0 if there is none.

        Whatever this worker itself has sent there before has arrived or failed by then.
        """

    async def send_changes(self, shard: int, rows: Sequence[Outgoing]) -> Awaitable[None]:
        """Hand over transitions in order; what is returned ends when Kafka has them all."""

    async def send_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Send dead letters and wait until Kafka has them."""

    async def send_forwards(self, forwards: Sequence[Forward]) -> None:
        """Send events to `rerouted` and wait until Kafka has them."""


class Inputs(Protocol):
    """What a shard needs to know of its input partitions."""

    def end(self, topic: str, shard: int) -> int | None:
        """The offset after the last record that Kafka has, as far as known; None before the first fetch."""


class Versions(Protocol):
    """The versions of the definitions that have been published."""

    @property
    def latest(self) -> Definitions:
        """The latest that is known."""

    async def find(self, version: int) -> Definitions | None:
        """One of them; asks once more what there is where it is not known. None: there is none."""


class History(Protocol):
    """What Kafka knows of a shard's past; asked when the state has lost some of it, or all."""

    async def bounds(self, shard: int) -> dict[str, tuple[int, int]]:
        """Input topic -> (the first offset that Kafka still has, the one after the last)."""

    async def settled(self, shard: int) -> dict[str, int]:
        """Input topic -> an offset up to which all was applied once, so what had to be forwarded was."""

    async def refused(self, shard: int) -> set[tuple[str, int]]:
        """(input topic, offset) of every record that is in the dead letters."""

    def changes(self, shard: int, after: int) -> AsyncIterator[bytes]:
        """The changes of the shard with a greater sequence than `after`, in order, each once."""
