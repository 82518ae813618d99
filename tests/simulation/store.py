"""The store of a simulated run: the real `MemoryStore` behind a network, on a disk that may forget its last writes."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from copy import copy
from typing import Any, TypeVar
from zlib import crc32

from schemas.instants import Instant
from streams.shard.port import Clock
from streams.state.memory import MemoryStore, ShardState
from streams.state.port import Commit, Ownership, Page, Remembered, StateError, Stored
from tests.simulation.loop import Process
from tests.simulation.world import World

T = TypeVar("T")


def at_once(call: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        call.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return] # untyped in typeshed
    raise AssertionError("the store in memory waited for something")


def _kept(state: ShardState) -> ShardState:
    """The state as it is now, for later."""
    kept = copy(state)
    for name in ("offsets", "profiles", "lives", "dues", "outbox", "silent", "written", "before"):
        setattr(kept, name, copy(getattr(state, name)))
    kept.members = {segment: set(inside) for segment, inside in state.members.items()}
    return kept


def _sum(commit: Commit) -> int:
    """A number that stands for what a commit holds."""
    values = [*commit.profiles.values(), *commit.lives.values(), *(row.value for row in commit.outbox)]
    return crc32(b"".join(values))


class Disk:
    """The server: all shards' state, what it was at each write, and who may write."""

    def __init__(self, world: World, memory: MemoryStore) -> None:
        self.world = world
        self.memory = memory
        self._writers: dict[int, tuple[Process, int]] = {}
        self._history: list[tuple[float, dict[int, ShardState], dict[int, tuple[Process, int]]]] = [(0.0, {}, {})]
        self.intruders: list[str] = []
        """Commits that went through although somebody else had taken the shard by then."""
        self.commits = 0
        self.lost = False
        """Whether it ever forgot anything."""
        self.away = False
        """Whether whoever next reads customers finds it empty. Then all is there again: a copy was brought back, or the
        log lost the `FLUSHALL` at its end."""
        self.claimed: list[Callable[[Process, int], None]] = []
        """Told of each claim."""

    def claim(self, process: Process, shard: int, clock: Instant) -> Ownership:
        state = self.memory.shard(shard)
        state.epoch = max(state.epoch, clock // 1000 - 1)  # as in Redis: never the same twice, whatever was lost
        owned = at_once(self.memory.claim(shard))
        self._writers[shard] = (process, owned.epoch)
        self._written(shard)
        for told in self.claimed:
            told(process, shard)
        self.world.note("claim", process.name, shard, owned.epoch, owned.commit, owned.sequence, owned.relayed)
        return owned

    def commit(self, process: Process, shard: int, commit: Commit) -> None:
        before = self.memory.shard(shard).commit
        try:
            at_once(self.memory.commit(shard, commit))
        except StateError as refusal:
            self.world.note("commit", process.name, shard, commit.mark, type(refusal).__name__)
            raise
        if self._writers.get(shard, (process, 0))[1] > commit.epoch:
            self.intruders.append(f"{process.name} committed {commit.mark} to shard {shard}, which it had lost")
        self.world.note("commit", process.name, shard, commit.mark, commit.offsets, _sum(commit))
        if self.memory.shard(shard).commit != before:
            self.commits += 1
        self._written(shard)

    def load(self, shard: int, ids: list[str], place: tuple[int, str] | None) -> list[Stored]:
        store = type(self.memory)() if self.away else self.memory
        self.away = False
        return at_once(store.load(shard, ids, place))

    def write(self, shard: int, call: Coroutine[Any, Any, None]) -> None:
        """One of the smaller writes."""
        at_once(call)
        self.world.note("write", shard, self.memory.shard(shard).told)
        self._written(shard)

    def wipe(self) -> None:
        """Forget everything, as FLUSHALL does, and for good."""
        self.world.note("the store is emptied")
        self.lost = True
        self._writers.clear()
        self.memory.shards = {}
        self.memory._count = None
        self._history = [(self.world.loop.time(), {}, {})]

    def set_back(self, seconds: float) -> None:
        """Forget what was written in the last seconds, as a server does that lost the tail of its log."""
        self.lost = True
        until = self.world.loop.time() - seconds
        while len(self._history) > 1 and self._history[-1][0] > until:
            self._history.pop()
        _at, states, writers = self._history[-1]
        self.memory.shards = {shard: _kept(state) for shard, state in states.items()}
        self._writers = dict(writers)
        self.world.note("the store is set back", {n: (s.epoch, s.commit) for n, s in self.memory.shards.items()})

    def _written(self, shard: int) -> None:
        known = self._history[-1][1] | {shard: _kept(self.memory.shard(shard))}
        self._history.append((self.world.loop.time(), known, dict(self._writers)))


class RemoteStore:
    """`streams.state.port.Store`, as one worker sees it."""

    def __init__(self, disk: Disk, process: Process, clock: Clock) -> None:
        self._clock = clock
        self._disk = disk
        self._ask = disk.world.ask
        self._process = process

    async def topology(self, shards: int) -> None:
        await self._ask(lambda: at_once(self._disk.memory.topology(shards)))

    async def claim(self, shard: int) -> Ownership:
        return await self._ask(lambda: self._disk.claim(self._process, shard, self._clock()))

    async def load(self, shard: int, ids: list[str], place: tuple[int, str] | None = None) -> list[Stored]:
        return await self._ask(lambda: self._disk.load(shard, ids, place))

    async def due(self, shard: int, until: Instant, limit: int) -> list[tuple[str, Instant]]:
        return await self._ask(lambda: at_once(self._disk.memory.due(shard, until, limit)))

    async def page(self, shard: int, cursor: str, count: int, place: tuple[int, str] | None = None) -> Page:
        return await self._ask(lambda: at_once(self._disk.memory.page(shard, cursor, count, place)))

    async def commit(self, shard: int, commit: Commit) -> None:
        await self._ask(lambda: self._disk.commit(self._process, shard, commit))

    async def check(self, shard: int, epoch: int, mark: str) -> None:
        await self._ask(lambda: at_once(self._disk.memory.check(shard, epoch, mark)))

    async def remember(self, shard: int, epoch: int, told: Mapping[str, bytes], *, over: bool) -> None:
        await self._ask(lambda: self._disk.write(shard, self._disk.memory.remember(shard, epoch, told, over=over)))

    async def recall(self, shard: int, ids: list[str]) -> list[bytes | None]:
        return await self._ask(lambda: at_once(self._disk.memory.recall(shard, ids)))

    async def remembered(self, shard: int) -> AsyncIterator[dict[str, Remembered]]:
        state = self._disk.memory.shard(shard)
        keys = await self._ask(lambda: sorted(state.written.keys() | state.before.keys()))
        for key in keys:

            def row(key: str = key) -> Remembered:
                return Remembered(state.written.get(key), state.before.get(key))

            yield {key: await self._ask(row)}

    async def hush(
        self, shard: int, epoch: int, told: int, relayed: int, silent: Mapping[str, int], *, least: int = 0
    ) -> None:
        memory = self._disk.memory
        await self._ask(lambda: self._disk.write(shard, memory.hush(shard, epoch, told, relayed, silent, least=least)))

    async def speak(self, shard: int, epoch: int, mark: str) -> None:
        await self._ask(lambda: self._disk.write(shard, self._disk.memory.speak(shard, epoch, mark)))
