"""What a peer is told, and what it says while it runs. Nothing but the standard library: peers have their own.

The task comes as JSON in the first argument. The peer prints a line when the first event comes, when half of them are
handled, and when all are; the harness sees for itself when Kafka has all changes, and ends the peer then.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Task:
    """What to do, and where.

    Attributes:
        kafka: bootstrap servers.
        source: topic of the events.
        target: topic of the changes.
        group: consumer group, or whatever names the program to Kafka.
        events: how many there are.
        directory: for the program's own files; it does not exist yet.
        redis: URL of an empty Redis database, for a program that keeps its state there; else empty.
        transactions: exactly once by Kafka's transactions, else at least once.
        cache: let the state store write back late.
        linger: milliseconds that the producer may wait for company; -1 leaves the default.
    """

    kafka: str
    source: str
    target: str
    group: str
    events: int
    directory: str
    redis: str = ""
    transactions: bool = False
    cache: bool = False
    linger: int = -1

    def as_json(self) -> str:
        """For the first argument."""
        return json.dumps(asdict(self))


def given() -> Task:
    """The task in the first argument."""
    return Task(**json.loads(sys.argv[1]))


@dataclass(frozen=True)
class Mark:
    """How far a peer had come: events handled, at which second since 1970, with how many CPU seconds."""

    events: int
    at: float
    cpu: float


_WORD = "MARK "


class Marks:
    """Counts events, and prints the marks."""

    def __init__(self, events: int) -> None:
        """Of so many events."""
        self._events = events
        self._count = 0

    def begin(self) -> None:
        """Call before an event is handled."""
        if self._count == 0:
            self._mark()

    def handled(self) -> None:
        """Call after each event."""
        self._count += 1
        if self._count in (self._events // 2, self._events):
            self._mark()

    def _mark(self) -> None:
        print(f"{_WORD}{self._count} {time.time():.6f} {time.process_time():.3f}", flush=True)


def marks_in(log: str) -> list[Mark]:
    """The marks among the lines that a peer printed; one that is not whole yet does not count."""
    words = [line.split() for line in log.splitlines(keepends=True) if line.startswith(_WORD) and line.endswith("\n")]
    return [Mark(int(events), float(at), float(cpu)) for _word, events, at, cpu in words]
