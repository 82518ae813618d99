"""Runs a customer story: rows of (event or time, expected transitions) through the core.

Expected transitions are words: `+vip` was entered and `-vip` was left at the row's own time; `+lapsed@90d` at another
time, in days, minutes (`@60m`) or microseconds (`@5us`) after the start. A row with a time alone lets time pass.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from schemas.instants import DAY, MICROSECOND, MINUTE
from schemas.transitions import CauseKind
from streams.core.definitions import Definitions, compile_definitions
from streams.core.step import Customer, Transition, apply, newcomer, settle
from tests.oracle import Event, instant
from tests.scenarios.events import START, decoded

_UNITS = {"d": DAY, "m": MINUTE, "us": MICROSECOND}
_WORD = re.compile(r"([+-])([a-z_]+)(?:@(\d+)(d|m|us))?")


Row = tuple[Event | int, str]
"""An event, or microseconds after the start up to which time passes; and what must come of it."""


class Crossing(NamedTuple):
    """A transition, as far as a story tells it."""

    at: int
    """Microseconds after the start."""
    word: str
    """`+vip` or `-vip`."""


@cache
def shipped() -> Definitions:
    """The definitions that this repository ships."""
    return compile_definitions((Path(__file__).parents[2] / "segments.toml").read_text(encoding="utf-8"))


def crossing(transition: Transition) -> Crossing:
    """What a story tells of a transition."""
    return Crossing(transition.effective_at - START, ("+" if transition.entered else "-") + transition.segment.key)


def own_time(what: Event | int) -> int:
    """The time of a row, in microseconds after the start."""
    return what if isinstance(what, int) else instant(what["occurred_at"]) - START


def step(customer: Customer, what: Event | int, definitions: Definitions) -> list[Transition]:
    """What a row of a story changes."""
    if isinstance(what, int):
        return settle(customer, START + what, definitions)
    return list(apply(customer, decoded(what), definitions))


def told(row: Row) -> list[Crossing]:
    """The transitions that a row expects, by time and name."""
    what, expected = row
    found = []
    for word in expected.split():
        match = _WORD.fullmatch(word)
        if match is None:
            raise ValueError(f"'{word}' is not like +vip or -lapsed@90d")
        sign, key, number, unit = match.groups()
        found.append(Crossing(int(number) * _UNITS[unit] if number else own_time(what), sign + key))
    return sorted(found)


def run(rows: Sequence[Row], only: str = "") -> list[Transition]:
    """Check a story against the shipped definitions, row by row; gives all its transitions.

    Args:
        rows: the story.
        only: keys of the segments that the story is about; without any, about all.
    """
    customer = newcomer("ann", shipped())
    keys = set(only.split()) or {segment.key for segment in shipped().segments}
    transitions: list[Transition] = []
    for number, row in enumerate(rows, 1):
        found = [t for t in step(customer, row[0], shipped()) if t.segment.key in keys]
        assert [t.effective_at for t in found] == sorted(t.effective_at for t in found), f"row {number}: out of order"
        assert sorted(crossing(t) for t in found) == told(row), f"row {number} of the story"
        assert all(t.event is None for t in found if t.cause is CauseKind.TIME)
        transitions += found
    return transitions
