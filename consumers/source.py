"""Where changes come from, as the subscription needs it: partitions that come and go, records, a place for letters."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from schemas.instants import Instant


class Record(NamedTuple):
    """One message of the change stream."""

    offset: int
    value: bytes


class Source(Protocol):
    """A change stream, read by the members of a group, each of its shards by one of them."""

    topic: str
    """Its whole name."""

    async def start(
        self, assigned: Callable[[Collection[int]], Awaitable[None]], revoked: Callable[[Collection[int]], None]
    ) -> None:
        """Join the group; `assigned` seeks, and nothing of those shards is read before it has returned."""

    async def begin(self, shards: Collection[int], since: Instant | None, *, from_committed: bool) -> Mapping[int, int]:
        """Where shards begin that have no position.

        At the group's committed offset if that is wanted and there is one, else at the first record of that time or
        later; `since` None is the end.
        """

    async def seek(self, offsets: Mapping[int, int]) -> None:
        """Go on reading there."""

    async def poll(self, seconds: float) -> Mapping[int, Sequence[Record]]:
        """The next records by shard; empty if there are none for so long.

        Raises:
            ConsumerError: reading cannot go on; a restart goes on where the positions are.
        """

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Tell monitors how far the group has come; it may fail, and nobody is told."""

    async def send_letter(self, shard: int, letter: bytes) -> None:
        """Send a dead letter; it is in Kafka when this returns.

        Raises:
            UnavailableError: Kafka did not take it.
        """

    async def stop(self) -> None:
        """Leave the group."""
