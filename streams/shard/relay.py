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

    def __init__(self, shard: int, sink: Sink, is_awake: Callable[[], bool]) -> None:
        """Nothing has been sent yet. Once `is_awake` says no, nothing more is."""
        self._shard = shard
        self._sink = sink
        self._is_awake = is_awake
        self._taken = 0
        """The latest sequence that was handed to the relay, or that Kafka had before."""
        self._waiting: list[Outgoing] = []
        self._pump: asyncio.Task[None] | None = None
        self._stopped = False
        self.relayed = 0
        """The latest sequence that Kafka has for certain."""
        self.noted = 0
        """The latest sequence that the store knows to be relayed."""

    async def open(self, owned: Ownership, tail: int) -> None:
        """Take over: send what Kafka has not. `tail` is the latest sequence in the shard's partition, read since."""
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        self._waiting = []
        self._taken = self.relayed = max(tail, owned.relayed)
        self.noted = owned.relayed
        await self.send(owned.outbox)
        await self.drain()

    async def send(self, rows: Sequence[Outgoing]) -> None:
        """Send transitions that were just committed; comes back before Kafka has them."""
        if self._stopped:
            return
        await self._surface()
        self._waiting += [row for row in rows if row.sequence > self._taken]
        if not self._waiting:
            return
        self._taken = self._waiting[-1].sequence
        if self._pump is None or self._pump.done():
            self._pump = asyncio.ensure_future(self._send_waiting())
        if self._taken - self.relayed > MAX_WAITING:
            await self.drain()

    async def _send_waiting(self) -> None:
        """One send after the other: a producer that keeps order has one batch of a partition under way at a time.

        So what is committed meanwhile goes together; batch by batch it would queue up behind itself.
        """
        while self._waiting and self._is_awake():
            rows, self._waiting = self._waiting, []
            await (await self._sink.send_changes(self._shard, rows))
            self.relayed = rows[-1].sequence

    async def _surface(self) -> None:
        """Raise what an earlier send failed with."""
        if self._pump is not None and self._pump.done():
            await self.drain()

    def stop(self) -> None:
        """Send nothing more: the shard is given up, and what waits is in the outbox for whoever takes it next.

        If the store has lost it, too, it was never said; sent now, it would get in the way of what is said instead.
        """
        self._stopped = True
        if self._pump is not None:
            self._pump.cancel()

    async def drain(self) -> None:
        """Wait until Kafka has everything that was sent.

        Raises:
            KafkaError: it could not be sent; what was committed stays in the outbox.
        """
        pump = self._pump
        if pump is not None:
            await asyncio.wait([pump])
            if not pump.cancelled():  # it was, if the shard was given up meanwhile
                pump.result()

    async def note(self, commit: Callable[[], Awaitable[None]]) -> None:
        """Have the relayed sequence written down if it moved since the last time. Also surfaces a failed send."""
        await self._surface()
        if self.relayed > self.noted:
            await commit()
