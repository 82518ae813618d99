"""Trying again: a change a few times, whatever is only away for as long as it takes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from consumers.errors import UnavailableError

T = TypeVar("T")


@dataclass
class Retrying:
    """How often, and how long between; waits double, with some jitter, and end early when `stopped` is set."""

    attempts: int = 5
    first_wait: float = 0.1
    """Seconds."""
    longest_wait: float = 10.0
    """Seconds."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    sleep: Callable[[float], Awaitable[None]] | None = None
    """For tests; else the event loop's, cut short by a stop."""

    async def until_available(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it raises no `UnavailableError`; after a stop the next one is raised."""

        async def awaited() -> T:  # tenacity awaits only what is declared with `async`
            return await call()

        return await self._retrying(UnavailableError, lambda _state: self.stopped.is_set())(awaited)

    async def a_few_times(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call at most `attempts` times; what is away does not count, and the last error is raised.

        After a stop, `UnavailableError` is raised instead: the change is not given up, but left for the next start.
        """

        async def patient() -> T:
            return await self.until_available(call)

        last = stop_after_attempt(self.attempts)

        def stop(state: RetryCallState) -> bool:
            return last(state) or self.stopped.is_set()

        try:
            return await self._retrying(Exception, stop)(patient)
        except UnavailableError:
            raise
        except Exception as error:
            if self.stopped.is_set():
                raise UnavailableError("stopped between two attempts; the next start tries anew") from error
            raise

    def _retrying(self, kind: type[Exception], stop: Callable[[RetryCallState], bool]) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception_type(kind),
            stop=stop,
            wait=wait_exponential_jitter(self.first_wait, self.longest_wait, jitter=self.first_wait),
            sleep=self.sleep or self._sleep,
            reraise=True,
        )

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stopped.wait()
        except TimeoutError:
            return
