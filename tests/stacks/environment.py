"""The env stack: servers that are there already, named by `KAFKA_BOOTSTRAP_SERVERS` and `REDIS_URL`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from streams.stacks import Stack

_KAFKA = "KAFKA_BOOTSTRAP_SERVERS"
_REDIS = "REDIS_URL"


def missing_for_environment() -> list[str]:
    """The variables that are not set; empty if there is an env stack."""
    return [name for name in (_KAFKA, _REDIS) if not os.environ.get(name)]


@contextmanager
def environment_stack() -> Iterator[Stack]:
    """The addresses from the environment; nothing is started or ended."""
    yield Stack("env", os.environ[_KAFKA], os.environ[_REDIS])
