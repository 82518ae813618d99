"""The store in Redis. The commit is one script call; everything else reads, raises the epoch, or is for silence."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,  # noqa: A004
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,  # noqa: A004
)

from schemas.instants import Instant
from schemas.names import INPUTS
from streams.state import keys
from streams.state.courier import Courier
from streams.state.judging import BEGINNING, read_judging
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

_COMMIT, _CLAIM, _SILENCE = (
    files("streams.state").joinpath(f"{name}.lua").read_text() for name in ("commit", "claim", "silence")
)
_PAGE = 1_000
"""Customers that are written or read in one call."""
_PLACE = ("epoch", "commit")
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[int, bytes, bytes]]).decode


def connect(url: str, patience: int = 12) -> Redis:
    """A client that rides out short troubles: about a minute of retries with back-off, then the error.

    Every write of ours may be sent twice: the commit recognises its own work, claiming an epoch twice is harmless.
    """
    trouble: list[type[Exception]] = [BusyLoadingError, ConnectionError, OutOfMemoryError, ReadOnlyError, TimeoutError]
    return Redis.from_url(
        url,
        socket_timeout=5.0,
        socket_connect_timeout=5.0,
        retry=Retry(ExponentialBackoff(cap=8.0, base=0.05), patience),
        retry_on_error=trouble,
        health_check_interval=30,
    )


class RedisStore:
    """`streams.state.port.Store` on Redis 6.2 or newer."""

    def __init__(self, redis: Redis, space: keys.Keys | None = None) -> None:
        """Use a client of `connect`; `space` says whose keys, the live ones if not given."""
        self._redis = redis
        self._keys = space or keys.Keys()
        self._commit, self._claim, self._silence = map(redis.register_script, (_COMMIT, _CLAIM, _SILENCE))
        self._reads, self._writes = Courier(redis), Courier(redis)

    async def topology(self, shards: int) -> None:
        """See `Store.topology`."""
        await self._redis.hsetnx(keys.TOPOLOGY_KEY, "shards", str(shards))
        await self._redis.hsetnx(keys.TOPOLOGY_KEY, "layout", str(keys.LAYOUT))
        stored: Any = await self._redis.hmget(keys.TOPOLOGY_KEY, ["shards", "layout"])
        if stored != [str(shards).encode(), str(keys.LAYOUT).encode()]:
            found = [value.decode() if value else "none" for value in stored]
            raise TopologyError(
                f"Redis was written with {found[0]} shards in layout {found[1]}; the topics have {shards} partitions "
                f"and this program writes layout {keys.LAYOUT}. Use the same partition count, or another Redis database"
            )

    async def claim(self, shard: int) -> Ownership:
        """See `Store.claim`."""
        names = [self._keys.meta(shard), self._keys.outbox(shard)]
        flat, rows = await self._claim(keys=names, args=[time.time_ns() // 1_000_000])
        meta = {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
        number = {name: int(meta.get(name, 0)) for name in ("epoch", "sequence", "relayed")}
        waiting = [row for _id, (_name, packed) in rows for row in read_outbox(packed)]
        silent = {name.removeprefix("silent:"): int(meta[name]) for name in meta if name.startswith("silent:")}
        return Ownership(
            epoch=number["epoch"],
            commit=meta.get("commit", b"").decode(),
            offsets={topic: int(meta.get(f"offset:{topic}", 0)) for topic in INPUTS},
            sequence=number["sequence"],
            relayed=number["relayed"],
            outbox=[row for row in waiting if row.sequence > number["relayed"]],
            told=int(meta["told"]) if "told" in meta else None,
            silent=silent,
            judging=read_judging(meta),
        )

    async def check(self, shard: int, epoch: int, mark: str) -> None:
        """See `Store.check`."""
        stored: Any = await self._redis.hmget(self._keys.meta(shard), _PLACE)
        _check(shard, epoch, mark, stored)

    async def load(self, shard: int, ids: list[str], place: tuple[int, str] | None = None) -> list[Stored]:
        """See `Store.load`."""
        if not ids:
            return []
        replies = await self._reads.send(
            ("HMGET", self._keys.profiles(shard), *ids),
            ("HMGET", self._keys.live(shard), *ids),
            ("ZMSCORE", self._keys.due(shard), *ids),
            ("HMGET", self._keys.meta(shard), *_PLACE),
        )
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        profiles, lives, dues, at = replies
        if place is not None:
            _check(shard, *place, at)
        return [
            Stored(profile, live, None if due is None else int(due))
            for profile, live, due in zip(profiles, lives, dues, strict=True)
        ]

    async def due(self, shard: int, until: Instant, limit: int) -> list[tuple[str, Instant]]:
        """See `Store.due`."""
        rows: Any = await self._redis.zrange(
            self._keys.due(shard), "-inf", until, byscore=True, offset=0, num=limit, withscores=True
        )
        return [(customer.decode(), int(score)) for customer, score in rows]

    async def page(self, shard: int, cursor: str, count: int, place: tuple[int, str] | None = None) -> Page:
        """See `Store.page`. A cursor means nothing to a server that was started since: it hashes otherwise."""
        run, _colon, number = cursor.partition(":")
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.info("server")
        pipeline.hscan(self._keys.profiles(shard), int(number or 0), count=count)
        pipeline.hmget(self._keys.meta(shard), _PLACE)
        info, (after, rows), at = await pipeline.execute()
        if place is not None:
            _check(shard, *place, at)
        now: str = info.get("run_id", "")
        if run not in {"", now}:
            return await self.page(shard, BEGINNING, count, place)
        ids = [customer.decode() for customer in rows]
        return Page(ids, f"{now}:{after}" if after else None, is_first=not cursor)

    async def commit(self, shard: int, commit: Commit) -> None:
        """See `Store.commit`."""
        segments = sorted({*commit.entered, *commit.exited})
        names = [
            self._keys.meta(shard),
            self._keys.profiles(shard),
            self._keys.live(shard),
            self._keys.due(shard),
            self._keys.outbox(shard),
            *(self._keys.members(shard, segment) for segment in segments),
        ]
        values = _arguments(commit, segments)
        (reply,) = await self._writes.send(("EVALSHA", self._commit.sha, len(names), *names, *values))
        if isinstance(reply, ResponseError):  # the script is not loaded, or Redis is full: the client knows what to do
            reply = await self._commit(keys=names, args=values)
        verdict, detail = reply
        if verdict != b"OK":
            raise _refusal(shard, commit.epoch, verdict.decode(), detail.decode(), f"follows '{commit.previous}'")

    async def remember(self, shard: int, epoch: int, told: Mapping[str, bytes], *, over: bool) -> None:
        """See `Store.remember`."""
        rows = list(told.items())
        for first in range(0, len(rows), _PAGE):
            values = [value for row in rows[first : first + _PAGE] for value in row]
            await self._silently(shard, epoch, "remember", "HSET" if over else "HSETNX", *values)

    async def recall(self, shard: int, ids: list[str]) -> list[bytes | None]:
        """See `Store.recall`."""
        found: list[bytes | None] = []
        for first in range(0, len(ids), _PAGE):
            values: Any = await self._redis.hmget(self._keys.told(shard), ids[first : first + _PAGE])
            found += values
        return found

    async def remembered(self, shard: int) -> AsyncIterator[dict[str, Remembered]]:
        """See `Store.remembered`."""
        told, before = self._keys.told(shard), self._keys.before(shard)
        async for page in self._pages(told):
            others: Any = await self._redis.hmget(before, list(page))
            yield {key: Remembered(page[key], other) for key, other in zip(page, others, strict=True)}
        async for page in self._pages(before):
            others = await self._redis.hmget(told, list(page))
            yield {key: Remembered(other, page[key]) for key, other in zip(page, others, strict=True) if other is None}

    async def _pages(self, name: str) -> AsyncIterator[dict[str, bytes]]:
        """All of a hash, some at a time."""
        cursor = 0
        while True:
            found: Any = await self._redis.hscan(name, cursor, count=_PAGE)
            cursor, rows = found
            if rows:
                yield {customer.decode(): value for customer, value in rows.items()}
            if not cursor:
                return

    async def hush(
        self, shard: int, epoch: int, told: int, relayed: int, silent: Mapping[str, int], *, least: int = 0
    ) -> None:
        """See `Store.hush`."""
        places = [value for row in silent.items() for value in row]
        await self._silently(shard, epoch, "hush", told, relayed, least, *places)

    async def speak(self, shard: int, epoch: int, mark: str) -> None:
        """See `Store.speak`."""
        await self._silently(shard, epoch, "speak", mark)

    async def _silently(self, shard: int, epoch: int, *words: str | bytes | int) -> None:
        names = [getattr(self._keys, name)(shard) for name in ("meta", "told", "outbox", "before")]
        verdict, detail = await self._silence(keys=names, args=[epoch, *words])
        if verdict != b"OK":
            raise _refusal(shard, epoch, verdict.decode(), detail.decode())


def _check(shard: int, epoch: int, mark: str, stored: Sequence[bytes | None]) -> None:
    """Compare a place with the one that is stored.

    Raises:
        FencedError, StaleError: they differ.
    """
    found, commit = (value.decode() if value else "" for value in stored)
    if found and int(found) > epoch:
        raise _refusal(shard, epoch, "FENCED", found)
    if found != str(epoch) or commit != mark:
        raise _refusal(shard, epoch, "STALE", f"epoch {found or 'none'} commit {commit or 'none'}")


def _refusal(shard: int, epoch: int, verdict: str, found: str, what: str = "") -> FencedError | StaleError:
    """What a refused write raises."""
    if verdict == "FENCED":
        return FencedError(f"shard {shard} is at epoch {found}; this worker had {epoch}")
    return StaleError(f"shard {shard}: stored {found}; this worker, at epoch {epoch}, {what or 'had another'}")


def _arguments(commit: Commit, segments: list[str]) -> list[bytes]:
    """The commit as the script takes it: names and numbers in one argument, binary values in the other."""
    offsets: list[str] = []
    for topic, (start, end) in commit.offsets.items():
        offsets += (f"offset:{topic}", str(start), str(end))
    values = [*commit.profiles.values(), *commit.lives.values()]
    if commit.outbox:
        values.append(_pack([(row.sequence, row.key, row.value) for row in commit.outbox]))
    header = {
        "epoch": str(commit.epoch),
        "previous": commit.previous,
        "mark": commit.mark,
        "offsets": offsets,
        "sequence": [str(number) for number in commit.sequence],
        "relayed": str(commit.relayed),
        "profiles": list(commit.profiles),
        "lives": list(commit.lives),
        "due": _scored({customer: at for customer, at in commit.dues.items() if at is not None}),
        "undue": [customer for customer, at in commit.dues.items() if at is None],
        "entered": [commit.entered.get(segment, []) for segment in segments],
        "exited": [commit.exited.get(segment, []) for segment in segments],
        "outbox": f"{commit.outbox[-1].sequence}-0" if commit.outbox else "",
        "silent": commit.silent,
        "judging": commit.judging.fields() if commit.judging else [],
        "sizes": [len(value) for value in values],
    }
    return [_pack(header), b"".join(values)]


def read_outbox(packed: bytes) -> list[Outgoing]:
    """The transitions of one commit, from an entry of the outbox."""
    return [Outgoing(*row) for row in _unpack(packed)]


def _scored(dues: dict[str, Instant]) -> list[str]:
    rows: list[str] = []
    for customer, instant in dues.items():
        rows += (str(instant), customer)
    return rows
