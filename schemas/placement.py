"""Which shard a customer lives in: the same arithmetic that Kafka's default partitioner uses.

Source: `org.apache.kafka.common.utils.Utils.murmur2` and `BuiltInPartitioner.partitionForKey` (Apache Kafka),
so a producer in any language that keeps the default partitioner (Java; `murmur2_random` in librdkafka)
already writes to the right partition.
"""

from schemas.errors import PlacementError
from schemas.names import ANONYMOUS

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 of a key, as an unsigned number.

    >>> murmur2(b"21")
    3321034988
    """
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k ^= k >> 24
        h = (h * _M & _MASK) ^ (k * _M & _MASK)
    tail = data[whole:]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * _M) & _MASK
    h ^= h >> 13
    h = h * _M & _MASK
    return h ^ (h >> 15)


def shard_of(profile_id: str, shards: int) -> int:
    """The shard of a customer id, or of an anonymous profile id (`anonymous:` is not part of the key).

    Raises:
        PlacementError: `shards` is not positive.
    """
    if shards <= 0:
        raise PlacementError(f"a topic cannot have {shards} partitions; create the topics with `segments topics`")
    return (murmur2(profile_id.removeprefix(ANONYMOUS).encode()) & 0x7FFFFFFF) % shards
