"""Ways to have a Kafka and a Redis. Whatever brings them up hands out a `Stack`: the two addresses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stack:
    """A running Kafka and a running Redis.

    Attributes:
        kind: how they came up: `embedded`, `local`, `docker` or `env`.
        bootstrap_servers: Kafka's `host:port`, several with commas between them.
        redis_url: `redis://host:port/database`.
    """

    kind: str
    bootstrap_servers: str
    redis_url: str


class StackError(Exception):
    """A server that did not come up, or went away; the message carries the end of its log."""
