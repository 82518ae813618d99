"""The store in Redis. The commit is one script call; everything else reads, or raises the epoch."""

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
from streams.state.port import Commit, FencedError, Outgoing, Ownership, StaleError, Stored, TopologyError

_COMMIT = files("streams.state").joinpath("commit.lua").read_text()
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

    def __init__(self, redis: Redis) -> None:
        """Use a client of `connect`."""
        self._redis = redis
        self._script = redis.register_script(_COMMIT)
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
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hincrby(keys.meta_key(shard), "epoch", 1)
        pipeline.hgetall(keys.meta_key(shard))
        pipeline.xrange(keys.outbox_key(shard))
        epoch, meta, outbox = await pipeline.execute()
        number = {name: int(meta.get(name.encode(), 0)) for name in ("sequence", "relayed")}
        waiting = [row for _id, fields in outbox for row in _outgoing(fields) if row.sequence > number["relayed"]]
        return Ownership(
            epoch=epoch,
            commit=meta.get(b"commit", b"").decode(),
            offsets={topic: int(meta.get(f"offset:{topic}".encode(), 0)) for topic in INPUTS},
            sequence=number["sequence"],
            relayed=number["relayed"],
            outbox=waiting,
        )

    async def load(self, shard: int, ids: list[str]) -> list[Stored]:
        """See `Store.load`."""
        if not ids:
            return []
        replies = await self._reads.send(
            ("HMGET", keys.profiles_key(shard), *ids),
            ("HMGET", keys.live_key(shard), *ids),
            ("ZMSCORE", keys.due_key(shard), *ids),
        )
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        profiles, lives, dues = replies
        return [
            Stored(profile, live, None if due is None else int(due))
            for profile, live, due in zip(profiles, lives, dues, strict=True)
        ]

    async def due(self, shard: int, until: Instant, limit: int) -> list[tuple[str, Instant]]:
        """See `Store.due`."""
        rows: Any = await self._redis.zrange(
            keys.due_key(shard), "-inf", until, byscore=True, offset=0, num=limit, withscores=True
        )
        return [(customer.decode(), int(score)) for customer, score in rows]

    async def commit(self, shard: int, commit: Commit) -> None:
        """See `Store.commit`."""
        segments = sorted({*commit.entered, *commit.exited})
        names = [
            keys.meta_key(shard),
            keys.profiles_key(shard),
            keys.live_key(shard),
            keys.due_key(shard),
            keys.outbox_key(shard),
            *(keys.members_key(shard, segment) for segment in segments),
        ]
        values = _arguments(commit, segments)
        (reply,) = await self._writes.send(("EVALSHA", self._script.sha, len(names), *names, *values))
        if isinstance(reply, ResponseError):  # the script is not loaded, or Redis is full: the client knows what to do
            reply = await self._script(keys=names, args=values)
        verdict, detail = reply
        if verdict == b"FENCED":
            raise FencedError(f"shard {shard} is at epoch {detail.decode()}; this worker had {commit.epoch}")
        if verdict == b"STALE":
            raise StaleError(f"shard {shard}: stored {detail.decode()}; this commit follows '{commit.previous}'")


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
        "sizes": [len(value) for value in values],
    }
    return [_pack(header), b"".join(values)]


def _outgoing(fields: dict[bytes, bytes]) -> list[Outgoing]:
    """The transitions of one commit."""
    return [Outgoing(*row) for row in _unpack(fields[b"rows"])]


def _scored(dues: dict[str, Instant]) -> list[str]:
    rows: list[str] = []
    for customer, instant in dues.items():
        rows += (str(instant), customer)
    return rows
