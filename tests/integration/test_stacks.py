"""Every way to have a Kafka and a Redis gives a Kafka and a Redis, and leaves nothing behind."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from redis.asyncio import Redis

from schemas.names import COMPACTED, ORDERS, TOPICS
from streams.stacks import Stack, StackError
from streams.stacks.embedded import embedded_stack
from streams.stacks.guarded import GuardedProcess
from tests.stacks import choose
from tests.stacks.docker import docker_stack, missing_for_docker
from tests.stacks.isolation import Databases, FreshStack
from tests.stacks.local import LocalStack, local_servers, missing_for_local

_PARTITIONS = 3
_LAST = _PARTITIONS - 1

_HOLDS_A_STACK = """
import sys
from streams.stacks.embedded import embedded_stack
with embedded_stack() as stack:
    print(stack.redis_url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def embedded() -> Iterator[Stack]:
    with embedded_stack(partitions=_PARTITIONS) as stack:
        yield stack


@pytest.fixture
def breakable() -> Iterator[LocalStack]:
    missing = missing_for_local()
    if missing:
        pytest.skip(f"a server can only be broken where it is our own; missing: {', '.join(missing)}")
    with local_servers() as servers:
        yield servers


def _create(bootstrap_servers: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(topic, _PARTITIONS, 1)])[topic].result(15)


async def _produce(bootstrap_servers: str, topic: str, value: bytes) -> int:
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True, request_timeout_ms=15_000
    ) as producer:
        record = await producer.send_and_wait(topic, value, key=b"c1", partition=_LAST)
        offset: int = record.offset
        return offset


async def _consume(bootstrap_servers: str, topic: str, group: str) -> bytes | None:
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, group_id=group, auto_offset_reset="earliest"
    ) as consumer:
        assert await consumer.end_offsets([TopicPartition(topic, _LAST)]) == {TopicPartition(topic, _LAST): 1}
        record = await consumer.getone()
        value: bytes | None = record.value
        return value


async def _round_trip(stack: Stack, topic: str) -> None:
    """One record and one key, there and back."""
    assert await _produce(stack.bootstrap_servers, topic, b"paid") == 0
    assert await _consume(stack.bootstrap_servers, topic, f"{topic}-readers") == b"paid"
    async with Redis.from_url(stack.redis_url) as client:
        await client.set("last", "paid")
        assert await client.get("last") == b"paid"


async def test_the_embedded_stack_passes_a_record_and_keeps_a_key(embedded: Stack) -> None:
    await _round_trip(embedded, ORDERS)


def test_the_embedded_stack_has_every_topic_with_the_partitions_asked_for(embedded: Stack) -> None:
    topics = AdminClient({"bootstrap.servers": embedded.bootstrap_servers}).list_topics(timeout=15).topics
    assert {name: len(topic.partitions) for name, topic in topics.items()} == dict.fromkeys(
        (*TOPICS, *COMPACTED), _PARTITIONS
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_embedded_stack_leaves_nothing_behind(how: signal.Signals, tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS_A_STACK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"TMPDIR": str(tmp_path)},
    )
    with holder:
        assert holder.stdout
        address = urlsplit(holder.stdout.readline().decode().strip())
        assert list(tmp_path.iterdir())
        holder.send_signal(how)
    # The guard removes the folder when the server has ended; after a kill that may be a moment later than we are here.
    deadline = time.monotonic() + 15
    while list(tmp_path.iterdir()):
        assert time.monotonic() < deadline, f"left: {list(tmp_path.rglob('*'))}"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(address.hostname), address.port or 0))


@pytest.mark.parametrize(
    ("script", "timeout_s", "said"),
    [("echo no such setting; exit 1", 15, "ended while it started.*no such setting"), ("sleep 60", 0, "not get ready")],
)
def test_a_server_that_does_not_come_up_is_an_error_with_its_log(
    script: str, timeout_s: float, said: str, tmp_path: Path
) -> None:
    server = GuardedProcess("broken", ["sh", "-c", script], tmp_path)
    with pytest.raises(StackError, match=f"(?s){said}"):
        server.start(lambda: False, timeout_s)
    assert not server.is_alive()


def test_a_server_that_runs_is_not_started_twice(tmp_path: Path) -> None:
    server = GuardedProcess("sleeper", ["sleep", "60"], tmp_path)
    server.start(lambda: True, 15)
    with pytest.raises(StackError, match="stop it first"):
        server.start(lambda: True, 15)
    assert server.is_alive()
    server.kill()
    assert not server.is_alive()


async def test_a_redis_database_with_foreign_data_is_never_flushed(embedded: Stack) -> None:
    async with Redis.from_url(embedded.redis_url) as client:
        await client.set("somebody's", "data")
        databases = Databases(embedded.redis_url)
        claimed = [databases.claim() for _ in range(16)]
        assert embedded.redis_url not in claimed
        databases.release()
        assert await client.get("somebody's") == b"data"


@pytest.mark.parametrize("wanted", ["env", "nonsense"])
def test_a_stack_that_is_asked_for_and_cannot_be_is_an_error(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv(choose.VARIABLE, wanted)
    with pytest.raises(StackError, match=choose.VARIABLE):
        choose.real_stack()


@pytest.mark.broker
async def test_the_real_stack_passes_a_record_and_keeps_a_key(fresh_stack: FreshStack) -> None:
    topic = f"{fresh_stack.namespace}orders"
    _create(fresh_stack.stack.bootstrap_servers, topic)
    await _round_trip(fresh_stack.stack, topic)


@pytest.mark.broker
@pytest.mark.parametrize("break_it", ["stop", "kill"])
async def test_a_restarted_local_server_has_its_data(break_it: str, breakable: LocalStack) -> None:
    topic, kafka, redis = "kept", breakable.kafka, breakable.redis
    _create(kafka.bootstrap_servers, topic)
    await _round_trip(Stack("local", kafka.bootstrap_servers, redis.url), topic)
    for server in (kafka, redis):
        getattr(server, break_it)()
        assert server.pid == 0
        server.start()
    assert await _consume(kafka.bootstrap_servers, topic, "late-readers") == b"paid"
    async with Redis.from_url(redis.url) as client:
        assert await client.get("last") == b"paid"


@pytest.mark.docker
async def test_containers_pass_a_record_and_keep_a_key() -> None:
    missing = missing_for_docker()
    if missing:
        pytest.skip(missing)
    with docker_stack() as stack:
        _create(stack.bootstrap_servers, ORDERS)
        await _round_trip(stack, ORDERS)
