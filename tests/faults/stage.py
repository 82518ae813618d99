"""One schedule under way: what its script may do, and what is measured meanwhile."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4

import msgspec

from schemas.instants import SECOND, Instant
from schemas.names import SEGMENT_CHANGES
from streams.clock import wall_clock
from streams.kafka.topics import ensure_topics
from tests.faults.crew import Crew
from tests.faults.gauge import Gauge
from tests.faults.ledger import Subscriber
from tests.faults.plan import Plan
from tests.faults.servers import Servers

PARTITIONS = 6
SESSION = 3
"""Seconds until the group gives up a worker."""
_PATIENCE = 60.0
"""Seconds in which a system that is waited for must get on, be it by a single record."""
_LIMIT = 240.0
"""Seconds for which it is waited for, even if it does."""
_UNDER_LOAD = 20.0
"""Seconds after a fault for which the load goes on until the system has caught up."""


class FaultsError(Exception):
    """A schedule that could not be played, or whose system never came to rest; the message says why."""


@dataclass
class Injected:
    """One fault that was injected.

    Attributes:
        kind: what it was.
        lasted: seconds from injected to healed.
        catch_up: seconds from healed until the system had caught up; None if it never had.
        relieved: it had not under load, which was ended then; on a machine that is too slow, or too busy.
    """

    kind: str
    lasted: float = 0.0
    catch_up: float | None = None
    relieved: bool = False


class _Patience:
    """Waits for as long as the system gets on: on a busy machine, slow is not wrong."""

    def __init__(self, gauge: Gauge, start: float) -> None:
        self._gauge, self._start, self._moved = gauge, start, start
        self._progress: tuple[int, ...] = ()

    def wait(self, what: str) -> float:
        """The seconds waited so far.

        Raises:
            FaultsError: it stands still, or it took too long.
        """
        now, progress = time.monotonic(), self._gauge.progress
        if progress != self._progress:
            self._progress, self._moved = progress, now
        if now - self._moved > _PATIENCE or now - self._start > _LIMIT:
            still = f"nothing has happened for {now - self._moved:.0f} s"
            raise FaultsError(f"{what}, {now - self._start:.0f} s since then, {still}: {self._gauge.latest}")
        return now - self._start


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How the system of a schedule is set up.

    Attributes:
        workers: how many.
        static: they are static members of the group.
        kafka_proxied: they reach Kafka by way of the proxy.
        redis_proxied: they reach Redis by way of the proxy.
        produce_timeout: milliseconds that the sink waits for Kafka; 0: as it is.
        step: the first worker dies there, once it is armed.
    """

    workers: int = 2
    static: bool = False
    kafka_proxied: bool = False
    redis_proxied: bool = False
    produce_timeout: int = 0
    step: str = ""


@dataclass
class Stage:
    """Everything that a script may touch. Use `stage`."""

    servers: Servers
    plan: Plan
    random: Random
    prefix: str
    crew: Crew
    gauge: Gauge
    subscriber: Subscriber
    environment: dict[str, str]
    """Of commands, past every proxy."""
    _load: "subprocess.Popen[bytes]"
    injected: list[Injected] = field(default_factory=list)
    began: float = 0.0
    """When the load began, by the monotonic clock."""
    sent: int = 0
    """Messages of the plan that were sent."""
    as_of: Instant = 0
    """Where the workers' clock stopped."""
    ended: float = 0.0
    """When the producer had sent everything; 0 while it is at it."""

    def begin(self) -> None:
        """Wait for the workers, then start the load, and with it their clock.

        Raises:
            FaultsError: the workers do not start.
        """
        self.await_up()
        wall = wall_clock()
        if self._load.stdin is None or self._load.poll() is not None:
            raise FaultsError("the load did not start")
        self._load.stdin.write(b"%f\n" % (wall / 1e6))
        self._load.stdin.flush()
        self.crew.begin(wall)
        self.began = time.monotonic()

    def await_up(self) -> None:
        """Wait until every worker has taken shards.

        Raises:
            FaultsError: one does not.
        """
        end = time.monotonic() + _PATIENCE
        while not self.crew.up:
            if time.monotonic() > end:
                raise FaultsError(f"the workers did not take their shards; deaths: {self.crew.deaths}")
            self.rest(0.05)

    def play(self, until: float) -> None:
        """Let the load run until so many seconds after it began."""
        while time.monotonic() < self.began + until and not self.ended:
            self.rest(0.1)

    def rest(self, seconds: float) -> None:
        """Look after the workers, and let time pass."""
        end = time.monotonic() + seconds
        while True:
            self.crew.look_after()
            self.gauge.look()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.1))

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        """What goes on in here is a fault; when it ends, it is healed, and the system is waited for.

        Raises:
            FaultsError: it does not catch up.
        """
        injected = Injected(kind)
        self.injected.append(injected)
        start = time.monotonic()
        yield
        healed = time.monotonic()
        injected.lasted = healed - start
        patience = _Patience(self.gauge, healed)
        while not self.gauge.caught_up(healed):
            waited = patience.wait(f"not caught up after {kind} was healed")
            if waited > _UNDER_LOAD and not self.ended:
                self.end_load(early=True)
                injected.relieved = True
            self.rest(0.1)
        injected.catch_up = time.monotonic() - healed

    def end_load(self, *, early: bool) -> None:
        """End the load; `early`: before all of the plan was sent. Then the workers' clock stops a second later.

        Raises:
            FaultsError: it did not go as planned.
        """
        load = self._load
        self.as_of = self.plan.end
        if early:
            self.as_of = min(self.plan.end, self.crew.clock() + int(self.plan.speed * SECOND))
            self.crew.end(self.as_of)
            load.terminate()
            self.ended = time.monotonic()
        while load.poll() is None:
            self.rest(0.1)
        self.ended = self.ended or time.monotonic()
        said, errors = load.communicate()
        if load.returncode:
            raise FaultsError(f"the load failed: {errors.decode()}")
        self.sent = int(said)

    def drain(self) -> None:
        """Wait until the system has nothing left to do.

        Raises:
            FaultsError: that does not happen.
        """
        patience = _Patience(self.gauge, time.monotonic())
        while not self.gauge.finished():
            patience.wait(f"no rest after the load; the ledger: {self.subscriber.ledger.latest}")
            self.rest(0.1)

    def close(self) -> None:
        """End every process of this schedule that still runs."""
        self._load.kill()
        self._load.communicate()
        self.crew.kill_all()


@contextmanager
def stage(servers: Servers, plan: Plan, setting: Setting, random: Random) -> Iterator[Stage]:
    """A system for one schedule: topics of its own, an empty Redis, workers that have been started."""
    prefix = f"f{uuid4().hex[:6]}-"
    servers.client.flushall()
    bootstrap = servers.kafka.bootstrap_servers
    asyncio.run(ensure_topics(bootstrap, prefix, PARTITIONS, 1))
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "REDIS_URL": servers.redis.url,
        "SEGMENTS_TOPIC_PREFIX": prefix,
        "SEGMENTS_GROUP": f"{prefix}group",
        "SEGMENTS_PARTITIONS": str(PARTITIONS),
        "SEGMENTS_SESSION_TIMEOUT": str(SESSION),
    }
    proxied = {"KAFKA_BOOTSTRAP_SERVERS": servers.proxied_kafka} if setting.kafka_proxied else {}
    proxied |= {"REDIS_URL": servers.proxied_redis} if setting.redis_proxied else {}
    folder = servers.directory / prefix
    folder.mkdir()
    crew = Crew(plan, folder, environment | proxied, setting.produce_timeout)
    subscriber = Subscriber(bootstrap, prefix + SEGMENT_CHANGES, PARTITIONS)
    gauge = Gauge(bootstrap, prefix, servers.client, PARTITIONS, crew.clock, subscriber.ledger)
    load = _start_load(bootstrap, prefix, plan)
    made = Stage(servers, plan, random, prefix, crew, gauge, subscriber, environment, load)
    subscriber.start()
    try:
        for number in range(setting.workers):
            step = setting.step if number == 0 else ""
            crew.start(f"worker-{'abcdef'[number]}", step, static=setting.static)
        yield made
    finally:
        made.close()
        subscriber.stop()


def _start_load(bootstrap: str, prefix: str, plan: Plan) -> "subprocess.Popen[bytes]":
    """The producer, which waits to be told when to begin."""
    command = [sys.executable, "-m", "tests.faults.load", bootstrap, prefix, msgspec.json.encode(plan).decode()]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
