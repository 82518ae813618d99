"""The consumer group: who is a member, who reads what, and the eager rebalances at which everybody stops reading."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from faust.types import TP

from tests.simulation.loop import WORLD, Process
from tests.simulation.world import World

SESSION = 1.5
"""Seconds without a sign of life after which a member is out."""


class Member(Protocol):
    """A worker, as the group knows it."""

    process: Process

    async def revoked(self) -> None:
        """Stop reading: a rebalance has begun."""

    async def assigned(self, shards: frozenset[int], generation: int) -> None:
        """Read these from now on."""


class Group:
    """The coordinator."""

    def __init__(self, world: World, shards: int) -> None:
        self._world = world
        self._shards = shards
        self._members: list[Member] = []
        self._turns: defaultdict[Member, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._generation = 0
        self._round: asyncio.Task[None] | None = None
        self.offsets: dict[TP, int] = {}
        """What members committed, for lag monitors; where reading begins before it is sought elsewhere."""

    @property
    def rebalancing(self) -> bool:
        return self._round is not None and not self._round.done()

    def join(self, member: Member) -> None:
        self._members.append(member)
        self.rebalance()

    def leave(self, member: Member) -> None:
        if member in self._members:
            self._members.remove(member)
            self.rebalance()

    def knows(self, member: Member) -> bool:
        return member in self._members

    def watch(self, member: Member) -> None:
        """Drop a member that died or was paused, once its session has run out; if it comes back, it joins anew."""
        self._world.loop.start(WORLD, self._expire(member))

    async def _expire(self, member: Member) -> None:
        since, process = self._world.loop.time(), member.process
        await asyncio.sleep(SESSION)
        silent = not process.alive or (process.paused and process.resumed_at <= since)
        if silent and member in self._members:
            self._world.note("session expired", member.process.name)
            self.leave(member)

    def rebalance(self) -> None:
        """Begin anew, also where a rebalance is under way."""
        if self._round is not None:
            self._round.cancel()
        self._round = self._world.loop.start(WORLD, self._rebalance())

    async def _rebalance(self) -> None:
        joining = [(member, self._start(member, member.revoked)) for member in self._members]
        if joining:
            await asyncio.wait([task for _member, task in joining], timeout=SESSION)
        late = [member for member, task in joining if not task.done()]
        for member in late:
            self._members.remove(member)
        self._generation += 1
        shards = list(range(self._shards))
        self._world.dice.shuffle(shards)
        shares: list[list[int]] = [shards[n :: len(self._members)] for n in range(len(self._members))]
        for member, share in zip(self._members, shares, strict=True):
            self._world.note("assigned", member.process.name, sorted(share), "generation", self._generation)
            self._start(member, partial(member.assigned, frozenset(share), self._generation))

    def _start(self, member: Member, step: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        """Have a member take a step, after those that it was told of before."""
        return self._world.loop.start(member.process, self._soon(member, step))

    async def _soon(self, member: Member, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with self._turns[member]:
            await asyncio.sleep(self._world.delay())
            await step()
