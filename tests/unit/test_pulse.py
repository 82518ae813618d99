"""Signs of life: a worker knows that it stood still, and says nothing more of the shards that it had."""

from typing import Any

import pytest

from streams.core.definitions import compile_definitions
from streams.shard.pulse import Pulse
from streams.shard.shard import Limits, Ports
from streams.shards import PATIENCE, Shards
from streams.state.memory import MemoryStore
from streams.state.port import FencedError
from streams.versions import Given

RULES = compile_definitions('[segments.buyer]\ntitle = "Buyer"\nwhen = "orders.count >= 1"\n')


@pytest.mark.parametrize(
    ("moments", "lapses"),
    [
        ([10.0, 15.0, 20.0], [0, 0, 0]),
        ([15.001, 16.0], [1, 1]),
        ([12.0, 18.0, 19.0, 30.0], [0, 1, 1, 2]),
    ],
    ids=["as long as nobody can have noticed", "longer than that", "again and again"],
)
def test_a_lapse_is_a_time_without_a_sign_of_life_longer_than_the_limit(
    moments: list[float], lapses: list[int]
) -> None:
    pulse = Pulse(5.0, 10.0)
    assert [pulse.beat(now) for now in moments] == lapses


class Kafka:
    """One that has nothing, and is read to its end."""

    async def tail(self, _shard: int) -> int:
        return 0

    def end(self, _topic: str, _shard: int) -> int:
        return 0


async def test_a_worker_that_stood_still_gives_its_shards_up_and_takes_them_anew() -> None:
    kafka: Any = Kafka()
    now, pulse, store = [0.0], Pulse(5.0, 0.0), MemoryStore()
    ports = Ports(store, kafka, kafka, kafka, lambda: 0, lambda: 0, beat=lambda: pulse.beat(now[0]))
    shards = Shards(Given(RULES), ports, Limits())
    shards.count = 1
    await shards.take({0})
    now[0] = 5.0
    assert await shards.settle_due()
    shard, epoch = shards.owned[0], store.shard(0).epoch
    now[0] = 10.1
    with pytest.raises(FencedError, match="stood still"):
        await shard.read_on({})
    assert store.shard(0).commit == ""
    assert await shards.settle_due()
    assert shards.owned == {}, "others may have it: it is not taken back at once"
    assert [await shards.settle_due() for _ in range(PATIENCE)][-1] is False
    await shards.take({0})
    assert store.shard(0).epoch == epoch + 1
    assert await shards.settle_due()
    assert list(shards.owned) == [0]
