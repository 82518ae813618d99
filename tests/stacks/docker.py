"""The docker stack: the official images through testcontainers, on an engine of this machine."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from streams.stacks import Stack
from streams.stacks.guarded import free_port

KAFKA_IMAGE = "apache/kafka:4.1.1"
REDIS_IMAGE = "redis:7"
_QUICK_S = 2
# The image's start script writes into copies of its configuration files, with the modes that the image was built with.
_KAFKA_COMMAND = ["sh", "-c", "chmod -Rf u+w /etc/kafka/docker /opt/kafka/config; exec /etc/kafka/docker/run"]
_LOOPBACK = "127.0.0.1"


def missing_for_docker() -> str | None:
    """Why there is no docker stack: no engine answers quickly, or an image cannot be had. None if there is one."""
    try:
        with closing(docker.from_env(timeout=_QUICK_S)) as engine:
            engine.ping()
    except DockerException:
        return "no Docker engine answers"
    try:
        with closing(docker.from_env()) as engine:
            for image in (KAFKA_IMAGE, REDIS_IMAGE):
                _have(engine, image)
    except DockerException as error:
        return f"the Docker engine has not all images and cannot pull them: {error}"
    return None


@contextmanager
def docker_stack() -> Iterator[Stack]:
    """A Kafka and a Redis in containers; both are removed when it ends."""
    # Its reaper is one image more to pull, and has the engine's socket; these containers end with this block.
    testcontainers_config.ryuk_disabled = True
    kafka_port, redis_port = free_port(), free_port()
    with _redis(redis_port), _kafka(kafka_port):
        yield Stack("docker", f"{_LOOPBACK}:{kafka_port}", f"redis://{_LOOPBACK}:{redis_port}/0")


def _redis(port: int) -> DockerContainer:
    container = (
        DockerContainer(REDIS_IMAGE)
        .with_command("redis-server --save '' --appendonly yes --appendfsync everysec --maxmemory-policy noeviction")
        .waiting_for(LogMessageWaitStrategy("Ready to accept connections"))
    )
    return _published(container, 6379, port)


def _kafka(port: int) -> DockerContainer:
    # The broker has to advertise its port on the host, so that port is chosen beforehand.
    container = (
        DockerContainer(KAFKA_IMAGE)
        .with_command(_KAFKA_COMMAND)
        .with_envs(
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_LISTENERS="PLAINTEXT://:9092,CONTROLLER://:9093",
            KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{_LOOPBACK}:{port}",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="1",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
        )
        .waiting_for(LogMessageWaitStrategy("Kafka Server started"))
    )
    return _published(container, 9092, port)


def _published(container: DockerContainer, inner: int, port: int) -> DockerContainer:
    # Not `with_bind_ports`: that publishes on every interface of the host.
    container.ports[str(inner)] = (_LOOPBACK, port)
    return container


def _have(engine: docker.DockerClient, image: str) -> None:
    try:
        engine.images.get(image)
    except ImageNotFound:
        engine.images.pull(image)
