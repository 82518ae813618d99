"""Keeps tests on one Kafka and one Redis apart: topic names of their own, and a Redis database of their own."""

from itertools import count
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import redis
from confluent_kafka.admin import AdminClient

from streams.stacks import Stack, StackError

_DATABASES = 16
_TIMEOUT_S = 15


class FreshStack(NamedTuple):
    """A stack for one test: `stack.redis_url` is an empty database, `namespace` begins the names of its topics."""

    stack: Stack
    namespace: str


class Databases:
    """Hands out empty Redis databases in turn.

    A database that held something before we came is somebody's, and is never flushed: `REDIS_URL` may be anything.
    """

    def __init__(self, redis_url: str) -> None:
        """Remember the server; its databases are looked at when their turn comes."""
        self._url = urlsplit(redis_url)
        self._ours: set[int] = set()
        self._turns = count()

    def claim(self) -> str:
        """The URL of the next database that is ours, flushed.

        Raises:
            StackError: every database holds something that is not ours.
        """
        for turn in (next(self._turns) for _ in range(_DATABASES)):
            number = turn % _DATABASES
            if self._take(number):
                return self._address(number)
        raise StackError("every Redis database holds data that the tests did not write; give them an empty one")

    def release(self) -> None:
        """Flush whatever was handed out."""
        for number in self._ours:
            with redis.Redis.from_url(self._address(number)) as client:
                client.flushdb()

    def _take(self, number: int) -> bool:
        with redis.Redis.from_url(self._address(number)) as client:
            if number not in self._ours and client.dbsize():
                return False
            self._ours.add(number)
            client.flushdb()
            return True

    def _address(self, number: int) -> str:
        return urlunsplit(self._url._replace(path=f"/{number}"))


def delete_topics(bootstrap_servers: str, namespace: str) -> None:
    """Delete every topic whose name begins with `namespace`, and wait for the broker's word."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 2})
    topics = [name for name in admin.list_topics(timeout=_TIMEOUT_S).topics if name.startswith(namespace)]
    if topics:
        for answer in admin.delete_topics(topics).values():
            answer.result(_TIMEOUT_S)
