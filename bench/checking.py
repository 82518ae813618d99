"""Whether an outcome is right: members must be those that the core alone gives for the same events."""

from collections.abc import Iterable
from typing import cast
from zlib import crc32

from redis import Redis

from bench.load import Message
from bench.system import PARTITIONS
from schemas.instants import Instant
from schemas.names import members_key
from schemas.wire import decode
from streams.core.definitions import Definitions, compile_definitions
from streams.core.replay import Replay
from streams.settings import Settings

Members = dict[str, list[str]]


def definitions() -> Definitions:
    """The shipped definitions."""
    return compile_definitions(Settings().definitions_path().read_text())


def in_sample(customer: str, one_in: int) -> bool:
    """Whether a customer is one of those that are checked: every `one_in`-th, by a hash of the id."""
    return crc32(customer.encode()) % one_in == 0


def expected(messages: Iterable[Message], until: Instant, one_in: int = 1) -> Members:
    """Who is in each segment as of an instant, by the core alone, of the customers in the sample.

    `messages` are in order of their instants.
    """
    run = Replay(definitions())
    for _topic, key, value in messages:
        if in_sample(key, one_in):
            run.feed(decode(value))
    run.finish(until)
    return run.members()


def stored(redis: Redis, one_in: int = 1) -> Members:
    """Who is in each segment by the members sets that workers wrote, of the customers in the sample."""
    found = members_stored(redis, [segment.key for segment in definitions().segments])
    return {key: sorted(customer for customer in ids if in_sample(customer, one_in)) for key, ids in found.items()}


def members_stored(redis: Redis, segments: Iterable[str]) -> dict[str, set[str]]:
    """Segment -> everybody who is in it by the members sets that workers wrote."""
    return {
        key: {customer.decode() for shard in range(PARTITIONS) for customer in _members(redis, shard, key)}
        for key in segments
    }


def _members(redis: Redis, shard: int, segment: str) -> set[bytes]:
    return cast("set[bytes]", redis.smembers(members_key(shard, segment)))


def differences(right: Members, found: Members) -> int:
    """How many memberships one has and the other has not."""
    return sum(len(set(right[key]) ^ set(found[key])) for key in right)
