"""How long it takes through a peer, by the same harness: from an event of *mini* to the change that it causes."""

import time
from collections.abc import Iterator
from typing import Any

from bench import mini
from bench.builds import UnavailableError
from bench.entrants import Entrant, peer_called
from bench.latency import Latency, Pacing, Path, along, pace_of
from bench.load import LoadPlan, generate
from bench.race import marks_of, start
from bench.system import PATIENCE, BenchError, Installation, ensure_alive, say, servers
from schemas.names import REROUTED, SEGMENT_CHANGES
from streams.clock import wall_clock
from streams.stacks.guarded import GuardedProcess

_ALL_MARKS = 3
_RUNS = (("kafka-streams", -1), ("kafka-streams", 0), ("kafka-streams-eos", -1))
"""A peer, and how many milliseconds its producer may linger; -1: as many as its library lets it."""


def measure(pacing: Pacing, rate: int) -> Iterator[Latency]:
    """Latency of Kafka Streams, at least once and exactly once. One that cannot be had here is left out.

    Raises:
        BenchError: a run could not be made.
    """
    with servers() as both:
        for turn, (name, linger) in enumerate(_RUNS):
            peer = peer_called(name)
            try:
                command = peer.prepare()
            except UnavailableError as reason:
                say(f"{peer.title} is left out: {reason}")
                continue
            at = both.install()
            process = _warmed(at, peer, command, pacing, linger)
            title = peer.title if linger < 0 else f"{peer.title}, linger {linger}"
            yield along(Path(title, SEGMENT_CHANGES, _id_of_first), at, pace_of(pacing, at, rate, turn, REROUTED))
            process.stop()


def _warmed(at: Installation, peer: Entrant, command: list[str], pacing: Pacing, linger: int) -> GuardedProcess:
    """The peer, once it has handled the events of before."""
    plan = LoadPlan(pacing.events, pacing.customers, wall_clock(), mix=mini.MIX)
    at.fill(message._replace(topic=REROUTED) for message in generate(plan))
    process = start(at, peer, command, REROUTED, plan.events, linger)
    end = time.monotonic() + PATIENCE
    while len(marks_of(process)) < _ALL_MARKS:
        ensure_alive(process)
        if time.monotonic() > end:
            raise BenchError(f"{peer.title} did not handle the events of before")
        time.sleep(0.1)
    return process


def _id_of_first(body: Any) -> str | None:
    event_id: str | None = body["event_id"] if body["segment"] == "first_time" else None
    return event_id
