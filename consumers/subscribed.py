"""A group's subscription at work. Knows ports only: where changes come from, and where positions are kept."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from pydantic import ValidationError

from consumers.errors import UnavailableError
from consumers.letters import Refusal, letter
from consumers.positions import Act, Position, Positions, nothing
from consumers.retrying import Retrying
from consumers.selection import Answer, Selection
from consumers.source import Record, Source
from schemas.instants import SECOND, Instant
from schemas.transitions import SegmentChange

State = TypeVar("State")
Handler = Callable[[SegmentChange, State], Awaitable[None]]
"""Carries out a change's effect on the state that its group's positions are kept with."""

_POLL = 0.2
"""Seconds that a poll waits; a stop waits for it."""
_SETTLE_EVERY = 1 * SECOND
"""Positions of changes that nobody wanted are stored this often: losing them costs reading them again."""
_log = logging.getLogger(__name__)


@dataclass
class Counts:
    """What became of the changes, since the start."""

    taken: int = 0
    other: int = 0
    """Of other segments or causes."""
    old: int = 0
    """Skipped: older than `max_age`."""
    repeated: int = 0
    """Delivered again, and dropped."""
    missed: int = 0
    """Sequences that were not in Kafka any more, by the gaps that they left."""
    letters: int = 0
    """Given up."""


@dataclass
class _Place:
    """How far we are in a shard that is ours."""

    sequence: int
    offset: int
    stored: bool = True


class Subscription(Generic[State]):
    """Changes that a group wants. Iterate it, or `run` a handler; once.

    The loop's change counts as done when the next one is asked for: after a crash, or a `break`, it comes again. A
    handler's effect and the position are stored in one transaction: it happens once. Either way changes of a shard
    come in order.
    """

    def __init__(  # its ports
        self,
        group: str,
        selection: Selection,
        source: Source,
        positions: Positions[State],
        retrying: Retrying,
        clock: Callable[[], Instant],
        since: Instant | None = None,
    ) -> None:
        """See `consumers.subscribe.subscribe`, which puts one together."""
        self.counts = Counts()
        self._group, self._selection, self._since = group, selection, since
        self._source, self._positions, self._retrying, self._clock = source, positions, retrying, clock
        self._from_committed = True
        self._places: dict[int, _Place] = {}
        self._shown: Mapping[int, int] = {}
        self._settled_at = 0

    def stop(self) -> None:
        """End after the change that is being worked on."""
        self._retrying.stopped.set()

    async def replay(self, since: Instant) -> None:
        """Before a start: forget the positions, and take all anew that was emitted at that instant or later.

        No member of the group may run meanwhile.
        """
        await self._positions.forget(self._group)
        self._since, self._from_committed = since, False

    async def run(self, handler: Handler[State], stop_on: Collection[signal.Signals] = ()) -> None:
        """Carry out the effect of every change until `stop`, or until one of those signals comes.

        A change whose handler fails `attempts` times goes to the dead letters. `UnavailableError` does not count.
        """
        with _signals(stop_on, self.stop):
            async with self._open():
                while not self._stopping():
                    batches = await self._source.poll(_POLL)
                    async with asyncio.TaskGroup() as group:
                        for shard, records in batches.items():
                            group.create_task(self._handle(shard, records, handler))
                    await self._settle()

    async def __aiter__(self) -> AsyncIterator[SegmentChange]:
        """Changes as they come, until `stop`."""
        async with self._open():
            while not self._stopping():
                for shard, records in (await self._source.poll(_POLL)).items():
                    async for change, place in self._wanted(shard, records):
                        yield change
                        self.counts.taken += await self._mark(shard, place)
                        if self._stopping():
                            break
                await self._settle()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        try:
            await self._source.start(self._assigned, self._revoked)
            yield
            with suppress(UnavailableError):  # it costs reading again what nobody wanted
                await self._settle(now=True)
        finally:
            await self._source.stop()

    def _stopping(self) -> bool:
        return self._retrying.stopped.is_set()

    async def _assigned(self, shards: Collection[int]) -> None:
        """Find where each shard goes on. Where a new one begins is stored: a crash must not move it."""
        found = await self._retrying.until_available(lambda: self._positions.load(self._group, shards))
        fresh = [shard for shard in shards if shard not in found]
        begin = await self._source.begin(fresh, self._since, from_committed=self._from_committed)
        for shard, offset in begin.items():
            found[shard] = Position(0, offset)
            store = partial(self._positions.once, self._group, shard, found[shard], nothing)
            await self._retrying.until_available(store)
        self._places |= {shard: _Place(at.sequence, at.offset) for shard, at in found.items()}
        await self._source.seek({shard: at.offset for shard, at in found.items()})

    def _revoked(self, shards: Collection[int]) -> None:
        for shard in shards:
            self._places.pop(shard, None)

    async def _handle(self, shard: int, records: Sequence[Record], handler: Handler[State]) -> None:
        values = {record.offset + 1: record.value for record in records}
        try:
            async for change, place in self._wanted(shard, records):
                try:
                    await self._effect(change, shard, place, handler)
                except UnavailableError:
                    raise
                except Exception as error:  # noqa: BLE001 # whatever it is, its change is given up, not the stream
                    await self._give_up(shard, place, values[place.offset], error)
        except UnavailableError:  # stopped meanwhile: the next start goes on with this change, so it is not settled
            self._places.pop(shard, None)

    async def _effect(self, change: SegmentChange, shard: int, place: _Place, handler: Handler[State]) -> None:
        async def act(state: State) -> None:
            await handler(change, state)

        is_new = await self._retrying.a_few_times(lambda: self._once(shard, place, act))
        self.counts.taken += is_new
        self.counts.repeated += not is_new

    async def _once(self, shard: int, place: _Place, act: Act[State]) -> bool:
        is_new = await self._positions.once(self._group, shard, Position(place.sequence, place.offset), act)
        place.stored = True
        return is_new

    async def _mark(self, shard: int, place: _Place) -> bool:
        """Store a position whose change has no effect, or had it already."""
        return await self._retrying.until_available(partial(self._once, shard, place, nothing))

    async def _wanted(self, shard: int, records: Sequence[Record]) -> AsyncIterator[tuple[SegmentChange, _Place]]:
        """The changes to be done, each with the place that is reached with it; ends when the shard is not ours."""
        place = self._places.get(shard)
        for record in records:
            if place is None or self._places.get(shard) is not place or self._stopping():
                return
            if record.offset < place.offset:
                continue
            try:
                change = SegmentChange.model_validate_json(record.value)
            except ValidationError as error:
                place.offset, place.stored = record.offset + 1, False
                await self._send_letter(shard, record.offset, record.value, Refusal.UNDECODABLE, error)
                continue
            if self._is_wanted(change, place, record.offset):
                yield change, place

    def _is_wanted(self, change: SegmentChange, place: _Place, offset: int) -> bool:
        """Move on to a change; whether it is to be done."""
        place.offset, place.stored = offset + 1, False
        if change.sequence <= place.sequence:
            self.counts.repeated += 1
            return False
        if place.sequence and change.sequence > place.sequence + 1:
            self.counts.missed += change.sequence - place.sequence - 1
            _log.warning(
                "%s: shard %d goes on at %d after %d", self._group, change.shard, change.sequence, place.sequence
            )
        place.sequence = change.sequence
        answer = self._selection.decide(change, self._clock())
        self.counts.other += answer is Answer.OTHER
        self.counts.old += answer is Answer.OLD
        return answer is Answer.TAKE

    async def _give_up(self, shard: int, place: _Place, value: bytes, error: Exception) -> None:
        await self._send_letter(shard, place.offset - 1, value, Refusal.HANDLER_FAILED, error)
        await self._mark(shard, place)

    async def _send_letter(self, shard: int, offset: int, value: bytes, reason: Refusal, error: Exception) -> None:
        attempts = self._retrying.attempts if reason is Refusal.HANDLER_FAILED else 1
        body = letter(
            self._group,
            self._source.topic,
            shard,
            offset,
            value,
            reason=reason,
            error=error,
            attempts=attempts,
            now=self._clock(),
        )
        text = body.model_dump_json().encode()
        await self._retrying.until_available(lambda: self._source.send_letter(shard, text))
        self.counts.letters += 1

    async def _settle(self, *, now: bool = False) -> None:
        """Store the positions of changes that nobody wanted, and show monitors how far we are; now and then."""
        instant = self._clock()
        if not now and instant - self._settled_at < _SETTLE_EVERY:
            return
        self._settled_at = instant
        for shard, place in list(self._places.items()):
            if not place.stored:
                await self._mark(shard, place)
        reached: Mapping[int, int] = {shard: place.offset for shard, place in self._places.items()}
        if reached != self._shown:
            self._shown = reached
            await self._source.commit(reached)


@contextmanager
def _signals(signals: Collection[signal.Signals], stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for one in signals:
        loop.add_signal_handler(one, stop)
    try:
        yield
    finally:
        for one in signals:
            loop.remove_signal_handler(one)
