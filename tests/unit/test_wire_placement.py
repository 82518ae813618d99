"""Placement: the same shard as any producer with Kafka's default partitioner."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as kafkas_murmur2
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import PlacementError
from schemas.placement import murmur2, shard_of


@pytest.mark.parametrize(
    ("key", "expected"),
    [  # Source: Apache Kafka, UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_that_of_kafkas_own_tests(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected % 2**32


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_murmur2_is_that_of_aiokafka(key: bytes) -> None:
    assert murmur2(key) == kafkas_murmur2(key) % 2**32


@settings(deadline=None, derandomize=True)
@given(st.text(min_size=1, max_size=256), st.integers(1, 200))
def test_a_customers_shard_is_the_partition_that_a_producer_chooses(customer: str, shards: int) -> None:
    partitions = list(range(shards))
    shard = shard_of(customer, shards)
    if not customer.startswith("anonymous:"):
        assert shard == DefaultPartitioner()(customer.encode(), partitions, partitions)
        assert shard_of(f"anonymous:{customer}", shards) == shard


@pytest.mark.parametrize("shards", [0, -1])
def test_no_shards_are_refused(shards: int) -> None:
    with pytest.raises(PlacementError, match="segments topics"):
        shard_of("ann", shards)
