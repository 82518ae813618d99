"""What all parts of one simulated run share: the loop, the dice, the trace, the shop's clock, the network."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import Any, TypeVar

from schemas.instants import Duration, Instant
from tests.scenarios.events import START
from tests.simulation.loop import OWNER, SimulatedLoop
from tests.simulation.plan import LIVE, SPAN, Plan

T = TypeVar("T")

RESEND = 0.3
"""Seconds after which a client that got no answer asks again."""
TRIES = 4
"""How often it asks before it gives up."""


class UnreachableError(Exception):
    """A server did not answer; what was asked of it may have been done or not."""


class World:
    """One run's surroundings."""

    def __init__(self, plan: Plan, *, keep_trace: bool = False) -> None:
        self.plan = plan
        self.loop = SimulatedLoop()  # type: ignore[abstract] # what it lacks raises NotImplementedError
        self.dice = Random(f"schedule {plan.seed}")  # noqa: S311 # it must be the same each time
        self.happened: Counter[str] = Counter()
        """Faults by kind, as they came to pass."""
        self.needless_crashes: list[str] = []
        """Workers that ended although store and Kafka answered."""
        self.slow_until = 0.0
        self.lossy_until = 0.0
        self.down_until = 0.0
        self.healed = False
        self.jump: Duration = 0
        self.trace: list[str] | None = [] if keep_trace else None
        self._digest = hashlib.blake2b(digest_size=16)
        self._nobody = Context()

    def note(self, *what: object) -> None:
        """A line of the trace."""
        line = f"{self.loop.time():9.4f} {OWNER.get().name}: {' '.join(map(str, what))}"
        self._digest.update(line.encode())
        if self.trace is not None:
            self.trace.append(line)

    def digest(self) -> str:
        """The same for two runs only if all that was noted in them was the same."""
        return self._digest.hexdigest()

    def now(self, skew: Duration = 0) -> Instant:
        """The shop's time, by a clock that is off by so much."""
        if self.healed:
            return self.plan.end
        passed = SPAN if self.plan.backfill else int(self.loop.time() / LIVE * SPAN)
        return min(self.plan.end, START + passed + skew + self.jump)

    def delay(self) -> float:
        """How long something takes on its way: mostly a millisecond, now and then ten times that."""
        short = 0.0005 + 0.01 * self.dice.random() ** 4
        return short * 20 if self.loop.time() < self.slow_until else short

    def later(self, delay: float, act: Callable[[], object]) -> None:
        """Have the network do something, whatever becomes of those who asked for it."""
        self.loop.call_later(delay, act, context=self._nobody)

    async def ask(self, serve: Callable[[], T]) -> T:
        """Ask the store, as a client does that asks again when no answer comes.

        Raises:
            UnreachableError: no answer, however often it asked.
        """
        for _ in range(TRIES):
            answer: asyncio.Future[T] = self.loop.create_future()
            if self._reaches(serve, answer):
                return await answer
            await asyncio.sleep(RESEND)
        raise UnreachableError("the store does not answer")

    def _reaches(self, serve: Callable[[], T], answer: "asyncio.Future[T]") -> bool:
        """Send a request on its way; whether an answer will come."""
        now, roll = self.loop.time(), self.dice.random()
        if now < self.down_until:
            return False
        if now >= self.lossy_until or roll > 0.5:
            self.later(self.delay(), lambda: self._serve(serve, answer))
            return True
        if roll < 0.1:
            self.happened["lost request"] += 1
            return False
        late = self.delay() + (self.dice.uniform(0.0, 2.0) if roll > 0.3 else 0.0)
        self.happened["late request" if roll > 0.3 else "lost reply"] += 1
        self.later(late, lambda: self._serve(serve, None))
        return False

    def _serve(self, serve: Callable[[], T], answer: "asyncio.Future[T] | None") -> None:
        result: Any = None
        error: Exception | None = None
        try:
            result = serve()
        except Exception as refusal:  # noqa: BLE001 # the answer, whatever it is, is the client's
            error = refusal
        if answer is not None:
            self.later(self.delay(), lambda: _reply(answer, result, error))


def _reply(answer: "asyncio.Future[Any]", result: object, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
