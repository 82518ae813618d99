"""The shards that this worker owns, as they come and go with Kafka's assignments."""

import asyncio
import logging
from dataclasses import replace

from schemas.names import INPUTS
from streams.core.definitions import Definitions
from streams.shard.port import RecordBatch
from streams.shard.shard import Limits, Ports, Shard
from streams.state.port import FencedError, StaleError

log = logging.getLogger(__name__)


class Shards:
    """Owned shards by number."""

    def __init__(self, definitions: Definitions, ports: Ports, limits: Limits) -> None:
        """None is owned yet."""
        self.count = 0
        """The number of shards that there are; set before any is taken."""
        self._definitions = definitions
        self._ports = ports
        self._limits = limits
        self.owned: dict[int, Shard] = {}

    async def take(self, shards: set[int]) -> dict[int, tuple[int, dict[str, int]]]:
        """See `streams.kafka.transport.Owners.take`. Each shard is opened anew: a new epoch, an empty memory."""
        share = max(100, self._limits.customers // max(1, len(shards)))
        limits = replace(self._limits, customers=share)
        fresh = {number: Shard(number, self.count, self._definitions, self._ports, limits) for number in sorted(shards)}
        self.owned = {}
        await asyncio.gather(*(shard.open() for shard in fresh.values()))
        self.owned = fresh
        log.info("own shards %s", sorted(shards))
        return {number: (shard.epoch, shard.offsets) for number, shard in fresh.items()}

    async def process(self, batch: RecordBatch) -> bool:
        """Have a batch applied. False: the shard must be taken again, because the store lost its last writes."""
        shard = self.owned.get(batch.shard)
        if shard is None:
            return True
        try:
            await shard.process(batch)
        except (FencedError, StaleError) as refusal:
            return self._refused(shard, refusal)
        return True

    async def settle_due(self) -> bool:
        """Have the crossings that have come emitted, in all shards. False: as with `process`."""
        good = True
        for shard in list(self.owned.values()):
            try:
                while await shard.settle_due() >= self._limits.dues:
                    pass  # a wave: more are due; events get their turn at the shard's lock in between
            except (FencedError, StaleError) as refusal:
                good = self._refused(shard, refusal) and good
        return good

    def _refused(self, shard: Shard, refusal: FencedError | StaleError) -> bool:
        if self.owned.get(shard.number) is not shard:
            return True  # it was given up or taken anew meanwhile
        del self.owned[shard.number]
        log.warning("shard %d: %s", shard.number, refusal)
        return isinstance(refusal, FencedError)

    def applied(self, topic: str, shard: int) -> int | None:
        """See `streams.kafka.transport.Owners.applied`."""
        owned = self.owned.get(shard)
        return None if owned is None else owned.offsets.get(topic)

    async def close(self) -> None:
        """Wait until Kafka has everything that was committed."""
        await asyncio.gather(*(shard.close() for shard in self.owned.values()))

    def lag(self) -> dict[str, int]:
        """Input topic -> records that Kafka has and that are not applied yet, over the owned shards."""
        lag = dict.fromkeys(INPUTS, 0)
        for number, shard in self.owned.items():
            for topic, offset in shard.offsets.items():
                lag[topic] += max(0, (self._ports.inputs.end(topic, number) or 0) - offset)
        return lag
