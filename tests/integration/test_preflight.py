"""A worker on settings that break the promise, and on input that Kafka no longer has: it says so and does not start."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from redis.asyncio import Redis

from schemas.instants import DAY
from schemas.names import DEFINITIONS, ORDERS, SEGMENT_CHANGES, TOPICS
from streams.clock import wall_clock
from streams.stacks import Stack
from streams.stacks.redis_server import APPEND_ONLY, RedisServer
from streams.state.reader import Reader
from tests.integration.system import PROGRAM, System
from tests.integration.test_worker import order
from tests.stacks.isolation import FreshStack
from tests.stacks.local import system_redis_server

pytestmark = pytest.mark.broker

TIMEOUT_S = 60


def refused(system: System) -> str:
    """What a worker says that does not start."""
    done = subprocess.run(
        [*PROGRAM, "worker", "--log-level", "warning"],
        env=system.environment,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    told = done.stderr.decode()
    assert done.returncode == 1, told
    assert "SEGMENTS_ALLOW_UNSAFE=" in told.splitlines()[-1]
    return told


def findings(system: System, *, ok: bool) -> dict[str, bool]:
    """Setting -> whether it is refused, by `segments check --running`."""
    done = system.run("check", "--running", "--json")
    told = orjson.loads(done.stdout)
    assert (done.returncode, told["ok"]) == ((0, True) if ok else (1, False))
    return {row["setting"]: row["refused"] for row in told["findings"]}


def redis_server(directory: Path, *options: str) -> RedisServer:
    """A Redis of our own, to be set wrongly."""
    program = system_redis_server() or Path(sys.prefix) / "bin" / "redis-server"
    return RedisServer(program, directory, [*APPEND_ONLY, *options])


@pytest.fixture
def own_redis(fresh_stack: FreshStack, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FreshStack]:
    """The stack with a Redis of our own in the place of everybody's."""
    server = redis_server(tmp_path, *getattr(request, "param", ()))
    server.start()
    try:
        yield fresh_stack._replace(stack=Stack(fresh_stack.stack.kind, fresh_stack.stack.bootstrap_servers, server.url))
    finally:
        server.stop()


async def test_a_worker_refuses_a_redis_that_forgets_until_that_is_mended_or_accepted(own_redis: FreshStack) -> None:
    async with System(own_redis) as system, Redis.from_url(system.redis_url) as redis:
        await redis.config_set("appendonly", "no")
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        told = refused(system)
        assert "- appendonly: Redis: appendonly is no, must be yes" in told
        assert "- eviction: Redis: maxmemory-policy is allkeys-lru" in told
        assert "SEGMENTS_ALLOW_UNSAFE=appendonly,eviction" in told
        assert not await redis.keys("*")
        assert findings(system, ok=False).items() >= {"appendonly": True, "maxmemory-policy": True}.items()
        system.start_worker(allow_unsafe="appendonly,eviction")
        await system.wait_owned()
        system.workers.pop().kill()
        await redis.config_set("appendonly", "yes")
        await redis.config_set("maxmemory-policy", "noeviction")
        assert not any(findings(system, ok=True).values())
        system.start_worker()
        system.send(ORDERS, order("c", wall_clock() - DAY), "c")
        await system.wait_applied()


@pytest.mark.parametrize("own_redis", [("--rename-command", "CONFIG", "")], indirect=True)
async def test_a_redis_that_forbids_config_is_told_of_and_not_refused(own_redis: FreshStack) -> None:
    async with System(own_redis) as system:
        found = findings(system, ok=True)
        assert {"appendfsync", "no-appendfsync-on-rewrite"} <= found.keys()
        assert not {"appendonly", "maxmemory-policy"} & found.keys(), "INFO says these as well"
        told = system.run("check", "--running").stdout.decode()
        assert "told: Redis: appendfsync could not be read; make sure that it is everysec or always" in told
        system.start_worker()
        await system.wait_owned()


async def test_a_worker_refuses_topics_that_are_not_kept(fresh_stack: FreshStack) -> None:
    async with System(fresh_stack) as system:
        assert findings(system, ok=True) == {"replication factor": False}
        set_topic(system, "retention.ms", "604800000", ORDERS)
        set_topic(system, "cleanup.policy", "compact", *TOPICS)
        told = refused(system)
        assert f"- retention: topic {system.prefix}orders: retention.ms is 604800000, must be -1" in told
        assert "cleanup.policy is compact, must be delete" in told
        assert "SEGMENTS_ALLOW_UNSAFE=compaction,retention" in told
        set_topic(system, "cleanup.policy", "delete", DEFINITIONS)
        assert f"- retention: topic {system.prefix}definitions: cleanup.policy is delete, must be compact" in refused(
            system
        )


def set_topic(system: System, name: str, value: str, *topics: str) -> None:
    """Set a setting of topics."""
    admin = AdminClient({"bootstrap.servers": system.kafka})
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resources = [
        ConfigResource(ResourceType.TOPIC, system.prefix + topic, incremental_configs=[entry]) for topic in topics
    ]
    for answer in admin.incremental_alter_configs(resources).values():
        answer.result(TIMEOUT_S)


def delete_records(system: System, topic: str, before: int) -> None:
    """As retention does it."""
    admin = AdminClient({"bootstrap.servers": system.kafka})
    for answer in admin.delete_records([TopicPartition(system.prefix + topic, 0, before)]).values():
        answer.result(TIMEOUT_S)


def orders(*numbers: int) -> dict[str, bytes]:
    """An order each of some customers."""
    return {f"c{number}": order(f"c{number}", wall_clock() - DAY) for number in numbers}


async def test_a_worker_refuses_to_go_on_behind_input_that_was_never_applied(fresh_stack: FreshStack) -> None:
    async with System(fresh_stack, partitions=1) as system:
        worker = system.start_worker()
        system.send_all(ORDERS, orders(*range(10)))
        await system.wait_applied()
        assert system.stop_worker(worker) == 0
        system.send_all(ORDERS, orders(*range(10, 30)))
        delete_records(system, ORDERS, 25)
        told = refused(system)
        assert (
            "orders[0] was applied up to offset 10, and Kafka's log begins at 25: retention took 15 records that were "
            "never applied" in told
        )
        assert "segments rebuild" in told
        system.start_worker(allow_unsafe="gap")
        await system.wait_applied()
        members = (await system.members())["first_time_buyer"]
        assert members == sorted(orders(*range(10), *range(25, 30)))

        whole = system.run("rebuild")
        assert whole.returncode == 1
        assert b"segments rebuild --incomplete" in whole.stderr
        assert (await system.members())["first_time_buyer"] == members
        assert system.run("rebuild", "--incomplete").returncode == 0
        await system.wait_applied()
        assert (await system.members())["first_time_buyer"] == sorted(orders(*range(25, 30)))
        changes = await system.read(SEGMENT_CHANGES)
        assert [change["sequence"] for change in changes] == list(range(1, len(changes) + 1))
        exits = {change["customer_id"] for change in changes if change["cause"]["kind"] == "rebuild"}
        assert exits == orders(*range(10)).keys()


async def test_a_worker_refuses_a_topic_that_was_made_anew(fresh_stack: FreshStack) -> None:
    admin = AdminClient({"bootstrap.servers": fresh_stack.stack.bootstrap_servers})

    async def gone(_reader: Reader) -> bool:
        return fresh_stack.namespace + ORDERS not in admin.list_topics(timeout=TIMEOUT_S).topics

    async def both(reader: Reader) -> bool:
        return (await reader.sizes(["first_time_buyer"]))["first_time_buyer"] == 12

    async with System(fresh_stack, partitions=1) as system:
        worker = system.start_worker()
        system.send_all(ORDERS, orders(*range(10)))
        await system.wait_applied()
        assert system.stop_worker(worker) == 0
        for answer in admin.delete_topics([system.prefix + ORDERS]).values():
            answer.result(TIMEOUT_S)
        await system.wait("the topic is gone", gone)
        assert system.run("topics").returncode == 0
        system.send_all(ORDERS, orders(50, 51))
        told = refused(system)
        assert "orders[0] was applied up to offset 10, and Kafka's log ends at 2: the topic was made anew" in told
        rebuilt = system.run("rebuild")
        assert rebuilt.returncode == 1
        assert b"first start a worker once with SEGMENTS_ALLOW_UNSAFE=gap" in rebuilt.stderr
        system.start_worker(allow_unsafe="gap")
        await system.wait("the new topic's orders applied", both)
        assert (await system.members())["first_time_buyer"] == sorted(orders(*range(10), 50, 51))


async def test_a_new_system_begins_where_kafka_does(fresh_stack: FreshStack) -> None:
    async with System(fresh_stack, partitions=1) as system:
        system.send_all(ORDERS, orders(*range(10)))
        delete_records(system, ORDERS, 7)
        system.start_worker()
        await system.wait_applied()
        assert (await system.members())["first_time_buyer"] == sorted(orders(7, 8, 9))


async def test_a_state_that_is_lost_with_its_first_input_is_made_of_what_there_is(fresh_stack: FreshStack) -> None:
    async with System(fresh_stack, partitions=1) as system, Redis.from_url(system.redis_url) as redis:
        worker = system.start_worker()
        system.send_all(ORDERS, orders(*range(10)))
        await system.wait_applied()
        assert system.stop_worker(worker) == 0
        delete_records(system, ORDERS, 4)
        await redis.flushdb()
        done = system.run("worker")
        assert done.returncode == 1
        assert b"'orders' begins at offset 4" in done.stderr
        assert system.run("rebuild", "--incomplete").returncode == 0
        system.start_worker()
        await system.wait_applied()
        assert (await system.members())["first_time_buyer"] == sorted(orders(*range(4, 10)))


async def test_a_worker_starts_where_the_change_stream_was_deleted(fresh_stack: FreshStack) -> None:
    async with System(fresh_stack, partitions=1) as system:
        worker = system.start_worker()
        system.send_all(ORDERS, orders(*range(10)))
        await system.wait_applied()
        assert system.stop_worker(worker) == 0
        delete_records(system, SEGMENT_CHANGES, -1)
        system.start_worker()
        system.send_all(ORDERS, orders(10))
        await system.wait_applied()
        assert [change["sequence"] for change in await system.read(SEGMENT_CHANGES)] == [11]
