"""How far a group has come in each shard, kept with the group's own state: that makes an effect happen once.

A change and its effect are told apart by `shard` and `sequence`. Whoever writes an effect and the sequence in one
transaction, and looks at the sequence first, has each effect exactly once, whatever is delivered again, and though
two members of a group may take themselves for the owner of a shard at the same time.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple, Protocol, TypeVar

State = TypeVar("State")
State_co = TypeVar("State_co", covariant=True)
"""What an effect writes to: a pipeline, a connection."""
Act = Callable[[State], Awaitable[None]]


class Position(NamedTuple):
    """A place in a shard."""

    sequence: int
    """Of the latest change that is done; 0: none."""
    offset: int
    """Where reading goes on in the shard's partition."""


class Positions(Protocol[State_co]):
    """The positions of groups, beside the state that their effects go to."""

    async def load(self, group: str, shards: Collection[int]) -> dict[int, Position]:
        """The positions of those shards that have one.

        Raises:
            UnavailableError: the state cannot be reached now.
        """

    async def once(self, group: str, shard: int, position: Position, act: Act[State_co]) -> bool:
        """Carry out an effect and store the position, both or neither; False: it is there already, nothing was done.

        A position without a change (sequence 0) is stored only where there is none.

        Raises:
            UnavailableError: the state cannot be reached now.
            Exception: whatever the effect raises; nothing was stored.
        """

    async def forget(self, group: str) -> None:
        """Drop all positions of a group: what it reads from then on, it does anew.

        Raises:
            UnavailableError: the state cannot be reached now.
        """


def is_done(stored: Position | None, position: Position) -> bool:
    """Whether a stored position is at or beyond another one."""
    return stored is not None and stored.sequence >= position.sequence


async def nothing(_state: object) -> None:
    """The effect of a change that has none."""


class MemoryPositions:
    """Positions of this process, for effects that it holds itself; its state is `None`, and it cannot undo one."""

    def __init__(self) -> None:
        """Nobody has read anything."""
        self._stored: dict[tuple[str, int], Position] = {}

    async def load(self, group: str, shards: Collection[int]) -> dict[int, Position]:
        """See `Positions`."""
        return {shard: self._stored[group, shard] for shard in shards if (group, shard) in self._stored}

    async def once(self, group: str, shard: int, position: Position, act: Act[None]) -> bool:
        """See `Positions`."""
        if is_done(self._stored.get((group, shard)), position):
            return False
        await act(None)
        self._stored[group, shard] = position
        return True

    async def forget(self, group: str) -> None:
        """See `Positions`."""
        self._stored = {key: position for key, position in self._stored.items() if key[0] != group}
