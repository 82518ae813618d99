"""What a shard needs of its state, and the promises that every store keeps (`tests/contracts/` holds them to it).

One `commit` writes everything that a batch changed, or nothing. It is refused when the shard has another owner now
(`FencedError`), or when the state is not the one that the writer read (`StaleError`): older, because the store lost its
last writes, or newer. Called twice with the same commit, it recognises its own work.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from schemas.instants import Instant
from streams.state.judging import Judging


class StateError(Exception):
    """Base of every error that this package raises."""


class FencedError(StateError):
    """Another worker owns the shard now; what this one computed is void."""


class StaleError(StateError):
    """The stored state is not the one that this worker read; it must read again and seek back."""


class TopologyError(StateError):
    """The store was written with another number of shards than the topics have partitions."""


class VersionError(StateError):
    """The state was judged by a version of the definitions that is later than all that are known."""


class HistoryError(StateError):
    """The state must be made anew, and Kafka no longer has what it was made of."""


@dataclass(slots=True)  # not frozen: there is one per transition
class Outgoing:
    """A committed transition that may not be in Kafka yet."""

    sequence: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]] | None = field(default=None, compare=False)
    """What goes beside the value; worked out from it where the transition was read back from the store."""


@dataclass(frozen=True)
class Ownership:
    """What a worker finds when it takes a shard."""

    epoch: int
    commit: str
    """The latest commit's mark; the next one must name it."""
    offsets: dict[str, int]
    """Input topic -> the offset to read next."""
    sequence: int
    """Of the latest committed transition."""
    relayed: int
    """Of the latest transition known to be in Kafka."""
    outbox: list[Outgoing]
    """What was committed after `relayed`, in order."""
    told: int | None = None
    """Of a silent shard: the sequence up to which it is written down what subscribers were told. None: it speaks."""
    silent: dict[str, int] = field(default_factory=dict)
    """Input topic -> the offset that a silent shard speaks again from."""
    judging: Judging = field(default_factory=Judging)
    """By which definitions."""


@dataclass
class Stored:
    """What is stored about one customer; None where there is nothing."""

    profile: bytes | None = None
    live: bytes | None = None
    due: Instant | None = None


@dataclass
class Remembered:
    """What a silent shard remembers of a customer; None where there is nothing."""

    told: bytes | None = None
    """What subscribers were told."""
    before: bytes | None = None
    """The read model in the state that was there before a rebuild."""


@dataclass(frozen=True)
class Page:
    """Some of those of whom a profile is stored."""

    ids: list[str]
    cursor: str | None
    """Where the next page begins; None: this is the last one."""
    is_first: bool
    """It begins at the beginning; also where the cursor that was asked for means nothing any more."""


@dataclass
class Commit:
    """Everything that one batch changed."""

    epoch: int
    previous: str
    mark: str
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Input topic -> (the offset that the batch was read from, the one after it)."""
    sequence: tuple[int, int] = (0, 0)
    """(before, after) this commit."""
    relayed: int = 0
    profiles: dict[str, bytes] = field(default_factory=dict)
    lives: dict[str, bytes] = field(default_factory=dict)
    dues: dict[str, Instant | None] = field(default_factory=dict)
    """None takes the customer out of the due times."""
    entered: dict[str, list[str]] = field(default_factory=dict)
    """Segment -> customers."""
    exited: dict[str, list[str]] = field(default_factory=dict)
    outbox: list[Outgoing] = field(default_factory=list)
    judging: Judging | None = None
    """By which definitions from here on; None: as before."""
    silent: bool = False
    """Whether the writer takes the shard for silent. Falling silent and speaking leave the mark as it is: a store that
    lost one of them shows by this alone."""


class Store(Protocol):
    """The state of all shards."""

    async def topology(self, shards: int) -> None:
        """Write down the number of shards, or check it against the one written down.

        Raises:
            TopologyError: it is another one.
        """

    async def claim(self, shard: int) -> Ownership:
        """Become the owner of a shard: the epoch is raised, and every commit of an earlier owner is refused."""

    async def check(self, shard: int, epoch: int, mark: str) -> None:
        """Whether the state is still where its owner left it.

        Raises:
            FencedError: somebody else has claimed the shard.
            StaleError: it has lost writes, or was made anew.
        """

    async def load(self, shard: int, ids: list[str], place: tuple[int, str] | None = None) -> list[Stored]:
        """What is stored about some customers, in their order.

        Args:
            shard: its number.
            ids: the customers.
            place: epoch and mark that the state must be at. What was read of another state must never be committed to
                this one: a store that was emptied, and then came back, is at the same mark before and after.

        Raises:
            FencedError, StaleError: as with `check`, where a place is given.
        """

    async def due(self, shard: int, until: Instant, limit: int) -> list[tuple[str, Instant]]:
        """At most `limit` customers due at or before `until`, earliest first."""

    async def page(self, shard: int, cursor: str, count: int, place: tuple[int, str] | None = None) -> Page:
        """About `count` customers from a cursor on: `BEGINNING`, or what the page before gave, however long ago.

        Whoever is stored from the first page to the last is in one of them at least. `place`, errors: as with `load`.
        """

    async def commit(self, shard: int, commit: Commit) -> None:
        """Write a commit.

        Raises:
            FencedError: a later owner has claimed the shard.
            StaleError: the stored mark, offsets, sequence or silence are not those that the commit starts from, or the
                epoch is an earlier one: the store has lost its last writes.
        """

    async def remember(self, shard: int, epoch: int, told: Mapping[str, bytes], *, over: bool) -> None:
        """Write down what subscribers were told of some customers; `over` replaces what is written of them already.

        Raises:
            FencedError, StaleError: as with `commit`, by the epoch alone. So does `hush`.
        """

    async def recall(self, shard: int, ids: list[str]) -> list[bytes | None]:
        """What is written down of some customers, in their order."""

    def remembered(self, shard: int) -> AsyncIterator[dict[str, Remembered]]:
        """All that a silent shard remembers, some customers at a time; once or more often each."""

    async def hush(
        self, shard: int, epoch: int, told: int, relayed: int, silent: Mapping[str, int], *, least: int = 0
    ) -> None:
        """Let a shard be silent up to some offsets, and go on from the sequence `told`.

        At least so many customers must be written down by now; else the store has lost that meanwhile (`StaleError`).
        """

    async def speak(self, shard: int, epoch: int, mark: str) -> None:
        """End the silence that the commit of a mark was the last of, and forget what was written down.

        Raises:
            FencedError, StaleError: as with `check`. A store that has lost that commit has not said the differences.
        """
