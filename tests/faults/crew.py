"""The workers of a schedule, and who looks after them: whoever ends without being told to is started again."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.instants import Instant
from streams.clock import wall_clock
from streams.stacks.guarded import GuardedProcess
from tests.faults.launcher import VARIABLE, Hooks, Page, event_time
from tests.faults.plan import Plan

_COMMAND = [sys.executable, "-m", "tests.faults.launcher", "worker", "--log-level", "warning"]
_KILLED = 128 + signal.SIGKILL
_GRACE = 40.0
_TAIL = 1_500


@dataclass(frozen=True)
class Death:
    """A worker that ended without being told to.

    Attributes:
        code: its exit code, 137 if it was killed.
        doomed: it died at the step that it was to die at.
        log: the end of its log.
    """

    worker: str
    code: int | None
    doomed: bool
    log: str


class Worker:
    """One worker process."""

    def __init__(self, name: str, directory: Path, environment: dict[str, str], hooks: Hooks, *, static: bool) -> None:
        """Start it. A static member of the group comes back under its name."""
        self.name, self.hooks, self.static = name, hooks, static
        if static:
            environment = environment | {"SEGMENTS_INSTANCE_ID": name}
        self.page = Page(Path(hooks.page))
        encoded = msgspec.json.encode(hooks).decode()
        self.process = GuardedProcess(name, _COMMAND, directory, {**environment, VARIABLE: encoded})
        self.process.start(lambda: True, _GRACE)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.is_alive()

    def send(self, what: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.process.pid, what)


class Crew:
    """Workers by name."""

    def __init__(self, plan: Plan, directory: Path, environment: dict[str, str], produce_timeout: int) -> None:
        """None has started."""
        self._plan, self._directory, self._environment = plan, directory, environment
        self._produce_timeout = produce_timeout
        self._time = Page(directory / "time.page")
        self.workers: dict[str, Worker] = {}
        self.deaths: list[Death] = []
        self.unclean: list[str] = []
        """Workers that did not end with exit code 0 when told to."""

    def start(self, name: str, step: str = "", passages: int = 0, *, static: bool = False) -> None:
        """Start a worker; one with a step dies there, after so many passages once it is armed."""
        hooks = Hooks(
            plan=self._plan,
            page=str(self._directory / f"{name}.page"),
            step=step,
            produce_timeout=self._produce_timeout,
        )
        page = Page(Path(hooks.page))
        page.clear()
        page.begin, page.end, page.passages = self._time.begin, self._time.end, passages
        self.workers[name] = Worker(name, self._directory, self._environment, hooks, static=static)

    def begin(self, at: Instant) -> None:
        """Let the workers' clock run from this wall-clock instant on."""
        for page in self._pages():
            page.begin = at

    def end(self, at: Instant) -> None:
        """Let the workers' clock stop when it shows this."""
        for page in self._pages():
            page.end = at

    def clock(self) -> Instant:
        """What the workers' clock shows, if it is right."""
        return event_time(self._plan, self._time, wall_clock())

    def _pages(self) -> list[Page]:
        return [self._time, *(worker.page for worker in self.workers.values())]

    def shift(self, name: str, seconds: int) -> None:
        """Set a worker's wall clock ahead, or back."""
        self.workers[name].page.shift = seconds * 1_000_000

    def arm(self, name: str, passages: int) -> None:
        """Have a worker die when it has passed its step so often from now on."""
        self.workers[name].page.passages = passages

    @property
    def up(self) -> bool:
        """Whether every worker has taken shards."""
        return all(worker.page.claims for worker in self.workers.values())

    def kill(self, name: str) -> None:
        """End a worker as a crash does."""
        self.workers.pop(name).process.kill()

    def stop(self, name: str) -> None:
        """End a worker in good order."""
        worker = self.workers.pop(name)
        process = worker.process
        process.stop(_GRACE)
        if process.exit_code != 0 and worker.page.claims:
            self.unclean.append(f"{name} ended with {process.exit_code} when told to stop: {_tail(process.log)}")

    def send(self, name: str, what: signal.Signals) -> None:
        """Send a signal to a worker."""
        self.workers[name].send(what)

    def stop_all(self) -> None:
        """End all in good order, at the same time, once they are up."""
        end = time.monotonic() + _GRACE
        while not self.up and time.monotonic() < end:
            time.sleep(0.05)
        for worker in self.workers.values():
            if worker.alive:
                worker.send(signal.SIGTERM)
        while any(worker.alive for worker in self.workers.values()) and time.monotonic() < end:
            time.sleep(0.02)
        for name in list(self.workers):
            self.stop(name)

    def explain(self) -> None:
        """Have every worker write into its log what it waits for."""
        for worker in self.workers.values():
            if worker.alive and worker.page.claims:
                worker.send(signal.SIGUSR1)

    def kill_all(self) -> None:
        """End all, however they are."""
        for name in list(self.workers):
            self.kill(name)

    def look_after(self) -> None:
        """Start again, without a step to die at, whoever has ended."""
        for name, worker in list(self.workers.items()):
            if not worker.alive:
                self._bury(worker)
                self.start(name, static=worker.static)

    def wait_for_death(self, name: str, seconds: float) -> bool:
        """Wait until a worker has died at its step; False if it did not."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.workers[name].alive:
                self._bury(self.workers.pop(name))
                return self.deaths[-1].doomed
            time.sleep(0.02)
        return False

    def _bury(self, worker: Worker) -> None:
        process = worker.process
        process.stop()
        doomed = bool(worker.hooks.step) and process.exit_code == _KILLED
        self.deaths.append(Death(worker.name, process.exit_code, doomed, _tail(process.log)))


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_TAIL:] if log.exists() else ""
