"""One seed from its plan to its verdict."""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from schemas.instants import HOUR
from schemas.names import INPUTS, SEGMENT_CHANGES
from streams.kafka import fetching
from streams.shard import relay
from tests.simulation import editions
from tests.simulation.broker import Broker, Lookout
from tests.simulation.checks import Finding, check
from tests.simulation.group import SESSION, Group
from tests.simulation.lateness import Watch, watched
from tests.simulation.loop import EndlessError, Process, SimulatedLoop
from tests.simulation.plan import LIVE, SEGMENTS, Fault, Plan, definitions
from tests.simulation.store import Disk
from tests.simulation.switches import Switches
from tests.simulation.worker import Worker
from tests.simulation.world import World

_INSTANT = 1e-9
PATIENCE = 40.0
"""Seconds of simulated time, after the last fault, in which everything must have been worked off."""


@dataclass
class Outcome:
    """What a seed came to."""

    seed: int
    findings: list[Finding]
    digest: str
    happened: Counter[str]
    transitions: int
    commits: int
    steps: int
    trace: list[str] = field(default_factory=list)

    @property
    def replay(self) -> str:
        """The command that shows it again."""
        return f"python -m tests.simulation --seed {self.seed} --trace"


class Simulation:
    """A running system, and the faults that befall it."""

    def __init__(self, plan: Plan, switches: Switches, *, keep_trace: bool = False) -> None:
        self.plan = plan
        self.world = World(plan, keep_trace=keep_trace)
        self.broker = Broker(self.world)
        self.disk = Disk(self.world, switches.store())
        self.lookout = Lookout(self.broker)
        self.edition: editions.Edition = {key: key for key in SEGMENTS}
        self.versions = 1
        """How many there are of the definitions."""
        self.parameters = editions.Parameters()
        self.definitions = editions.Topic(editions.written(self.edition, definitions()))
        self.disk.claimed.append(self.lookout.claimed)
        self.group = Group(self.world, plan.shards)
        self.workers: list[Worker] = []
        self.count = 0
        self.poison: set[str] = set()

    async def main(self) -> bool:
        """Run it all; whether everything was worked off in the end."""
        for _ in range(self.plan.workers):
            self.add_worker()
        shop = asyncio.ensure_future(self._publish())
        await self._misfortunes()
        await shop
        self._heal()
        return await self._drained()

    def add_worker(self) -> None:
        worker = Worker(self.count, self)
        self.count += 1
        self.workers.append(worker)
        worker.process.dies.append(lambda: self._died(worker))
        worker.start()

    def _died(self, worker: Worker) -> None:
        """A supervisor starts another one, soon."""
        self.world.note("dies", worker.process.name)
        self.workers.remove(worker)
        self.group.watch(worker)
        if not worker.app.should_stop:
            self.world.later(self.world.dice.uniform(0.1, 1.0), self.add_worker)

    async def _publish(self) -> None:
        loop = self.world.loop
        for message in self.plan.messages:
            await asyncio.sleep(max(0.0, message.at - loop.time()))
            place = (message.topic, message.shard)
            if message.kind == "poison":
                self.poison.add(f"{message.topic}-{message.shard}-{self.broker.end(place)}")
            self.broker.append(place, message.key, message.value, is_control=message.kind == "control")

    async def _misfortunes(self) -> None:
        loop = self.world.loop
        for fault in self.plan.faults:
            await asyncio.sleep(max(0.0, fault.at - loop.time()))
            self.world.note("fault:", fault.kind, f"{fault.which:.3f} {fault.size:.3f}")
            self.world.happened[fault.kind] += 1
            {"edit": self._edit, "refit": self._refit}.get(fault.kind, self._inject)(fault)
        await asyncio.sleep(max(0.0, LIVE - loop.time()))

    def _inject(self, fault: Fault) -> None:
        world, now = self.world, self.world.loop.time()
        match fault.kind:
            case "lost reply":
                world.lossy_until = now + fault.size
            case "store down":
                world.down_until = now + 2 * fault.size
            case "set back":
                self.disk.set_back(fault.size**2)
            case "emptied":
                self.disk.wipe()
            case "away":
                self.disk.away = True
            case "slow":
                world.slow_until = now + fault.size
            case "lost ack":
                self.broker.lossy_until = now + fault.size
            case "produce failure":
                self.broker.failing_until = now + fault.size
            case "clock jump":
                world.jump = int((2 * fault.size - 1) * HOUR)
            case _:
                self._befall(fault)

    def _refit(self, fault: Fault) -> None:
        """Publish other parameters of the predictions, and the definitions anew with them."""
        dice = Random(f"refit {fault.which}")  # noqa: S311 # it must be the same each time
        self.parameters.publish(dice.choice(editions.SHOPS))
        self.versions = number = self.versions + 1
        text = editions.written(self.edition, definitions())
        self.definitions.values.append(editions.published(number, text, "a", self.parameters.version, "fit"))

    def _edit(self, fault: Fault) -> None:
        """Publish other definitions; now and then two at once, of which the first counts."""
        dice = Random(f"edit {fault.which}")  # noqa: S311 # it must be the same each time
        self.versions = number = self.versions + 1
        self.edition = editions.drawn(dice, SEGMENTS)
        text, model = editions.written(self.edition, definitions()), self.parameters.version
        self.definitions.values.append(editions.published(number, text, "a", model))
        if dice.random() < 0.2:
            late = editions.written(editions.drawn(dice, SEGMENTS), definitions())
            self.definitions.values.append(editions.published(number, late, "b", model))

    def _befall(self, fault: Fault) -> None:
        """What happens to the group, or to one of its workers."""
        if fault.kind == "rebalance":
            self.group.rebalance()
        if fault.kind == "join" and len(self.workers) < 4:
            self.add_worker()
        able = [worker for worker in self.workers if not worker.process.paused and not worker.app.should_stop]
        if not able:
            return
        worker = able[int(fault.which * len(able))]
        match fault.kind:
            case "crash":
                worker.process.fuse = int(fault.size * 60)
            case "stop":
                if len(able) > 1:
                    self.world.loop.start(worker.process, worker.stop())
            case "pause":
                self._pause(worker, fault.size * SESSION * 0.8)
            case "zombie":
                self._pause(worker, SESSION * (1 + 2 * fault.size))
            case "claim lost":
                self._lose_claim(worker)

    def _lose_claim(self, worker: Worker) -> None:
        """It stands still until another has taken a shard of it and said something; then the store forgets all that."""
        ours, taken = set(worker.program.shards.owned), dict[int, float]()
        self._pause(worker, SESSION * 4)

        def claimed(process: Process, shard: int) -> None:
            if shard in ours and process is not worker.process:
                taken.setdefault(shard, self.world.loop.time())

        def said(place: tuple[str, int]) -> None:
            topic, shard = place
            if topic == SEGMENT_CHANGES and shard in taken and worker.process.paused:
                self.broker.listeners.remove(said)
                self.disk.set_back(self.world.loop.time() - taken[shard] + _INSTANT)
                self._resume(worker)

        self.disk.claimed.append(claimed)
        self.broker.listeners.append(said)

    def _pause(self, worker: Worker, seconds: float) -> None:
        worker.process.paused = True
        self.group.watch(worker)
        self.world.later(seconds, lambda: self._resume(worker))

    def _resume(self, worker: Worker) -> None:
        self.world.note("goes on", worker.process.name)
        if worker.process.alive and worker.process.paused:
            self.world.loop.resume(worker.process)
            self.world.later(self.world.dice.uniform(0.0, 0.5), lambda: self._heartbeat(worker))

    def _heartbeat(self, worker: Worker) -> None:
        """A member that was dropped learns of it, and joins anew."""
        if worker.process.alive and not worker.process.paused and worker.has_joined and not self.group.knows(worker):
            self.group.join(worker)

    def _heal(self) -> None:
        world = self.world
        world.note("heals")
        world.healed = True
        world.slow_until = world.lossy_until = world.down_until = 0.0
        self.broker.lossy_until = self.broker.failing_until = 0.0
        for worker in self.workers:
            worker.process.fuse = None

    async def _drained(self) -> bool:
        end = self.world.loop.time() + PATIENCE
        while self.world.loop.time() < end:
            await asyncio.sleep(0.2)
            if self._nothing_left():
                await asyncio.sleep(0.4)
                if self._nothing_left():
                    return True
        return False

    def _nothing_left(self) -> bool:
        """Everything is read, whatever is due is settled, and all changes are known to be in Kafka."""
        return all(
            all(state.offsets[topic] == self.broker.end((topic, shard)) for topic in INPUTS)
            and not any(due <= self.plan.end for due in state.dues.values())
            and not state.outbox
            and state.relayed == state.sequence
            and state.told is None
            and (not state.commit or (state.judging.version == self.versions and state.judging.sweep is None))
            for shard in range(self.plan.shards)
            for state in [self.disk.memory.shard(shard)]
        )


def run(plan: Plan, switches: Switches | None = None, *, keep_trace: bool = False) -> Outcome:
    """Run a plan, and check what it came to."""
    switches = switches or Switches()
    watch = Watch()
    with _quiet():
        simulation = Simulation(plan, switches, keep_trace=keep_trace)
        loop = simulation.world.loop
        clock = SimpleNamespace(monotonic=loop.time)
        with switches.active(), watched(watch), patch.object(fetching, "time", clock):
            findings, drained = _ran(loop, simulation)
        found, transitions = check(simulation, watch, switches, drained=drained)
        findings += found
        loop.close()
    world = simulation.world
    return Outcome(
        plan.seed,
        findings,
        world.digest(),
        world.happened,
        transitions,
        simulation.disk.commits,
        loop.steps,
        world.trace or [],
    )


def _ran(loop: SimulatedLoop, simulation: Simulation) -> tuple[list[Finding], bool]:
    """Run it; what came of that, and whether everything was worked off."""
    try:
        return [], loop.run(simulation.main())
    except EndlessError as error:
        return [Finding("endless", f"seed {simulation.plan.seed}", str(error))], True


@contextmanager
def _quiet() -> Iterator[None]:
    """No logs of the thousand crashes, no garbage collection in mid-run, and a relay that soon has too much waiting."""
    level, most = logging.root.manager.disable, relay.MAX_WAITING
    logging.disable(logging.CRITICAL)
    relay.MAX_WAITING = 3
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        relay.MAX_WAITING = most
        logging.disable(level)
