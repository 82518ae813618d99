"""verify itself: reads shard after shard, and has the pure parts compare."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, Protocol

import orjson

from schemas.names import DEAD_LETTERS, INPUTS, REROUTED, SEGMENT_CHANGES
from streams.clock import wall_clock
from streams.core.definitions import Definitions
from streams.kafka.reading import TopicReader
from streams.settings import Settings
from streams.shard.customers import judged_by
from streams.shard.port import Versions
from streams.state.judging import Judging
from streams.state.reader import Reader
from streams.state.redis_store import connect
from streams.verify.changes import ChangeFold
from streams.verify.compare import (
    StoredCustomer,
    check_committed,
    check_members,
    check_memberships,
    check_offsets,
    check_outbox,
    check_profile,
    check_rules,
    stored_profile,
)
from streams.verify.replay import Forwards, ShardReplay, digest
from streams.verify.report import Report
from streams.verify.snapshot import Snapshot, StateReader
from streams.versions import in_force

_TRIES = 20
_NOBODY = StoredCustomer(None, None, None, frozenset())


class Watch(Protocol):
    """Somebody who wants to see how far it is."""

    def begin(self, total: int) -> None:
        """So many records are to be read."""

    def advance(self, count: int) -> None:
        """So many more were."""


class Unwatched:
    """Nobody looks."""

    def begin(self, total: int) -> None:
        """See `Watch.begin`."""

    def advance(self, count: int) -> None:
        """See `Watch.advance`."""


async def verify(
    settings: Settings,
    sample: int | None = None,
    *,
    watch: Watch | None = None,
) -> Report:
    """Compare inputs, state and changes, while workers run or after they stopped.

    Args:
        settings: where Kafka and Redis are.
        sample: check only so many customers, chosen by a hash of their ids; the streams are read whole all the same.
        watch: is told how far it is.

    Raises:
        TopologyError: no worker has ever run on this Redis.
        DefinitionsError: the definitions have faults.
    """
    redis = connect(settings.redis_url, patience=2)
    try:
        async with TopicReader(settings.kafka_bootstrap_servers, settings.topic_prefix) as topics:
            versions = await in_force(settings)
            run = _Run(settings, versions, Reader(redis), StateReader(redis), topics, watch or Unwatched())
            return await run.all(sample)
    finally:
        await redis.aclose()


@dataclass
class _Run:
    """One run over all shards."""

    settings: Settings
    versions: Versions
    reader: Reader
    state: StateReader
    topics: TopicReader
    watch: Watch

    def __post_init__(self) -> None:
        self.report = Report()
        self.forwards = Forwards()
        self.bounds: dict[tuple[str, int], tuple[int, int]] = {}
        self.ends: dict[int, int] = {}
        """Shard -> how far its `rerouted` was read."""

    async def all(self, sample: int | None) -> Report:
        """Every shard, one after the other, so that only one is in memory."""
        shards = await self.reader.shards()
        committed = await self.topics.committed(self.settings.group)
        self.bounds = await self.topics.spans((*INPUTS, SEGMENT_CHANGES, DEAD_LETTERS), range(shards))
        self.watch.begin(sum(end - start for start, end in self.bounds.values()))
        limit = None if sample is None else await self._limit(shards, sample)
        running = bool(await self.reader.alive(wall_clock()))
        for shard in range(shards):
            await self._shard(shard, shards, committed, limit, running=running)
        await self._forwards(shards)
        return self.report

    async def _limit(self, shards: int, sample: int) -> int:
        """The greatest hash of the customers that are looked at."""
        hashes: list[int] = []
        for shard in range(shards):
            hashes += nsmallest(sample, (digest(key.encode()) for key in await self.state.ids(shard)))
        return max(nsmallest(sample, hashes), default=0)

    async def _shard(
        self, shard: int, shards: int, committed: dict[tuple[str, int], int], limit: int | None, *, running: bool
    ) -> None:
        start = await self.reader.place(shard)
        ends = {topic: await self.topics.end(topic, shard) for topic in INPUTS}
        ours = {topic: offset for (topic, number), offset in committed.items() if number == shard}
        check_offsets(shard, start.offsets, ours, ends, self.report)
        ids = {key for key in await self.state.ids(shard) if limit is None or digest(key.encode()) <= limit}
        snapshot = await self.state.snapshot(shard, start, ids)
        self.report.count("customers", len(ids))
        self.report.count("shards")
        replay = await self._replay(shard, shards, snapshot, limit)
        fold = await self._fold(shard, snapshot, limit, running=running)
        await self._compare({*ids, *replay.profiles, *fold.memberships}, snapshot, replay, fold)

    async def _replay(self, shard: int, shards: int, snapshot: Snapshot, limit: int | None) -> ShardReplay:
        def bound(profile_id: str) -> dict[str, int] | None:
            if limit is not None and digest(profile_id.encode()) > limit:
                return None
            return snapshot.place_of(profile_id).offsets

        letters = await self._letters(shard)
        replay = ShardReplay(
            shard, shards, self.versions.latest, bound, snapshot.start.offsets, letters, self.forwards, self.report
        )
        replay.all_letters = self._whole(DEAD_LETTERS, shard, "refused records")
        for topic in INPUTS:
            first, _end = self.bounds[topic, shard]
            end = await self.topics.end(topic, shard) if topic == REROUTED else snapshot.end(topic)
            async for run in self.topics.records(topic, shard, first, end):
                self.watch.advance(len(run))
                for record in run:
                    replay.feed(topic, record.offset, record.value)
                if topic == REROUTED:
                    self.forwards.seen.update(Forwards.sign(shard, record.value or b"") for record in run)
            if topic == REROUTED:
                self.ends[shard] = end
        return replay

    async def _letters(self, shard: int) -> dict[tuple[str, int], Any]:
        """The dead letters of a shard, by the record that each is of."""
        first, _end = self.bounds[DEAD_LETTERS, shard]
        found: dict[tuple[str, int], Any] = {}
        async for run in self.topics.records(DEAD_LETTERS, shard, first, await self.topics.end(DEAD_LETTERS, shard)):
            self.watch.advance(len(run))
            for record in run:
                letter = orjson.loads(record.value)
                found[letter["topic"], letter["offset"]] = letter
        return found

    async def _fold(self, shard: int, snapshot: Snapshot, limit: int | None, *, running: bool) -> ChangeFold:
        def bound(profile_id: str) -> int | None:
            if limit is not None and digest(profile_id.encode()) > limit:
                return None
            return snapshot.place_of(profile_id).sequence

        position, _end = self.bounds[SEGMENT_CHANGES, shard]
        fold = ChangeFold(bound, self.report, whole=self._whole(SEGMENT_CHANGES, shard, "memberships"))
        for _try in range(_TRIES):
            end = await self.topics.end(SEGMENT_CHANGES, shard)
            async for run in self.topics.records(SEGMENT_CHANGES, shard, position, end):
                self.watch.advance(len(run))
                for record in run:
                    fold.feed(record.value, f"{SEGMENT_CHANGES}[{shard}] offset {record.offset}")
            position = end
            waiting = await self.state.outbox(shard, fold.last)
            if waiting[0].sequence == fold.last + 1 if waiting else fold.last >= snapshot.sequence:
                break  # else some were relayed between the two looks
        check_outbox(shard, [row.sequence for row in waiting], self.report, running=running)
        for row in waiting:
            fold.feed(row.value, f"outbox of shard {shard} at {row.sequence}")
        check_committed(shard, snapshot.sequence, fold.last, self.report)
        return fold

    def _whole(self, topic: str, shard: int, what: str) -> bool:
        """Whether Kafka still has a partition from its first record on; says so if not."""
        first, _end = self.bounds[topic, shard]
        if first:
            self.report.notes.append(
                f"{topic}[{shard}] begins at offset {first}: the {what} of its customers were not compared with it"
            )
        return not first

    async def _judged_by(self, stored: StoredCustomer, judging: Judging) -> Definitions | None:
        """What a customer was judged by last; None: a sweep has yet to come to them, or it is no longer known."""
        version = judged_by(stored.live)
        if not version and judging.sweep is not None:
            return None
        return await self.versions.find(version or judging.version or self.versions.latest.version)

    async def _compare(self, ids: Iterable[str], snapshot: Snapshot, replay: ShardReplay, fold: ChangeFold) -> None:
        silent = 0
        cut = [topic for topic in INPUTS if not self._whole(topic, replay.shard, "profiles")]
        for profile_id in sorted(ids):
            stored = snapshot.customers.get(profile_id, _NOBODY)
            if not cut:
                profile = check_profile(profile_id, stored, replay, self.report)
            else:
                profile = stored_profile(profile_id, stored, self.report)
            if snapshot.place_of(profile_id).silent:
                silent += 1
            elif fold.whole:
                check_memberships(profile_id, stored, fold.memberships.get(profile_id, {}), self.report)
            else:
                check_members(profile_id, stored, self.report)
            if profile is None:
                continue
            definitions = await self._judged_by(stored, snapshot.place_of(profile_id).judging)
            if definitions is None:
                self.report.count("yet to be judged by the definitions in force")
            else:
                check_rules(profile_id, profile, stored, definitions, self.report)
        if silent:
            what = f"{silent} customers were not compared: it catches up in silence; verify again when it has"
            self.report.differ("memberships", f"shard {replay.shard}", what)

    async def _forwards(self, shards: int) -> None:
        """What was forwarded must be on `rerouted`; what came there since its turn is read now."""
        if any(self.bounds[REROUTED, shard][0] for shard in range(shards)):
            return  # a note says so
        if self.forwards.missing():
            for shard in range(shards):
                end = await self.topics.end(REROUTED, shard)
                async for run in self.topics.records(REROUTED, shard, self.ends[shard], end):
                    self.forwards.seen.update(Forwards.sign(shard, record.value or b"") for record in run)
        for place in self.forwards.missing().values():
            self.report.differ("inputs", place, "belongs to another shard, and was not forwarded to it")
