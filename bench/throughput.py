"""How many events a second one worker applies, from filled topics; and a peer that goes event by event."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from bench.checking import Members, definitions, differences, expected, stored
from bench.load import LoadPlan, generate
from bench.peers.faust_event_by_event import Measured, Task, members_of
from bench.system import PATIENCE, BenchError, Installation, ensure_alive, say, servers
from bench.usage import Usage, peak_memory, redis_bytes, usage
from streams.settings import Settings
from streams.stacks.guarded import GuardedProcess

WORKER = "one worker"
PEER = "Faust, event by event"
_PAUSE = 0.05
_PER = 100_000


@dataclass(frozen=True)
class Speed:
    """One run.

    Attributes:
        contest: customers of our worker's log; runs of the same contest are compared.
        rate: events/s from the first one applied to the last, with every change in Kafka.
        steady_rate: the same for the second half of the events.
        process_cpu: CPU seconds of the classifying process per 100,000 events.
        redis_cpu: CPU seconds of redis-server per 100,000 events.
        peak_bytes: of the process, resident.
        redis_bytes: allocated by Redis when all was done, beyond what it had before.
        wrong: memberships that differ from the core's own answer.
    """

    who: str
    contest: int
    events: int
    customers: int
    rate: float
    steady_rate: float
    process_cpu: float
    redis_cpu: float
    peak_bytes: int
    redis_bytes: int
    transitions: int
    wrong: int


@dataclass(frozen=True)
class Moment:
    """How far a worker had come, when, and with how much CPU."""

    at: float
    applied: int
    used: Usage


@dataclass(frozen=True)
class Contest:
    """What is to be measured against what.

    Attributes:
        plan: of the events for our worker.
        peer_events: how many of the peer's; its log is the same in small: fewer customers, each with as many
            events over as long a time.
        check_one_in: which part of the customers is checked.
        repeats: how often both run; who goes first alternates.
    """

    plan: LoadPlan
    peer_events: int
    check_one_in: int
    repeats: int

    @property
    def peer_plan(self) -> LoadPlan:
        """The log in small."""
        plan = self.plan
        customers = max(1, round(plan.customers * self.peer_events / plan.events))
        return LoadPlan(self.peer_events, customers, plan.until, seed=plan.seed)


def compare(contest: Contest) -> Iterator[Speed]:
    """Runs of our worker and of the peer, in the order in which they were made.

    Raises:
        BenchError: one of them could not be made.
    """
    plan, small = contest.plan, contest.peer_plan
    with servers() as both:
        ours, peer = both.install(), both.install()
        say(f"publishing {plan.events:,} events of {plan.customers:,} customers")
        ours.fill(generate(plan))
        peer.fill(generate(small))
        say("working out who must be in which segment")
        right = expected(generate(plan), plan.until, contest.check_one_in)
        right_small = expected(generate(small), small.until)
        for repeat in range(contest.repeats):
            runs: list[Callable[[], Speed]] = [
                lambda: run_worker(ours, plan, right, contest.check_one_in),
                lambda: run_peer(peer, small, right_small, plan.customers),
            ]
            for run in runs if repeat % 2 == 0 else reversed(runs):
                speed = run()
                say(f"{speed.who}: {speed.rate:,.0f} events/s, steady {speed.steady_rate:,.0f}; {speed.wrong} wrong")
                yield speed


def run_worker(ours: Installation, plan: LoadPlan, right: Members, one_in: int) -> Speed:
    """One worker on topics that are filled already."""
    ours.empty()
    empty = redis_bytes(ours.redis)
    worker = ours.start_worker(clock_at=str(plan.until))
    first, half, last = follow(ours, worker, plan)
    peak = peak_memory(worker.pid)
    worker.stop()
    share = _PER / (last.applied - first.applied)
    return Speed(
        who=WORKER,
        contest=plan.customers,
        events=plan.events,
        customers=plan.customers,
        rate=(last.applied - first.applied) / (last.at - first.at),
        steady_rate=(last.applied - half.applied) / (last.at - half.at),
        process_cpu=(last.used.process - first.used.process) * share,
        redis_cpu=(last.used.redis - first.used.redis) * share,
        peak_bytes=peak,
        redis_bytes=redis_bytes(ours.redis) - empty,
        transitions=ours.transitions(),
        wrong=differences(right, stored(ours.redis, one_in)),
    )


def follow(ours: Installation, worker: GuardedProcess, plan: LoadPlan) -> tuple[Moment, Moment, Moment]:
    """Watch a worker: the moments when the first events were applied, half of them, and all with all changes sent.

    Raises:
        BenchError: it ended, or did not come to an end.
    """
    moments: list[Moment] = []
    goals = [1, plan.events // 2, plan.events]
    end = time.monotonic() + PATIENCE
    while True:
        applied = ours.applied()
        while len(moments) < len(goals) and applied >= goals[len(moments)]:
            if applied == plan.events and (ours.due(plan.until) or ours.unrelayed()):
                break
            moments.append(Moment(time.perf_counter(), applied, usage(worker.pid, ours.redis)))
        if len(moments) == len(goals):
            return moments[0], moments[1], moments[2]
        ensure_alive(worker)
        if time.monotonic() > end:
            raise BenchError(f"gave up after {applied:,} of {plan.events:,} events")
        time.sleep(_PAUSE)


def run_peer(peer: Installation, plan: LoadPlan, right: Members, contest: int) -> Speed:
    """The peer on topics that are filled already."""
    peer.empty()
    empty, cpu = redis_bytes(peer.redis), usage(os.getpid(), peer.redis).redis
    result = peer.directory / "peer.json"
    task = Task(
        kafka=peer.bootstrap,
        redis=peer.redis_url,
        prefix=peer.prefix,
        group=peer.group,
        definitions=Settings().definitions_path().read_text(),
        events=plan.events,
        directory=str(peer.directory / "faust"),
        result=str(result),
    )
    program = [sys.executable, "-m", Task.__module__, msgspec.json.encode(task).decode()]
    process = peer.start("peer", program)
    peak = _until_it_ends(process)
    if not result.exists():
        raise BenchError(f"the peer failed; its log ends: {process.log.read_text()[-2000:]}")
    took = msgspec.json.decode(result.read_bytes(), type=Measured)
    result.unlink()
    return Speed(
        who=PEER,
        contest=contest,
        events=plan.events,
        customers=plan.customers,
        rate=plan.events / took.seconds,
        steady_rate=(plan.events - plan.events // 2) / (took.seconds - took.seconds_to_half),
        process_cpu=took.cpu * _PER / plan.events,
        redis_cpu=(usage(os.getpid(), peer.redis).redis - cpu) * _PER / plan.events,
        peak_bytes=peak,
        redis_bytes=redis_bytes(peer.redis) - empty,
        transitions=took.transitions,
        wrong=differences(right, members_of(peer.redis, definitions(), plan.until)),
    )


def _until_it_ends(process: GuardedProcess) -> int:
    """Wait for a process; the most memory that was seen of it."""
    peak, end = 0, time.monotonic() + PATIENCE
    while process.is_alive():
        with suppress(OSError, StopIteration):  # it ends between the question and the answer
            peak = peak_memory(process.pid)
        if time.monotonic() > end:
            raise BenchError(f"{process.name} did not come to an end")
        time.sleep(_PAUSE)
    return peak
