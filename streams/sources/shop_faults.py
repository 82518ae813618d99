"""What a real feed does to clean events: lines that come late, broken, or twice; each with its own random stream."""

import math
from collections.abc import Iterable, Iterator
from enum import StrEnum
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple

import orjson

from schemas.errors import Reason
from schemas.instants import DAY, MINUTE, Instant
from streams.sources.shop_breakage import break_line
from streams.sources.shop_floor import Event
from streams.sources.shop_plan import Part, ShopPlan

_SHORTEST_DELAY = math.log(MINUTE)
_LONGEST_DELAY = math.log(3 * DAY)
_ADJACENT = 0.4
"""Share of the duplicates that follow at once, as after a re-sent request."""
_FARTHEST = math.log(20_000)
"""Lines; a far duplicate comes from a replayed file."""


class Mark(StrEnum):
    """What a line is."""

    CLEAN = "clean"
    LATE = "late"
    DUPLICATE = "duplicate"
    BROKEN = "broken"


class Line(NamedTuple):
    """One line of the file.

    Attributes:
        raw: the bytes, without a line end.
        mark: what it is; a repeated late line is a duplicate.
        type: the event's type; empty where broken.
        instant: when the event occurred; of a broken line, the one of the line before it.
        reason: why a broken line is to be refused; None otherwise.
    """

    raw: bytes
    mark: Mark
    type: str
    instant: Instant
    reason: Reason | None = None


def mix_faults(plan: ShopPlan, timeline: Iterable[tuple[Instant, Event]]) -> Iterator[Line]:
    """Encode events that are in time order, and mix in late, broken and repeated lines at the plan's rates."""
    found = _delayed(timeline, plan.stream(Part.LATE), plan.late)
    found = _with_broken(found, plan.stream(Part.BROKEN), plan.broken)
    return _repeated(found, plan.stream(Part.DUPLICATE), plan.duplicates)


def _delayed(timeline: Iterable[tuple[Instant, Event]], rng: Random, rate: float) -> Iterator[Line]:
    """Hold back some events for minutes to days of event time; marked late where that made a difference."""
    held: list[tuple[Instant, str, Line]] = []
    newest: Instant = -(2**62)
    for instant, event in timeline:
        line = Line(orjson.dumps(event), Mark.CLEAN, str(event["type"]), instant)
        if rng.random() < rate:
            due = instant + int(math.exp(rng.uniform(_SHORTEST_DELAY, _LONGEST_DELAY)))
            heappush(held, (due, str(event["id"]), line))
        else:
            newest = instant
            yield line
        while held and held[0][0] <= instant:
            line = _late(heappop(held)[2], newest)
            newest = max(newest, line.instant)
            yield line
    while held:
        line = _late(heappop(held)[2], newest)
        newest = max(newest, line.instant)
        yield line


def _late(line: Line, newest: Instant) -> Line:
    """A held line as it comes out: late only where a younger one is out already."""
    return line._replace(mark=Mark.LATE) if line.instant < newest else line


def _with_broken(found: Iterable[Line], rng: Random, rate: float) -> Iterator[Line]:
    """Add broken lines after some; nothing is taken away, so the clean events are all still there."""
    number = 0
    for line in found:
        yield line
        if rng.random() < rate:
            reason, raw = break_line(rng, line.raw, number)
            number += 1
            yield Line(raw, Mark.BROKEN, "", line.instant, reason)


def _repeated(found: Iterable[Line], rng: Random, rate: float) -> Iterator[Line]:
    """Repeat some lines byte for byte: at once, or after up to thousands of others. Broken ones are not repeated."""
    held: list[tuple[int, int, Line]] = []
    for number, line in enumerate(found):
        yield line
        while held and held[0][0] <= number:
            yield heappop(held)[2]
        if line.mark is Mark.BROKEN or rng.random() >= rate:
            continue
        repeat = line._replace(mark=Mark.DUPLICATE)
        if rng.random() < _ADJACENT:
            yield repeat
        else:
            distance = int(math.exp(rng.uniform(0.0, _FARTHEST)))
            heappush(held, (number + distance, number, repeat))
    while held:
        yield heappop(held)[2]
