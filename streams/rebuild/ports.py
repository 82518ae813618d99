"""The ports of a shard that is made beside the live one: it reads what was, and says nothing."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass

from schemas.deadletters import DeadLetter
from streams.shard.port import Forward, History, Sink
from streams.state.port import Outgoing, StateError


@dataclass(frozen=True)
class MutedSink:
    """`streams.shard.port.Sink` without changes. What is refused or forwarded for the first time is sent."""

    sink: Sink
    last: int
    """The latest change in Kafka: an empty state that hears of it makes itself anew in silence."""

    async def tail(self, shard: int) -> int:
        """See `Sink.tail`."""
        del shard
        return self.last

    async def send_changes(self, shard: int, rows: Sequence[Outgoing]) -> Awaitable[None]:
        """Never called while a shard is silent."""
        raise StateError(f"shard {shard} is being rebuilt, and would say {len(rows)} changes; it must be silent")

    async def send_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See `Sink.send_dead_letters`."""
        await self.sink.send_dead_letters(letters)

    async def send_forwards(self, forwards: Sequence[Forward]) -> None:
        """See `Sink.send_forwards`."""
        await self.sink.send_forwards(forwards)


@dataclass(frozen=True)
class Past:
    """`streams.shard.port.History` as a rebuild sees it."""

    history: History
    settled_to: Mapping[str, int] | None
    """Input topic -> up to where all that had to be forwarded was; as the history says if not given."""
    incomplete: bool
    """Take what Kafka still has for all there ever was."""

    async def bounds(self, shard: int) -> dict[str, tuple[int, int]]:
        """See `History.bounds`."""
        bounds = await self.history.bounds(shard)
        return {topic: (0 if self.incomplete else first, end) for topic, (first, end) in bounds.items()}

    async def settled(self, shard: int) -> dict[str, int]:
        """See `History.settled`."""
        return await self.history.settled(shard) if self.settled_to is None else dict(self.settled_to)

    async def refused(self, shard: int) -> set[tuple[str, int]]:
        """See `History.refused`."""
        return await self.history.refused(shard)

    def changes(self, shard: int, after: int) -> AsyncIterator[bytes]:
        """See `History.changes`."""
        return self.history.changes(shard, after)


class NoInputs:
    """`streams.shard.port.Inputs` of a shard that never settles by the clock."""

    def end(self, topic: str, shard: int) -> int | None:
        """See `Inputs.end`."""
        del topic, shard
        return None
