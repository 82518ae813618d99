"""Which real Kafka and Redis to use: the first kind that this machine has, or the one that was asked for."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from streams.stacks import Stack, StackError
from tests.stacks.docker import docker_stack, missing_for_docker
from tests.stacks.environment import environment_stack, missing_for_environment
from tests.stacks.local import local_stack, missing_for_local

VARIABLE = "SEGMENTS_TEST_STACK"
"""Set to `env`, `local` or `docker`, it leaves no choice."""


class _Kind(NamedTuple):
    obstacle: Callable[[], str | None]
    open: Callable[[], AbstractContextManager[Stack]]


def _missing(names: list[str]) -> str | None:
    return f"missing: {', '.join(names)}" if names else None


_KINDS = {
    "env": _Kind(lambda: _missing(missing_for_environment()), environment_stack),
    "local": _Kind(lambda: _missing(missing_for_local()), local_stack),
    "docker": _Kind(missing_for_docker, docker_stack),
}


def real_stack() -> AbstractContextManager[Stack] | None:
    """A real Kafka and Redis, to be opened with `with`; None where there is no way to have one.

    The first that is possible of `env`, `local`, `docker`; only the one named in `SEGMENTS_TEST_STACK`, if that is set.

    Raises:
        StackError: the kind that was asked for is unknown or not possible here; the message says why.
    """
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return next((kind.open() for kind in _KINDS.values() if kind.obstacle() is None), None)
    if wanted not in _KINDS:
        raise StackError(f"{VARIABLE} is {wanted!r}; it can be {', '.join(_KINDS)}")
    obstacle = _KINDS[wanted].obstacle()
    if obstacle is not None:
        raise StackError(f"{VARIABLE} asks for {wanted}, but {obstacle}")
    return _KINDS[wanted].open()


def why_no_stack() -> str:
    """For each kind, what stands in its way; a line for whoever wonders why tests were skipped."""
    return "; ".join(f"{name}: {kind.obstacle()}" for name, kind in _KINDS.items())
