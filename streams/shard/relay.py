"""The relay: sends committed transitions to Kafka, in order, and knows how far it has come.

What it sends is already committed, so a crash loses nothing: the next owner reads the outbox, looks at the tail of the
shard's partition, and sends only what is not there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from streams.shard.port import Sink
from streams.state.port import Outgoing, Ownership

MAX_WAITING = 20_000
"""Transitions on their way to Kafka; a shard waits when there are more."""


class Relay:
    """The relay of one shard."""

    def __init__(self, shard: int, sink: Sink) -> None:
        """Nothing has been sent yet."""
        self._shard = shard
        self._sink = sink
        self._sent = 0
        self._last: asyncio.Task[None] | None = None
        self.relayed = 0
        """The latest sequence that Kafka has for certain."""
        self.noted = 0
        """The latest sequence that the store knows to be relayed."""

    async def open(self, owned: Ownership) -> None:
        """Take over: find out what Kafka has, and send what it has not."""
        if self._last is not None:
            self._last.cancel()
            self._last = None
        tail = await self._sink.tail(self._shard)
        self._sent = max(tail, owned.relayed)
        self.relayed = self._sent
        self.noted = owned.relayed
        await self.send(owned.outbox)
        await self.drain()

    async def send(self, rows: Sequence[Outgoing]) -> None:
        """Send transitions that were just committed; comes back before Kafka has them."""
        await self._surface()
        rows = [row for row in rows if row.sequence > self._sent]
        if not rows:
            return
        if rows[-1].sequence - self.relayed > MAX_WAITING:
            await self.drain()
        on_the_way = await self._sink.send_changes(self._shard, rows)
        self._sent = rows[-1].sequence
        self._last = asyncio.ensure_future(self._arrive(self._last, on_the_way, self._sent))

    async def _arrive(self, before: "asyncio.Task[None] | None", on_the_way: Awaitable[None], sequence: int) -> None:
        if before is not None:
            await before
        await on_the_way
        self.relayed = sequence

    async def _surface(self) -> None:
        """Raise what an earlier send failed with."""
        if self._last is not None and self._last.done():
            await self._last

    async def drain(self) -> None:
        """Wait until Kafka has everything that was sent.

        Raises:
            KafkaError: it could not be sent; what was committed stays in the outbox.
        """
        if self._last is not None:
            await self._last

    async def note(self, commit: Callable[[], Awaitable[None]]) -> None:
        """Have the relayed sequence written down if it moved since the last time. Also surfaces a failed send."""
        await self._surface()
        if self.relayed > self.noted:
            await commit()
