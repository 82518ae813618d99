"""State that is lost and made anew, on a real Kafka and Redis: nothing doubled, nothing lost."""

import asyncio
import time
from pathlib import Path

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from redis.asyncio import Redis

from schemas.names import ORDERS, REROUTED, SEGMENT_CHANGES
from streams.settings import Settings
from streams.sources.shop import ShopPlan, lines
from streams.state import keys
from streams.verify.verify import verify
from tests.integration.system import PROGRAM, System
from tests.integration.test_same_result import by_the_core_alone, check
from tests.integration.test_verify import settings_of, sound
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker


def shop(path: Path, seed: int) -> int:
    """A generated shop in a file; the instant of its last event."""
    plan = ShopPlan(customers=120, days=50, seed=seed, duplicates=0.05, late=0.05, broken=0)
    path.write_bytes(b"\n".join(lines(plan)))
    return by_the_core_alone(path)[1]


def halves(path: Path, folder: Path) -> tuple[Path, Path]:
    """The first and the second half of a file of events."""
    rows = path.read_bytes().split(b"\n")
    first, second = folder / "first.jsonl", folder / "second.jsonl"
    first.write_bytes(b"\n".join(rows[: len(rows) // 2]))
    second.write_bytes(b"\n".join(rows[len(rows) // 2 :]))
    return first, second


async def emptied(system: System) -> None:
    """Lose the whole state."""
    redis = Redis.from_url(system.redis_url)
    await redis.flushdb()
    await redis.aclose()


async def test_a_worker_that_finds_its_state_gone_makes_it_anew_and_says_nothing_twice(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path = tmp_path / "shop.jsonl"
    until = shop(path, seed=31)
    async with System(fresh_stack, clock_at=str(until)) as system:
        worker = system.start_worker()
        system.publish(path)
        await check(system, path)
        assert system.stop_worker(worker) == 0
        before = await system.read(SEGMENT_CHANGES)
        await emptied(system)
        system.start_worker()
        await check(system, path)
        await sound(system)
        assert await system.read(SEGMENT_CHANGES) == before


async def test_a_running_worker_whose_state_is_emptied_under_it_loses_and_doubles_nothing(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path = tmp_path / "shop.jsonl"
    until = shop(path, seed=32)
    first, second = halves(path, tmp_path)
    async with System(fresh_stack, clock_at=str(until), batch="50") as system:
        system.start_worker()
        system.start_worker()
        await system.wait_owned()
        system.publish_badly_keyed(first)
        await system.wait_share(0.7)
        await emptied(system)
        system.publish(second)
        await system.wait_applied(until)
        await sound(system)
        run, _until, _refused = by_the_core_alone(path)
        assert await system.members() == run.members()
        await emptied(system)  # and once more with nothing to read any more: it is noticed all the same
        await system.wait_applied(until)
        await sound(system)


async def test_a_rebuild_of_a_sound_state_changes_nothing_and_says_nothing(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path = tmp_path / "shop.jsonl"
    until = shop(path, seed=33)
    async with System(fresh_stack, clock_at=str(until)) as system:
        worker = system.start_worker()
        system.publish_badly_keyed(path)
        await system.wait_applied(until)
        before, rerouted = await system.read(SEGMENT_CHANGES), await system.ends([REROUTED])
        for running in (True, False):
            if not running:
                assert system.stop_worker(worker) == 0
            done = system.run("rebuild", "--json")
            assert done.returncode == 0, done.stderr.decode()
            shards = orjson.loads(done.stdout)["shards"]
            assert all(one["speaks"] for one in shards)
            assert sum(one["customers"] for one in shards) > 120
            await sound(system)
            assert await system.read(SEGMENT_CHANGES) == before
            assert await system.ends([REROUTED]) == rerouted


async def test_a_rebuild_mends_what_is_wrong_and_says_just_that(fresh_stack: FreshStack, tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    until = shop(path, seed=34)
    async with System(fresh_stack, partitions=1, clock_at=str(until)) as system:
        worker = system.start_worker()
        system.publish(path)
        await system.wait_applied(until)
        assert system.stop_worker(worker) == 0
        before = await system.read(SEGMENT_CHANGES)
        await _damage(system)
        assert not (await verify(settings_of(system))).ok
        assert system.run("rebuild").returncode == 0
        await sound(system)
        assert await system.read(SEGMENT_CHANGES) == before


async def _damage(system: System) -> None:
    """Lose a profile, let another be of a layout to come, let somebody leave without a word, and let a stranger in."""
    redis = Redis.from_url(system.redis_url)
    inside = sorted(await redis.smembers(keys.members_key(0, "repeat_buyer")))
    await redis.hdel(keys.profiles_key(0), inside[0])
    await redis.hdel(keys.live_key(0), inside[1])
    await redis.hset(keys.profiles_key(0), inside[2], b"\x91\x63")
    await redis.sadd(keys.members_key(0, "vip"), "stranger")
    await redis.zrem(keys.due_key(0), *inside)
    await redis.aclose()


async def test_after_the_definitions_changed_a_rebuild_says_the_differences_with_its_cause(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path, rules = tmp_path / "shop.jsonl", tmp_path / "segments.toml"
    until = shop(path, seed=35)
    rules.write_text(Settings().definitions_path().read_text())
    async with System(fresh_stack, clock_at=str(until), definitions=str(rules)) as system:
        worker = system.start_worker()
        system.publish(path)
        await system.wait_applied(until)
        assert system.stop_worker(worker) == 0
        before = await system.read(SEGMENT_CHANGES)
        rules.write_text(rules.read_text().replace("orders.count >= 2", "orders.count >= 3"))
        assert system.run("apply", str(rules)).returncode == 0  # no worker runs, so nobody takes it over yet
        assert system.run("rebuild").returncode == 0
        await sound(system)
        said = await system.read(SEGMENT_CHANGES)
        new = [change for change in said if change not in before]
        assert len(said) == len(before) + len(new)
        assert new
        assert {(change["cause"]["kind"], change["type"]) for change in new} == {("rebuild", "segment.exited")}


async def test_a_rebuild_under_load_that_is_killed_and_run_again_doubles_and_loses_nothing(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path = tmp_path / "shop.jsonl"
    until = shop(path, seed=36)
    first, second = halves(path, tmp_path)
    async with System(fresh_stack, clock_at=str(until), batch="20") as system:
        system.start_worker()
        system.start_worker()
        await system.wait_owned()
        system.publish(first)
        await system.wait_share(0.6)
        killed = await asyncio.create_subprocess_exec(*PROGRAM, "rebuild", env=system.environment)
        await _begun(system)
        killed.kill()
        await killed.wait()
        load = [*PROGRAM, "publish", str(second), "--rate", "2000"]
        publisher = await asyncio.create_subprocess_exec(*load, env=system.environment)
        done = system.run("rebuild", "--json")
        assert done.returncode == 0, done.stderr.decode()
        assert await publisher.wait() == 0
        await check(system, path)
        await sound(system)
        redis = Redis.from_url(system.redis_url)
        assert await redis.keys("*:rebuild:*") == []
        await redis.aclose()


async def _begun(system: System) -> None:
    """Wait until a rebuild has written something."""
    redis = Redis.from_url(system.redis_url)
    end = time.monotonic() + 30
    while not await redis.exists(keys.REBUILD.profiles(0)):
        assert time.monotonic() < end
        await asyncio.sleep(0.001)
    await redis.aclose()


async def test_an_empty_state_is_rebuilt_without_a_worker(fresh_stack: FreshStack, tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    until = shop(path, seed=37)
    async with System(fresh_stack, clock_at=str(until)) as system:
        worker = system.start_worker()
        system.publish_badly_keyed(path)
        await system.wait_applied(until)
        assert system.stop_worker(worker) == 0
        before = await system.read(SEGMENT_CHANGES)
        await emptied(system)
        assert system.run("rebuild").returncode == 0
        await sound(system)
        system.start_worker()
        await check(system, path)
        await sound(system)
        assert await system.read(SEGMENT_CHANGES) == before


async def test_a_state_whose_first_events_are_gone_is_made_of_what_is_left_only_when_told_so(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path = tmp_path / "shop.jsonl"
    until = shop(path, seed=38)
    async with System(fresh_stack, partitions=1, clock_at=str(until)) as system:
        worker = system.start_worker()
        system.publish(path)
        await system.wait_applied(until)
        assert system.stop_worker(worker) == 0
        await _cut(system, {ORDERS: 5, SEGMENT_CHANGES: 40})
        report = await sound(system)
        assert len([note for note in report.notes if "begins at offset" in note]) == 2

        refused = system.run("rebuild")
        assert refused.returncode == 1
        assert b"'orders' begins at offset 5" in refused.stderr
        assert b"segments rebuild --incomplete" in refused.stderr
        await sound(system)  # it left everything as it was

        await emptied(system)
        assert system.start_worker().wait(60) == 1
        system.workers.clear()
        assert system.run("rebuild", "--incomplete").returncode == 0
        await sound(system)
        system.start_worker()
        await system.wait_owned()
        await sound(system)


async def _cut(system: System, firsts: dict[str, int]) -> None:
    """Let Kafka forget what stands before some offsets."""
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka)
    await admin.start()
    try:
        places = {TopicPartition(system.prefix + topic, 0): RecordsToDelete(first) for topic, first in firsts.items()}
        await admin.delete_records(places)
    finally:
        await admin.close()
