"""The shards that this worker owns, as they come and go with Kafka's assignments."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace

from schemas.names import INPUTS
from streams.kafka.errors import GapError
from streams.preflight.rules import Hazard
from streams.shard.port import RecordBatch, Versions
from streams.shard.shard import Limits, Ports, Shard
from streams.state.port import FencedError, StaleError

log = logging.getLogger(__name__)

PATIENCE = 20
"""Looks at the due times after which a shard that was fenced off, and that Kafka has left with us, is taken back."""
Place = tuple[str, int]
"""Input topic and shard."""
Spans = Mapping[Place, tuple[int, int]]
"""Place -> (the first offset that Kafka has, the one after the last)."""

_WAY_OUT = (
    "To keep the state and go on with the first record that there is, start once with SEGMENTS_ALLOW_UNSAFE=gap. For a "
    "state of nothing but what Kafka has, follow that by: segments rebuild"
)


class Shards:
    """Owned shards by number."""

    def __init__(self, versions: Versions, ports: Ports, limits: Limits, accepted: Collection[Hazard] = ()) -> None:
        """None is owned yet."""
        self.count = 0
        """The number of shards that there are; set before any is taken."""
        self._versions = versions
        self._ports = ports
        self._limits = limits
        self._accepted = accepted
        self.owned: dict[int, Shard] = {}
        self._fenced: dict[int, int] = {}
        """Shards that were fenced off since the last assignment -> looks at the due times since then."""

    async def take(self, shards: set[int]) -> dict[int, tuple[int, dict[str, int]]]:
        """See `streams.kafka.transport.Owners.take`. Each shard is opened anew: a new epoch, an empty memory."""
        share = max(100, self._limits.customers // max(1, len(shards)))
        limits = replace(self._limits, customers=share)
        fresh = {number: Shard(number, self.count, self._versions, self._ports, limits) for number in sorted(shards)}
        for shard in self.owned.values():
            shard.give_up()
        self.owned = {}
        await self._ports.store.topology(self.count)  # gone with everything else if the store was emptied
        ours = await asyncio.gather(*(_open(shard) for shard in fresh.values()))
        self.owned = {shard.number: shard for shard, is_ours in zip(fresh.values(), ours, strict=True) if is_ours}
        self._fenced = dict.fromkeys(shards - self.owned.keys(), 0)
        log.info("own shards %s", sorted(self.owned))
        return {number: (shard.epoch, shard.offsets) for number, shard in self.owned.items()}

    async def begin(self, spans: Spans) -> dict[Place, int]:
        """See `streams.kafka.transport.Owners.begin`.

        A shard that is new begins where Kafka does, and has a place in every topic from then on.
        """
        offsets = {(topic, number): at for number, shard in self.owned.items() for topic, at in shard.offsets.items()}
        gaps = {place: span for place, span in spans.items() if not span[0] <= offsets.get(place, span[0]) <= span[1]}
        new = {number for number, shard in self.owned.items() if shard.is_new}
        self._accept([_gap(place, offsets[place], span) for place, span in sorted(gaps.items()) if place[1] not in new])
        elsewhere = {place: first for place, (first, _end) in gaps.items()}
        for number, shard in list(self.owned.items()):
            moves = {topic: offset for (topic, of), offset in elsewhere.items() if of == number}
            if moves or number in new:
                await self._read_on(shard, shard.offsets | moves)
        return elsewhere

    def _accept(self, gaps: list[str]) -> None:
        """Go on in spite of gaps, or not.

        Raises:
            GapError: they are not accepted.
        """
        if gaps and Hazard.GAP not in self._accepted:
            raise GapError("\n".join([*gaps, _WAY_OUT]))
        for gap in gaps:
            log.error("accepted, gap: %s", gap)

    async def _read_on(self, shard: Shard, offsets: Mapping[str, int]) -> None:
        try:
            await shard.read_on(offsets)
        except (FencedError, StaleError) as refusal:
            if not self._refused(shard, refusal):
                self._fenced[shard.number] = PATIENCE  # nothing is read of it yet: the next look takes it anew

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
        """Have the crossings that have come emitted, in all shards. False: as with `process`.

        Also False when a shard stays fenced off. Its new owner need not be alive: it may have died at once, or it is a
        claim of our own that came late. Kafka tells a worker soon when it has lost a shard; until then it is ours.
        """
        self._fenced = {number: looks + 1 for number, looks in self._fenced.items()}
        good = all(looks < PATIENCE for looks in self._fenced.values())
        for shard in list(self.owned.values()):
            try:
                while await shard.settle_due() >= self._limits.dues:
                    pass  # a wave: more are due; events get their turn at the shard's lock in between
            except (FencedError, StaleError) as refusal:
                good = self._refused(shard, refusal) and good
        return good

    async def sweep(self) -> tuple[bool, bool]:
        """Have a page of each shard judged anew, where a version of the definitions took over.

        Whether all is good, as with `process`, and whether there was anything to do.
        """
        good, busy = True, False
        for shard in list(self.owned.values()):
            try:
                busy = await shard.sweep() or busy
            except (FencedError, StaleError) as refusal:
                good = self._refused(shard, refusal) and good
        return good, busy

    async def check(self) -> bool:
        """Find out whether the state of shards that stand idle is still there. False: as with `process`."""
        good = True
        for shard in list(self.owned.values()):
            try:
                await shard.check()
            except (FencedError, StaleError) as refusal:
                good = self._refused(shard, refusal) and good
        return good

    def silent(self) -> list[int]:
        """The owned shards that are catching up in silence."""
        return sorted(number for number, shard in self.owned.items() if shard.is_silent)

    def _refused(self, shard: Shard, refusal: FencedError | StaleError) -> bool:
        if self.owned.get(shard.number) is not shard:
            return True  # it was given up or taken anew meanwhile
        del self.owned[shard.number]
        shard.give_up()
        log.warning("shard %d: %s", shard.number, refusal)
        if isinstance(refusal, FencedError):
            self._fenced[shard.number] = 0
            return True
        return False

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


async def _open(shard: Shard) -> bool:
    """Open a shard. False: somebody else has claimed it meanwhile."""
    while True:
        try:
            await shard.open()
        except FencedError as refusal:
            log.warning("shard %d: %s", shard.number, refusal)
            return False
        except StaleError as refusal:  # the store lost writes once more; what it has now is read again
            log.warning("shard %d: %s", shard.number, refusal)
        else:
            return True


def _gap(place: Place, offset: int, span: tuple[int, int]) -> str:
    (topic, number), (first, end) = place, span
    if offset < first:
        return (
            f"{topic}[{number}] was applied up to offset {offset}, and Kafka's log begins at {first}: retention took "
            f"{first - offset} records that were never applied"
        )
    return (
        f"{topic}[{number}] was applied up to offset {offset}, and Kafka's log ends at {end}: the topic was made anew, "
        "or Kafka lost its end, and what is there now was never applied"
    )
