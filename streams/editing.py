"""Definitions that are changed while the system runs: what an edit would do, its publication, how far it has got."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.definitions import CurrencyTable, parse_definitions
from schemas.parameters import ModelParameters
from streams.clock import clock_of, wall_clock
from streams.core.definitions import compile_definitions
from streams.core.errors import CoreError
from streams.core.library import says_the_same
from streams.core.preview import Preview
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.state.port import TopologyError
from streams.state.reader import Reader
from streams.state.redis_store import connect
from streams.versions import in_force, versions_of

_POLL = 0.2


class EditError(CoreError):
    """An edit of the definitions that cannot be made."""


@asynccontextmanager
async def _reader(settings: Settings) -> AsyncIterator[Reader]:
    redis = connect(settings.redis_url, patience=2)
    try:
        yield Reader(redis)
    finally:
        await redis.aclose()


async def previewed(
    settings: Settings, text: str, examples: int, watch: Callable[[int, int], None]
) -> tuple[int, Preview]:
    """The version in force, and what a definitions file would change, by the profiles that are stored. Only reads.

    Args:
        settings: where Kafka and Redis are.
        text: the definitions file that might be applied.
        examples: customers to name on each side of a change.
        watch: is told how many customers were looked at, and of how many.
    """
    current, clock = (await in_force(settings)).latest, clock_of(settings)
    fitting = current.parameters if parse_definitions(text).currency.base == current.currency else None
    preview = Preview(current, compile_definitions(text, fitting), examples)
    async with _reader(settings) as reader:
        shards = range(await reader.shards())
        total = sum([await reader.customers(shard) for shard in shards])
        for shard in shards:
            async for profiles in reader.profiles(shard):
                now = clock()
                for profile in profiles:
                    preview.look(profile, now)
                watch(preview.customers, total)
    return current.version, preview


@dataclass(frozen=True)
class Published:
    """What came of a publication."""

    version: int
    is_news: bool
    """False: the version in force says the same already."""


async def publish(settings: Settings, text: str, restores: int | None, *, accept_currency: bool) -> Published:
    """Publish a definitions file as the next version, unless it says what is in force.

    Args:
        settings: where Kafka and Redis are.
        text: the file, without faults.
        restores: the version that it is the text of, in a rollback.
        accept_currency: other rates and another base currency are meant.

    Raises:
        EditError: it counts in another currency, or somebody else published at the same time.
    """
    await ensure_topics(
        settings.kafka_bootstrap_servers, settings.topic_prefix, settings.partitions, settings.replication
    )
    async with versions_of(settings) as versions:
        last = versions.library.last
        before = last if restores is None else versions.library.find(restores)
        model_version = await versions.published_model(text) if before is None else before.model_version
        if last is not None:
            if says_the_same(text, last.text) and model_version == last.model_version:
                return Published(last.version, is_news=False)
            fault = currency_fault(parse_definitions(last.text).currency, parse_definitions(text).currency)
            if fault and not accept_currency:
                raise EditError(fault)
            if parse_definitions(last.text).currency.base != parse_definitions(text).currency.base:
                model_version = None  # what was fitted in another currency says nothing any more
        async with _reader(settings) as reader:
            least = 1 + await _newest(reader)
        least = least if last is None else 1
        if not await versions.publish(text, wall_clock(), restores, model_version=model_version, least=least):
            raise EditError("somebody else published a version at the same time; look at it first: segments versions")
        return Published(versions.latest.version, is_news=True)


def currency_fault(old: CurrencyTable, new: CurrencyTable) -> str | None:
    """A sentence, if amounts that are stored would have been counted otherwise by a new table. A new rate is fine."""
    if old.base != new.base:
        what = f"the base currency would be {new.base}, not {old.base}"
    else:
        other = sorted(code for code, rate in old.rates.items() if new.rates.get(code) != rate)
        if not other:
            return None
        what = f"the rate of {', '.join(other)} would be another"
    return (
        f"{what}: amounts that are stored were counted by the old one, and stay as they are. If that is meant, add "
        "--currency, and make the state anew afterwards: segments rebuild"
    )


@dataclass(frozen=True)
class Refitted:
    """What came of publishing parameters."""

    parameters: ModelParameters
    """As published."""
    version: int | None
    """Of the definitions, that put them in force; None: no worker has started yet, and the first one will."""


async def refit(settings: Settings, parameters: ModelParameters) -> Refitted:
    """Publish parameters, and put them in force: the definitions stay as they are, and are a new version with them.

    Whoever publishes at the same time is not lost: what was published last has these parameters.

    Raises:
        ParametersError: they are of another currency than the definitions in force.
    """
    await ensure_topics(
        settings.kafka_bootstrap_servers, settings.topic_prefix, settings.partitions, settings.replication
    )
    async with versions_of(settings) as versions:
        if versions.library.last is not None:
            compile_definitions(versions.library.last.text, parameters)
        while (published := await versions.models.publish(parameters)) is None:
            pass
        while (last := versions.library.last) is not None:
            number = published.version
            if await versions.publish(last.text, wall_clock(), model_version=number, origin="fit"):
                return Refitted(published, versions.latest.version)
        return Refitted(published, None)


async def _newest(reader: Reader) -> int:
    """The latest version that any shard was judged by; 0: none."""
    try:
        return max(one.version for one in (await reader.judging()).values())
    except TopologyError:
        return 0


@dataclass(frozen=True)
class Taken:
    """How far a version has got."""

    shards: int
    taken_over: int
    """Shards that it, or a later one, is in force in."""
    swept: int
    """Shards in which everybody who is stored was judged by it, or by a later one."""
    customers: int
    judged: int
    """About how many customers were judged by it."""
    workers: int

    @property
    def done(self) -> bool:
        """It is in force everywhere, and everybody was judged by it."""
        return 0 < self.shards == self.swept


async def standing(settings: Settings, version: int) -> Taken:
    """How far a version has got by now."""
    async with _reader(settings) as reader:
        return await _standing(reader, version)


async def _standing(reader: Reader, version: int) -> Taken:
    try:
        judging = await reader.judging()
    except TopologyError:  # no worker has ever run
        return Taken(0, 0, 0, 0, 0, 0)
    taken_over = swept = judged = total = 0
    for shard, one in judging.items():
        customers = await reader.customers(shard)
        total += customers
        is_swept = not customers or (one.version >= version and one.sweep is None)
        taken_over += one.version >= version or not customers
        swept += is_swept
        judged += customers if is_swept else min(customers, one.swept) * (one.version >= version)
    workers = len(await reader.alive(wall_clock()))
    return Taken(len(judging), taken_over, swept, total, judged, workers)


async def follow(settings: Settings, version: int, watch: Callable[[Taken], None]) -> Taken:
    """Wait until everybody was judged by a version, or no worker is there to do it."""
    async with _reader(settings) as reader:
        while True:
            taken = await _standing(reader, version)
            watch(taken)
            if taken.done or not taken.workers:
                return taken
            await asyncio.sleep(_POLL)
