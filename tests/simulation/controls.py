"""Controls: one safeguard taken away at a time, in tests only. The simulator must notice each of them."""

from dataclasses import replace
from typing import Any

from streams import shards
from streams.core import step
from streams.kafka.fetching import Run
from streams.kafka.transport import BatchConsumer
from streams.shard import shard
from streams.shard.port import RecordBatch
from streams.shard.pulse import Pulse
from streams.state.memory import MemoryStore
from streams.state.port import Commit, Stored
from tests.simulation.broker import BrokerSink
from tests.simulation.plan import draw
from tests.simulation.run import Outcome, run
from tests.simulation.switches import Switches


class NoFence(MemoryStore):
    """Takes a commit of whoever owned the shard once."""

    async def commit(self, shard: int, commit: Commit) -> None:
        await super().commit(shard, replace(commit, epoch=self.shard(shard).epoch))


class NoCompare(MemoryStore):
    """Writes a commit whatever it was computed from."""

    async def commit(self, shard: int, commit: Commit) -> None:
        state = self.shard(shard)
        offsets = {topic: (state.offsets[topic], end) for topic, (_start, end) in commit.offsets.items()}
        sequence = (state.sequence, commit.sequence[1])
        await super().commit(shard, replace(commit, previous=state.commit, offsets=offsets, sequence=sequence))


class Blind(MemoryStore):
    """Says what it has of somebody, whatever state it is in."""

    async def load(self, shard: int, ids: list[str], place: tuple[int, str] | None = None) -> list[Stored]:
        del place
        return await super().load(shard, ids)


class Forgetful(dict[int, int]):
    """What a subscriber has seen, if it does not remember."""

    def get(self, _shard: int, default: Any = None) -> Any:
        return default


async def _no_look(_sink: BrokerSink, _shard: int) -> int:
    """The tail of a partition, for a relay that does not look."""
    return 0


def _no_settling(*_arguments: object) -> list[step.Transition]:
    """No crossing before an event."""
    return []


def _over_gaps(consumer: BatchConsumer, tp: Any, run: Run) -> RecordBatch | None:
    """A batch of what was read, although something before it was not."""
    start = consumer._next.get(tp)
    if start is None or run.end <= start:
        return None
    consumer._next[tp] = run.end
    records = [record for record in run.records if record.offset >= start]
    return RecordBatch(tp.topic, tp.partition, consumer._epochs[tp.partition], start, run.end, records)


async def _no_seek(_consumer: BatchConsumer, _astray: object) -> None:
    """No seek back to what was dropped."""


def _records_only(consumer: BatchConsumer, tp: Any, run: Run) -> RecordBatch | None:
    """A batch of what was read, as if there were nothing in a partition but records."""
    if run.records:
        return _batch(consumer, tp, run._replace(end=run.records[-1].offset + 1, start=consumer._next[tp]))
    return None


def _no_lapse(_pulse: Pulse, _now: float) -> int:
    """A worker that never notices that it stood still."""
    return 0


_batch = BatchConsumer._batch
CONTROLS = {
    "no epoch check": Switches(store=NoFence),
    "no compare and set": Switches(store=NoCompare),
    "no look at the tail": Switches(patches=((BrokerSink, "tail", _no_look),)),
    "no settling before an event": Switches(patches=((step, "settle", _no_settling),)),
    "no de-duplication": Switches(seen=Forgetful),
    "reading on over gaps": Switches(
        patches=((BatchConsumer, "_batch", _over_gaps), (BatchConsumer, "_seek_back", _no_seek))
    ),
    "control records are overlooked": Switches(patches=((BatchConsumer, "_batch", _records_only),)),
    "what is read may be of another state": Switches(store=Blind, faults=("away",)),
    "a worker that stood still goes on": Switches(patches=((Pulse, "beat", _no_lapse),), faults=("claim lost",)),
    "nobody is judged anew": Switches(patches=((shard, "BEGINNING", None),)),
    "a fenced shard stays lost": Switches(patches=((shards, "PATIENCE", 10**9),)),
}
"""Name -> the product without it."""


def first_that_catches(switches: Switches, seeds: int = 1_000) -> Outcome | None:
    """What the first seed that notices a control came to."""
    outcomes = (run(draw(seed, switches.faults), switches) for seed in range(seeds))
    return next((outcome for outcome in outcomes if outcome.findings), None)
