"""The shop's events, each published when the demo's clock reaches it, and never too far ahead of the worker."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from schemas.errors import UndecodableError
from schemas.instants import Instant
from schemas.names import SITE_EVENTS
from schemas.wire import route
from streams.kafka.publisher import Publisher
from streams.sources.shop import Line

MOST_WAITING = 40_000
"""Events that wait for the worker at most: the mock Kafka keeps about 5 MB a partition, these are about 3."""
_TICK = 0.02
"""Seconds between two looks at the clock."""
_TURN = 200
"""Events between two turns of others on the loop."""
_IN_BULK: dict[str, Any] = {"linger.ms": 3_000, "log_level": 2}
"""The mock Kafka hands out one batch of a partition at a time, so the past goes into few large ones."""
_KEEPS_UP = 0.6
"""Seconds in which a worker that keeps up has applied what was sent, as far as somebody who looks now and then sees."""
_LIVE: dict[str, Any] = {"linger.ms": 20, "log_level": 2}


class Feed:
    """Publishes lines in their order. Broken ones are sent too: they become dead letters."""

    def __init__(self, bootstrap: str, live_at: Instant, clock: Callable[[], Instant]) -> None:
        """What occurred before `live_at` is sent at once, the rest as the clock reaches it."""
        self._bootstrap = bootstrap
        self._publisher = Publisher(bootstrap, **_IN_BULK)
        self._live_at = live_at
        self._clock = clock
        self.sent = 0
        self.applied = 0
        """Set this to what the worker has applied."""
        self.live = False
        """Whether the worker has read the past and keeps up."""
        self.reached: Instant = 0
        """When the event sent last occurred."""

    async def run(self, lines: Iterable[Line]) -> None:
        """Send all lines; ends after the last, if it is not cancelled before."""
        horizon = self._live_at
        for line in lines:
            while self.sent - self.applied >= MOST_WAITING:  # noqa: ASYNC110 # a count that others set
                await asyncio.sleep(_TICK)
            while line.instant > horizon:
                await (asyncio.sleep(_TICK) if self.live else self._catch_up())
                horizon = max(self._live_at, self._clock())
            self._send(line)
            if self.sent % _TURN == 0:
                await asyncio.sleep(0)

    async def _catch_up(self) -> None:
        """Wait until the worker has applied what was sent. Took it long, then the next bunch goes in bulk again."""
        begin = time.monotonic()
        await asyncio.to_thread(self._publisher.finish)
        while self.applied < self.sent:  # noqa: ASYNC110 # a count that others set
            await asyncio.sleep(_TICK)
        if time.monotonic() - begin < _KEEPS_UP and self._clock() >= self._live_at:
            self._publisher = Publisher(self._bootstrap, **_LIVE)
            self.live = True
        else:
            await asyncio.sleep(_TICK)

    def _send(self, line: Line) -> None:
        try:
            topic, key = route(line.raw)
        except UndecodableError:
            topic, key = SITE_EVENTS, ""
        self._publisher.send(topic, key, line.raw)
        self.sent += 1
        self.reached = line.instant

    def finish(self) -> None:
        """Let Kafka have what is still waiting."""
        self._publisher.finish()
