"""Fixtures that every test may use: a real Kafka and Redis, a corner of them for one test, the public data."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from streams.stacks import Stack
from tests.stacks import choose
from tests.stacks.isolation import Databases, FreshStack, delete_topics

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_stack() -> Iterator[Stack]:
    """A real Kafka and Redis for the whole run. Skips where there is none; in CI that is a failure."""
    stack = choose.real_stack()
    if stack is None:
        reason = f"no real Kafka and Redis here ({choose.why_no_stack()})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with stack as running:
        yield running


@pytest.fixture(scope="session")
def _databases(real_stack: Stack) -> Iterator[Databases]:
    databases = Databases(real_stack.redis_url)
    yield databases
    databases.release()


@pytest.fixture
def namespace() -> str:
    """A short text that no other test has; topic names and consumer groups begin with it."""
    return f"t{uuid4().hex[:8]}-"


@pytest.fixture
def fresh_stack(real_stack: Stack, _databases: Databases, namespace: str) -> Iterator[FreshStack]:
    """The real stack as if it were new: an empty Redis database, and topics only of this test, deleted after it."""
    yield FreshStack(Stack(real_stack.kind, real_stack.bootstrap_servers, _databases.claim()), namespace)
    delete_topics(real_stack.bootstrap_servers, namespace)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets beside the repository. Skips where it is missing."""
    if not _SHARED_DATA.is_dir():
        pytest.skip("the public data sets are not beside this repository (../shared/data)")
    return _SHARED_DATA
