"""Which changes a subscriber wants. Pure: what time it is, is a parameter."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

from schemas.instants import Duration, Instant
from schemas.transitions import CauseKind, SegmentChange

_MICROSECOND = timedelta(microseconds=1)


class Answer(Enum):
    """What is to be done with a change."""

    TAKE = auto()
    OTHER = auto()
    """It is none of those that were asked for."""
    OLD = auto()
    """It would have been wanted, and comes too late."""


@dataclass(frozen=True)
class Selection:
    """What was asked for; None leaves a choice open."""

    segments: frozenset[str] | None = None
    causes: frozenset[CauseKind] | None = None
    max_age: Duration | None = None
    """Microseconds between `effective_at` and now."""

    def decide(self, change: SegmentChange, now: Instant) -> Answer:
        """What is to be done with a change; one that is just `max_age` old is taken."""
        if self.segments is not None and change.segment not in self.segments:
            return Answer.OTHER
        if self.causes is not None and change.cause.kind not in self.causes:
            return Answer.OTHER
        if self.max_age is not None and now - change.effective_at > self.max_age:
            return Answer.OLD
        return Answer.TAKE


def selection(
    segments: Collection[str] | None, causes: Collection[CauseKind] | None, max_age: timedelta | None
) -> Selection:
    """A selection from what a subscriber says."""
    return Selection(
        None if segments is None else frozenset(segments),
        None if causes is None else frozenset(causes),
        None if max_age is None else max_age // _MICROSECOND,
    )
