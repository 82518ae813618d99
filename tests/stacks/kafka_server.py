"""A single Kafka broker in KRaft combined mode on loopback ports, from jars."""

import shutil
import socket
import struct
import subprocess
from pathlib import Path

from streams.stacks import StackError
from streams.stacks.guarded import GuardedProcess, free_port
from tests.stacks.kafka_jars import kafka_classpath

_START_TIMEOUT_S = 90
_FORMAT_TIMEOUT_S = 60
_CLUSTER_ID = "c2VnbWVudHMtdGVzdHMtMQ"
# Metadata request, version 1, no client id, no topics; the answer is size, correlation id, count of brokers, …
_METADATA_REQUEST = struct.pack(">ihhihi", 14, 3, 1, 1, -1, 0)
_METADATA_ANSWER = struct.Struct(">iii")
_JVM = ("-Xms256m", "-Xmx512m", "-Djava.awt.headless=true")


def _settings(directory: Path, port: int, controller_port: int, proxied_port: int, proxy_port: int) -> dict[str, str]:
    address, controller = f"127.0.0.1:{port}", f"127.0.0.1:{controller_port}"
    inside, outside = f"127.0.0.1:{proxied_port}", f"127.0.0.1:{proxy_port}"
    return {
        "node.id": "1",
        "process.roles": "broker,controller",
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{address},PROXIED://{inside},CONTROLLER://{controller}",
        # Whoever comes by way of a proxy is told to come back that way.
        "advertised.listeners": f"PLAINTEXT://{address},PROXIED://{outside}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(directory / "data"),
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # After a crash the broker has to wait until its own old registration has run out: 9 s as it stands.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # A test's first consumer should not wait for others that might come, nor a deleted topic linger.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.segment.delete.delay.ms": "1000",
        "file.delete.delay.ms": "1000",
    }


class KafkaServer:
    """A broker that starts, stops, crashes and comes back on the same ports with the same data.

    Args:
        directory: where its data, its configuration and its log go.
    """

    def __init__(self, directory: Path) -> None:
        """Choose the ports; nothing starts yet."""
        self.port = free_port()
        self.proxied_port = free_port()
        """For a proxy to connect to: clients that came by here are told to come back by `proxy_port`."""
        self.proxy_port = free_port()
        """For a proxy to listen on."""
        self._directory = directory
        self._properties = directory / "server.properties"
        self._process: GuardedProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the broker, 0 while it does not run."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start and wait until it answers; the first time, format its storage.

        Raises:
            StackError: the storage could not be formatted, or the broker did not come up.
        """
        if self._process is None:
            self._format()
            self._process = GuardedProcess(
                "kafka", [*self._java(), "kafka.Kafka", str(self._properties)], self._directory
            )
        self._process.start(self._answers, _START_TIMEOUT_S)

    def stop(self) -> None:
        """End it in good order; the data stays."""
        if self._process:
            self._process.stop(timeout_s=30)

    def kill(self) -> None:
        """Crash it; the data stays as the crash left it."""
        if self._process:
            self._process.kill()

    def restart(self) -> None:
        """End it if it runs, and start it on the same data and ports."""
        self.stop()
        self.start()

    def _format(self) -> None:
        settings = _settings(self._directory, self.port, free_port(), self.proxied_port, self.proxy_port)
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        storage = [*self._java(), "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._properties)]
        result = subprocess.run(
            storage, capture_output=True, text=True, check=False, timeout=_FORMAT_TIMEOUT_S, stdin=subprocess.DEVNULL
        )
        if result.returncode:
            raise StackError(f"Kafka's storage could not be formatted: {(result.stdout + result.stderr)[-2000:]}")

    def _java(self) -> list[str]:
        program = shutil.which("java")
        if program is None:
            raise StackError("Kafka needs a Java 17 or newer on the PATH")
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [program, *_JVM, quiet, "-cp", kafka_classpath()]

    def _answers(self) -> bool:
        """Whether it lists itself as a broker, which it does once it has joined its own quorum and takes topics."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(_METADATA_REQUEST)
                answer = connection.recv(_METADATA_ANSWER.size, socket.MSG_WAITALL)
        except OSError:
            return False
        if len(answer) < _METADATA_ANSWER.size:
            return False
        _, _, brokers = _METADATA_ANSWER.unpack(answer)
        return bool(brokers)
