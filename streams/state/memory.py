"""The store in memory: the same contract, for tests and for dry runs."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from schemas.instants import Instant
from schemas.names import INPUTS
from streams.state.judging import Judging
from streams.state.port import (
    Commit,
    FencedError,
    Outgoing,
    Ownership,
    Page,
    Remembered,
    StaleError,
    Stored,
    TopologyError,
)


@dataclass
class ShardState:
    """All that is stored of one shard."""

    epoch: int = 0
    commit: str = ""
    offsets: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INPUTS, 0))
    sequence: int = 0
    relayed: int = 0
    profiles: dict[str, bytes] = field(default_factory=dict)
    lives: dict[str, bytes] = field(default_factory=dict)
    dues: dict[str, Instant] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    outbox: list[Outgoing] = field(default_factory=list)
    told: int | None = None
    silent: dict[str, int] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    """Customer -> what subscribers were told."""
    before: dict[str, bytes] = field(default_factory=dict)
    """Customer -> the read model before a rebuild."""
    judging: Judging = field(default_factory=Judging)


class MemoryStore:
    """`streams.state.port.Store` in a dictionary."""

    def __init__(self) -> None:
        """Nothing is stored yet."""
        self.shards: dict[int, ShardState] = {}
        self._count: int | None = None

    def shard(self, number: int) -> ShardState:
        """The state of a shard."""
        return self.shards.setdefault(number, ShardState())

    async def topology(self, shards: int) -> None:
        """See `Store.topology`."""
        if self._count not in {None, shards}:
            raise TopologyError(f"the store was written with {self._count} shards, not {shards}")
        self._count = shards

    async def claim(self, shard: int) -> Ownership:
        """See `Store.claim`."""
        state = self.shard(shard)
        state.epoch += 1
        waiting = [row for row in state.outbox if row.sequence > state.relayed]
        offsets, silent = dict(state.offsets), dict(state.silent)
        return Ownership(
            state.epoch,
            state.commit,
            offsets,
            state.sequence,
            state.relayed,
            waiting,
            state.told,
            silent,
            state.judging,
        )

    async def check(self, shard: int, epoch: int, mark: str) -> None:
        """See `Store.check`."""
        state = self._owned(shard, epoch)
        if state.commit != mark:
            raise StaleError(f"shard {shard}: stored commit '{state.commit}'; this worker's was '{mark}'")

    def _owned(self, shard: int, epoch: int) -> ShardState:
        state = self.shard(shard)
        if state.epoch > epoch:
            raise FencedError(f"shard {shard} is at epoch {state.epoch}; this worker had {epoch}")
        if state.epoch < epoch:
            raise StaleError(f"shard {shard}: stored epoch {state.epoch}; this worker had {epoch}")
        return state

    async def load(self, shard: int, ids: list[str], place: tuple[int, str] | None = None) -> list[Stored]:
        """See `Store.load`."""
        if place is not None:
            await self.check(shard, *place)
        state = self.shard(shard)
        return [Stored(state.profiles.get(key), state.lives.get(key), state.dues.get(key)) for key in ids]

    async def due(self, shard: int, until: Instant, limit: int) -> list[tuple[str, Instant]]:
        """See `Store.due`."""
        rows = sorted((at, key) for key, at in self.shard(shard).dues.items() if at <= until)
        return [(key, at) for at, key in rows[:limit]]

    async def page(self, shard: int, cursor: str, count: int, place: tuple[int, str] | None = None) -> Page:
        """See `Store.page`."""
        if place is not None:
            await self.check(shard, *place)
        left = sorted(key for key in self.shard(shard).profiles if key > cursor)
        ids = left[:count]
        return Page(ids, ids[-1] if len(left) > count else None, is_first=not cursor)

    async def commit(self, shard: int, commit: Commit) -> None:
        """See `Store.commit`."""
        state = self._owned(shard, commit.epoch)
        if state.commit == commit.mark:
            return
        expected = {topic: start for topic, (start, _end) in commit.offsets.items()}
        stored = {topic: state.offsets[topic] for topic in expected}
        if state.commit != commit.previous or stored != expected or state.sequence != commit.sequence[0]:
            raise StaleError(f"shard {shard}: stored commit '{state.commit}'; this commit follows '{commit.previous}'")
        if (state.told is not None) is not commit.silent:
            raise StaleError(
                f"shard {shard}: the stored state is {'silent' if state.told is not None else 'not silent'}"
            )
        self._write(state, commit)

    @staticmethod
    def _write(state: ShardState, commit: Commit) -> None:
        state.commit, state.sequence, state.relayed = commit.mark, commit.sequence[1], commit.relayed
        state.offsets |= {topic: end for topic, (_start, end) in commit.offsets.items()}
        state.profiles |= commit.profiles
        state.lives |= commit.lives
        for customer, due in commit.dues.items():
            if due is None:
                state.dues.pop(customer, None)
            else:
                state.dues[customer] = due
        for segment, gone in commit.exited.items():
            for customer in gone:
                state.members.get(segment, set()).discard(customer)
        for segment, members in commit.entered.items():
            state.members.setdefault(segment, set()).update(members)
        state.outbox = [row for row in [*state.outbox, *commit.outbox] if row.sequence > state.relayed]
        state.judging = commit.judging or state.judging

    async def remember(self, shard: int, epoch: int, told: Mapping[str, bytes], *, over: bool) -> None:
        """See `Store.remember`."""
        state = self._owned(shard, epoch)
        state.written = {**state.written, **told} if over else {**told, **state.written}

    async def recall(self, shard: int, ids: list[str]) -> list[bytes | None]:
        """See `Store.recall`."""
        written = self.shard(shard).written
        return [written.get(key) for key in ids]

    async def remembered(self, shard: int) -> AsyncIterator[dict[str, Remembered]]:
        """See `Store.remembered`."""
        written, before = self.shard(shard).written, self.shard(shard).before
        yield {key: Remembered(written.get(key), before.get(key)) for key in sorted(written.keys() | before.keys())}

    async def hush(
        self, shard: int, epoch: int, told: int, relayed: int, silent: Mapping[str, int], *, least: int = 0
    ) -> None:
        """See `Store.hush`."""
        state = self._owned(shard, epoch)
        if len(state.written) < least:
            raise StaleError(f"shard {shard}: {len(state.written)} are written down, of {least}")
        state.told, state.sequence, state.relayed = told, told, relayed
        state.silent |= silent
        state.outbox = [row for row in state.outbox if row.sequence > relayed]

    async def speak(self, shard: int, epoch: int, mark: str) -> None:
        """See `Store.speak`."""
        await self.check(shard, epoch, mark)
        state = self.shard(shard)
        state.told, state.silent, state.written, state.before = None, {}, {}, {}
