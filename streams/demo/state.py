"""What a demo has seen so far, as figures for a view. Pure: changes and samples go in, nothing is read."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from schemas.instants import Instant
from schemas.transitions import CauseKind, SegmentChange

LINES = 40
"""Transitions kept for the list; no terminal shows more."""
_LAGS = 200
_RATE_WINDOW = 2.0
"""Seconds over which events a second are counted."""


@dataclass(frozen=True)
class Sample:
    """One look at the running system.

    Attributes:
        at: monotonic seconds.
        shop_time: what the demo's clock shows.
        applied: events applied since the beginning.
        dead_letters: messages refused since the beginning.
        sizes: members of each segment.
    """

    at: float
    shop_time: Instant
    applied: int
    dead_letters: int
    sizes: dict[str, int]


@dataclass(frozen=True)
class Row:
    """One segment in figures."""

    segment: str
    size: int
    entered: int
    exited: int

    @property
    def change(self) -> int:
        """By how many members it grew during the show."""
        return self.entered - self.exited


@dataclass
class DemoState:
    """The figures of one demo. The *show* is what comes after the shop's past has been read."""

    segments: Sequence[str]
    lag_ms: Callable[[Instant, Instant], float]
    """See `streams.demo.plan.DemoPlan.lag_ms`."""
    live: bool = False
    left: float = 0.0
    """Seconds until the show ends."""
    past: float = 0.0
    """How much of the shop's past is read, from 0 to 1."""
    sample: Sample = field(default_factory=lambda: Sample(0.0, 0, 0, 0, {}))
    seen: int = 0
    """Transitions of the show and of the past."""
    shown: deque[SegmentChange] = field(default_factory=lambda: deque(maxlen=LINES))
    """Transitions of the list, the latest last."""
    listed: int = 0
    """Transitions that were ever in the list."""
    example: SegmentChange | None = None
    """The transition by time alone that explains most."""
    by_time: int = 0
    entered: Counter[str] = field(default_factory=Counter)
    exited: Counter[str] = field(default_factory=Counter)
    _fresh: list[SegmentChange] = field(default_factory=list)
    _lags: deque[float] = field(default_factory=lambda: deque(maxlen=_LAGS))
    _samples: deque[Sample] = field(default_factory=deque)
    _live_at: Instant = 0
    """The wall-clock instant at which the show began."""

    def go_live(self, wall: Instant) -> None:
        """The past is read: count from here."""
        self.live, self.past, self._live_at = True, 1.0, wall

    def measure(self, sample: Sample) -> None:
        """Take a sample in."""
        self.sample = sample
        self._samples.append(sample)
        while sample.at - self._samples[0].at > _RATE_WINDOW:
            self._samples.popleft()

    def note(self, change: SegmentChange) -> None:
        """Take a transition in. Those emitted before the show are of the past."""
        self.seen += 1
        if not self.live or change.emitted_at < self._live_at:
            return
        (self.entered if change.type == "segment.entered" else self.exited)[change.segment] += 1
        self._fresh.append(change)
        if change.cause.kind is not CauseKind.TIME:
            return
        self.by_time += 1
        lag = self.lag_ms(change.effective_at, change.emitted_at)
        if change.emitted_at - lag * 1_000 >= self._live_at:  # else it was due before the worker could see it
            self._lags.append(lag)
        if self.example is None or _telling(change) >= _telling(self.example):
            self.example = change

    def turn(self) -> None:
        """Move two of the transitions that came since the last turn to the list: one by an event, one by time alone.

        Many come in a second, too many to read; of those, the one whose segment changes least often is told.
        """
        by_event = [change for change in self._fresh if change.cause.kind is not CauseKind.TIME]
        by_time = [change for change in self._fresh if change.cause.kind is CauseKind.TIME]
        told = [min(reversed(changes), key=self._changes) for changes in (by_event, by_time) if changes]
        self.shown.extend(sorted(told, key=lambda change: change.effective_at))
        self.listed += len(told)
        self._fresh.clear()

    def rows(self) -> list[Row]:
        """Every segment, in the order of the definitions."""
        sizes, entered, exited = self.sample.sizes, self.entered, self.exited
        return [Row(key, sizes.get(key, 0), entered[key], exited[key]) for key in self.segments]

    @property
    def transitions(self) -> int:
        """Transitions of the show."""
        return self.entered.total() + self.exited.total()

    @property
    def rate(self) -> float:
        """Events applied a second, lately."""
        if len(self._samples) < 2:  # noqa: PLR2004 # a rate needs two points
            return 0.0
        first, last = self._samples[0], self._samples[-1]
        return (last.applied - first.applied) / (last.at - first.at)

    @property
    def lag(self) -> float | None:
        """Median of the milliseconds between due and emitted of the latest crossings by time; None before the first."""
        return median(self._lags) if self._lags else None

    @property
    def longest_lag(self) -> float | None:
        """The longest of them."""
        return max(self._lags, default=None)

    def _changes(self, change: SegmentChange) -> int:
        """How often its segment changed in the show."""
        return self.entered[change.segment] + self.exited[change.segment]


def _telling(change: SegmentChange) -> tuple[bool, bool, bool, int]:
    """How much a transition explains: of a known customer, an entry, an answer that ends by itself, many clauses."""
    ends = any(row.until is not None for row in change.evidence)
    return change.customer_id is not None, change.type == "segment.entered", ends, len(change.evidence)
