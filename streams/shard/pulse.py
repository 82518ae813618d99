"""Whether a worker stood still for so long that others may have taken its shards, and given them up again.

A store that lost its last writes may have lost such a claim. Then nothing in it tells the worker that it was away: only
its own clock does.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Pulse:
    """The signs of life of one worker.

    Attributes:
        limit: seconds without a sign of life that nobody else can have used.
        latest: when the latest one was, in seconds of a clock that also goes on while the worker does not.
        lapses: how often there was none for longer than that.
    """

    limit: float
    latest: float
    lapses: int = 0

    def beat(self, now: float) -> int:
        """A sign of life; how often there was none for too long, up to now."""
        if now - self.latest > self.limit:
            self.lapses += 1
        self.latest = now
        return self.lapses
