"""A Kafka and a Redis that the suite may break, each also by way of a proxy."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis

from streams.stacks import StackError
from streams.stacks.guarded import free_port
from streams.stacks.redis_server import APPEND_ONLY, RedisServer
from tests.faults.proxy import Proxy
from tests.stacks.kafka_server import KafkaServer
from tests.stacks.local import missing_for_local, system_redis_server

_NO_REWRITE = ("--auto-aof-rewrite-percentage", "0", "--aof-load-truncated", "yes")
_PATIENCE = 20.0


class Refusal(StrEnum):
    """Why Redis refuses writes; the value is the setting that makes it."""

    MEMORY = "maxmemory"
    """It has no memory left."""
    LONE = "min-replicas-to-write"
    """It wants a replica, and has none."""
    READ_ONLY = "replicaof"
    """It is itself the replica of nobody."""


class Servers:
    """Both servers and their proxies. Use `servers()`.

    Attributes:
        directory: where they keep their data; others may put files there.
    """

    def __init__(self, directory: Path) -> None:
        """Choose ports and folders; nothing starts yet.

        Raises:
            StackError: this machine lacks a program.
        """
        missing = missing_for_local()
        program = system_redis_server()
        if missing or program is None:
            raise StackError(f"the fault suite starts and breaks its own servers; missing: {', '.join(missing)}")
        self.directory = directory
        for name in ("kafka", "redis"):
            (directory / name).mkdir()
        self._redis_directory = directory / "redis"
        self.kafka = KafkaServer(directory / "kafka")
        self.redis = RedisServer(program, self._redis_directory, (*APPEND_ONLY, *_NO_REWRITE))
        redis_port = free_port()
        self.kafka_proxy = Proxy(self.kafka.proxy_port, self.kafka.proxied_port)
        self.redis_proxy = Proxy(redis_port, self.redis.port)
        self.proxied_kafka = f"127.0.0.1:{self.kafka.proxy_port}"
        self.proxied_redis = f"redis://127.0.0.1:{redis_port}/0"
        self.client: Redis = Redis.from_url(self.redis.url)

    def start(self) -> None:
        """Start all."""
        self.redis.start()
        self.kafka.start()
        self.kafka_proxy.start()
        self.redis_proxy.start()

    def stop(self) -> None:
        """End all."""
        self.client.close()
        self.kafka_proxy.stop()
        self.redis_proxy.stop()
        self.kafka.kill()
        self.redis.kill()

    def log_size(self) -> int:
        """Bytes in Redis' append-only file."""
        return self._log().stat().st_size

    def crash_redis(self, keep: int) -> None:
        """Kill Redis, cut its append-only file after `keep` bytes, start it again, and have it rewrite the file.

        Without the last, the next start would carry out the beginning of the transaction that was cut: Redis skips it
        when it loads the file, but leaves it there, and appends to it (valkey-io/valkey#4342 tells of it).

        Raises:
            StackError: it does not rewrite the file.
        """
        self.redis.kill()
        os.truncate(self._log(), keep)
        self.redis.start()
        self.client.bgrewriteaof()
        end = time.monotonic() + _PATIENCE
        while self._persistence()["aof_rewrite_in_progress"] or self._persistence()["aof_rewrite_scheduled"]:
            if time.monotonic() > end:
                raise StackError("Redis does not rewrite its append-only file")
            time.sleep(0.02)

    def _persistence(self) -> dict[str, Any]:
        found: Any = self.client.info("persistence")
        return dict(found)

    def _log(self) -> Path:
        """The file that Redis appends to: the latest of those that its manifest calls incremental."""
        return max((self._redis_directory / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)

    def refuse(self, how: Refusal) -> None:
        """Have Redis refuse writes."""
        if how is Refusal.READ_ONLY:
            self.client.replicaof("127.0.0.1", str(free_port()))
        else:
            self.client.config_set(how.value, "1")

    def relent(self, how: Refusal) -> None:
        """Have it take them again."""
        if how is Refusal.READ_ONLY:
            self.client.replicaof("NO", "ONE")
        else:
            self.client.config_set(how.value, "0")


@contextmanager
def servers(keep: Path | None = None) -> Iterator[Servers]:
    """Both servers, started, in a temporary directory that is gone when it ends; or in one that is kept.

    Raises:
        StackError: one of them cannot be started here.
    """
    with TemporaryDirectory(prefix="segments-faults-", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary) if keep is None else keep.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        made = Servers(directory)
        try:
            made.start()
            yield made
        finally:
            made.stop()
