"""The race on *mini*: our worker and every peer in turn, on one Kafka and Redis, on the same events, checked."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from bench import mini
from bench.builds import UnavailableError
from bench.checking import members_stored
from bench.entrants import OURS, OURS_SINGLE, PEERS, Entrant
from bench.load import LoadPlan, generate
from bench.outputs import Ends, Heard, committed, hear
from bench.peers.task import Mark, Task, marks_in
from bench.system import PATIENCE, BenchError, Installation, ensure_alive, say, servers
from bench.throughput import follow
from bench.usage import peak_memory, redis_bytes, usage
from schemas.instants import Instant
from schemas.names import REROUTED, SEGMENT_CHANGES
from streams.stacks import StackError
from streams.stacks.guarded import GuardedProcess

OUR_TITLE = "one worker of ours, three topics"
OUR_SINGLE_TITLE = "one worker of ours, one topic"
_PAUSE = 0.05
_PER = 100_000
_LOG, _SMALL_LOG = REROUTED, "mini-small"
"""All events on one topic: `rerouted` is the one of ours that takes every type."""
_LATE = 60.0
"""Seconds that a peer has for its last changes after its last event."""


@dataclass(frozen=True)
class Lap:
    """One run of one program.

    Attributes:
        who: its title.
        rate: events/s from the first event handled until Kafka had all changes.
        rate_from_start: the same from the start of the process.
        steady_rate: of the second half of the events.
        steady_cpu: CPU seconds of its process per 100,000 events of the second half.
        steady_redis_cpu: of redis-server, likewise; of a peer, over all events.
        cpu: CPU seconds of its process per 100,000 events, from the first event to the last.
        peak_bytes: of the process, resident.
        redis_bytes: allocated by Redis when all was done, beyond what it had before.
        flips: changes on the topic; `right_flips` are to be there.
        late: those of them that ours says a late event made: it came after a later one of the customer.
        astray: customers whose changes are not the oracle's, in its order.
        misplaced: memberships at the end that are not the oracle's.
    """

    who: str
    events: int
    customers: int
    rate: float
    rate_from_start: float
    steady_rate: float
    steady_cpu: float
    steady_redis_cpu: float
    cpu: float
    peak_bytes: int
    redis_bytes: int
    flips: int
    right_flips: int
    late: int
    astray: int
    misplaced: int


@dataclass(frozen=True)
class Log:
    """Events on a topic, and what must come of them."""

    plan: LoadPlan
    topic: str
    right: mini.Flips

    @classmethod
    def of(cls, plan: LoadPlan, topic: str) -> "Log":
        """The log of a plan, with the oracle's word on it."""
        return cls(plan, topic, mini.right_flips(generate(plan)))


@dataclass
class Race:
    """What is to be run, and what could not be.

    Attributes:
        events: of the log.
        customers: of the log.
        small_events: what slow peers get of it: fewer customers, each with as many events over as long a time.
        until: the instant of the last event.
        repeats: how often everybody runs; the order alternates.
        only: names of those who run; all if empty.
        skipped: title of a peer that could not be run -> the reason.
    """

    events: int
    customers: int
    small_events: int
    until: Instant
    repeats: int
    only: Sequence[str] = ()
    skipped: dict[str, str] = field(default_factory=dict)

    def plan(self, events: int) -> LoadPlan:
        """A log of so many events."""
        return LoadPlan(events, max(1, self.customers * events // self.events), self.until, mix=mini.MIX)


def run(race: Race) -> Iterator[Lap]:
    """The laps, in the order in which they were run.

    Raises:
        BenchError: one of them could not be.
    """
    ready = [(peer, command) for peer in PEERS if _takes_part(race, peer.name) and (command := _prepared(race, peer))]
    with servers() as both:
        three, one = both.install(), both.install()
        say(f"mini: {race.events:,} events of {race.customers:,} customers; working out what must come of them")
        log, small = Log.of(race.plan(race.events), _LOG), Log.of(race.plan(race.small_events), _SMALL_LOG)
        laps: list[tuple[str, Callable[[], Lap]]] = []
        if _takes_part(race, OURS):
            three.fill(generate(log.plan), log.plan.instants())
            laps.append((OUR_TITLE, lambda: _ours(three, log, OUR_TITLE)))
        if _takes_part(race, OURS_SINGLE):
            laps.append((OUR_SINGLE_TITLE, lambda: _ours(one, log, OUR_SINGLE_TITLE)))
        if _takes_part(race, OURS_SINGLE) or not all(peer.slow for peer, _command in ready):
            _fill(one, log)
        if any(peer.slow for peer, _command in ready):
            one.create([_SMALL_LOG])
            _fill(one, small)
        laps += [(peer.title, _lap_of(one, peer, command, small if peer.slow else log)) for peer, command in ready]
        for repeat in range(race.repeats):
            for who, lap in laps if repeat % 2 == 0 else laps[::-1]:
                yield from _tried(race, who, lap)


def _fill(at: Installation, log: Log) -> None:
    at.fill((message._replace(topic=log.topic) for message in generate(log.plan)), log.plan.instants())


def _takes_part(race: Race, name: str) -> bool:
    return not race.only or name in race.only


def _prepared(race: Race, peer: Entrant) -> list[str]:
    try:
        return peer.prepare()
    except UnavailableError as reason:
        say(f"{peer.title} is left out: {reason}")
        race.skipped[peer.title] = str(reason)
        return []


def _tried(race: Race, who: str, run_it: Callable[[], Lap]) -> Iterator[Lap]:
    """The lap; of a peer that fails there is none, and the report says why."""
    try:
        lap = run_it()
    except (BenchError, StackError) as failure:
        if who in {OUR_TITLE, OUR_SINGLE_TITLE}:
            raise
        say(f"{who} failed: {failure}")
        race.skipped[who] = f"a run failed: {failure}"
        return
    say(
        f"{lap.who}: steady {lap.steady_rate:,.0f} events/s, whole {lap.rate:,.0f}, CPU {lap.steady_cpu:.2f}"
        f"+{lap.steady_redis_cpu:.2f}; {lap.flips:,} of {lap.right_flips:,} changes, {lap.late:,} late, "
        f"{lap.astray} customers astray, {lap.misplaced} misplaced"
    )
    yield lap


def _ours(at: Installation, log: Log, title: str) -> Lap:
    """Our worker."""
    at.empty()
    empty, started = redis_bytes(at.redis), time.perf_counter()
    worker = at.start_worker(definitions=str(mini.DEFINITIONS), clock_at=str(log.plan.until))
    first, half, last = follow(at, worker, log.plan)
    peak = peak_memory(worker.pid)
    worker.stop()
    share, steady_share = _PER / (last.applied - first.applied), _PER / (last.applied - half.applied)
    heard = _heard(at)
    return Lap(
        who=title,
        events=log.plan.events,
        customers=log.plan.customers,
        rate=(last.applied - first.applied) / (last.at - first.at),
        rate_from_start=log.plan.events / (last.at - started),
        steady_rate=(last.applied - half.applied) / (last.at - half.at),
        steady_cpu=(last.used.process - half.used.process) * steady_share,
        steady_redis_cpu=(last.used.redis - half.used.redis) * steady_share,
        cpu=(last.used.process - first.used.process) * share,
        peak_bytes=peak,
        redis_bytes=redis_bytes(at.redis) - empty,
        flips=mini.count(heard.flips),
        right_flips=mini.count(log.right),
        late=heard.late,
        astray=mini.astray(log.right, heard.flips),
        misplaced=mini.misplaced(mini.members(log.right), members_stored(at.redis, mini.SEGMENTS)),
    )


def _heard(at: Installation) -> Heard:
    return hear(committed(at.bootstrap, at.prefix + SEGMENT_CHANGES))


def _lap_of(at: Installation, peer: Entrant, command: list[str], log: Log) -> Callable[[], Lap]:
    return lambda: _lap(at, peer, command, log)


def _lap(at: Installation, peer: Entrant, command: list[str], log: Log) -> Lap:
    """A peer, on its one topic."""
    at.empty()
    empty, redis_before, started = redis_bytes(at.redis), usage(os.getpid(), at.redis).redis, time.time()
    process = start(at, peer, command, log.topic, log.plan.events)
    ends = Ends(at.bootstrap, at.prefix + SEGMENT_CHANGES)
    try:
        (first, half, last), done, peak = _watch(process, ends, peer, mini.count(log.right))
        redis_cpu = usage(os.getpid(), at.redis).redis - redis_before
    finally:
        process.stop()
    heard = _heard(at)
    events, second = log.plan.events, log.plan.events - log.plan.events // 2
    return Lap(
        who=peer.title,
        events=events,
        customers=log.plan.customers,
        rate=events / (done - first.at),
        rate_from_start=events / (done - started),
        steady_rate=second / (last.at - half.at),
        steady_cpu=(last.cpu - half.cpu) * _PER / second,
        steady_redis_cpu=redis_cpu * _PER / events if peer.in_redis else 0.0,
        cpu=(last.cpu - first.cpu) * _PER / events,
        peak_bytes=peak,
        redis_bytes=redis_bytes(at.redis) - empty if peer.in_redis else 0,
        flips=mini.count(heard.flips),
        right_flips=mini.count(log.right),
        late=heard.late,
        astray=mini.astray(log.right, heard.flips),
        misplaced=mini.misplaced(mini.members(log.right), mini.members(heard.flips)),
    )


_ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[1])}
"""So that a Python peer, which has an environment of its own, finds `bench.peers`."""


def start(  # what a task needs
    at: Installation, peer: Entrant, command: list[str], source: str, events: int, linger: int = -1
) -> GuardedProcess:
    """Start a peer on a topic that has so many events; see `Task` for `linger`."""
    name = f"{peer.name}-{uuid4().hex[:6]}"
    task = Task(
        kafka=at.bootstrap,
        source=at.prefix + source,
        target=at.prefix + SEGMENT_CHANGES,
        group=at.group,
        events=events,
        directory=str(at.directory / f"{name}-state"),
        redis=at.redis_url if peer.in_redis else "",
        transactions=peer.transactions,
        cache=peer.cache,
        linger=linger,
    )
    return at.start(name, [*command, task.as_json()], _ENVIRONMENT)


def marks_of(process: GuardedProcess) -> list[Mark]:
    """What a peer has said of how far it has come; its log may not be there yet."""
    return marks_in(process.log.read_text()) if process.log.exists() else []


def _watch(process: GuardedProcess, ends: Ends, peer: Entrant, flips: int) -> tuple[list[Mark], float, int]:
    """Wait for a peer: its three marks, when Kafka had all changes, and the most memory that it had.

    With transactions, Kafka has them when none is open any more; their ends count as messages.
    """
    peak, end, late = 0, time.monotonic() + PATIENCE, 0.0
    while True:
        ensure_alive(process)
        with suppress(OSError, StopIteration):  # it ends between the question and the answer
            peak = peak_memory(process.pid)
        marks = marks_of(process)
        if len(marks) == 3:  # noqa: PLR2004 # first, half, last
            written = ends.written()
            if (ends.stable() == written) if peer.transactions else (sum(written) >= flips):
                return marks, time.time(), peak
            late = late or time.monotonic() + _LATE
        if time.monotonic() > (late or end):
            raise BenchError(f"{peer.title} has not come to an end: {marks}, {ends.written()} of {flips} changes")
        time.sleep(_PAUSE)
