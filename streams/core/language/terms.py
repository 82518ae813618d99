"""Terms: what a rule compares. Each has a kind, says which facts it reads, and when time alone may change it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any

from schemas.instants import NEVER, Duration, Instant
from streams.core.profile import Profile


class Kind(StrEnum):
    """What sort of value a term is; comparisons and arithmetic are checked by it."""

    NUMBER = "number"
    MONEY = "money"
    INSTANT = "instant"
    DURATION = "duration"
    TEXT = "text"
    TRUTH = "truth"
    ANY = "any"
    """An attribute: its kind is known only when a customer has it."""


Read = Callable[[Profile, Instant], Any]
"""The value at an instant; None where it is missing."""
Next = Callable[[Profile, Instant], Instant]
"""The next instant after `now` at which time alone may change the value."""


def constant_in_time(_profile: Profile, _now: Instant) -> Instant:
    """Time alone never changes it."""
    return NEVER


@dataclass(frozen=True, eq=False)
class Term:
    """A value in a rule."""

    kind: Kind
    text: str
    groups: int
    read: Read
    next_change: Next = constant_in_time
    always_there: bool = False
    """Never missing."""

    @property
    def timeless(self) -> bool:
        """Only events change it."""
        return self.next_change is constant_in_time


@dataclass(frozen=True, eq=False)
class Literal(Term):
    """A value written in the rule. Money is a `NUMBER` until it meets money."""

    value: Any = None


@dataclass(frozen=True, eq=False)
class Fact(Term):
    """A fact of the profile, whatever the time."""

    path: str = ""
    """Where it stands in a profile."""


@dataclass(frozen=True, eq=False)
class Since(Term):
    """How long ago an instant is; grows with time."""

    instant: Term | None = None


@dataclass(frozen=True, eq=False)
class Count(Term):
    """How many entries of a series lie within a window; falls with time, at exactly known instants."""

    series: "Series | None" = None
    path: str = ""
    """Where the series stands in a profile; empty where it must be worked out."""
    window: Duration = 0
    most: int = 0
    """What the profile keeps: it cannot count further."""


Passing = Callable[[Profile, Instant], Instant | None]
"""The first instant at which a falling term is below a threshold, or an instant up to `now` where it is already; None
where the term has no value."""


@dataclass(frozen=True, eq=False)
class Falling(Term):
    """A prediction that only falls while nothing happens, so it passes a threshold once."""

    passing: Callable[[float, bool], Passing] | None = None
    """(threshold, whether to be at it is to be beyond it) -> when that is. None: it has no value for anybody."""


Series = Callable[[Profile], Sequence[tuple[Any, ...]]]
"""The entries of a series, oldest first; the first element of each is its instant."""


def literal(kind: Kind, text: str, value: Any) -> Literal:
    """A term that is always `value`."""
    return Literal(kind, text, 0, lambda _profile, _now: value, always_there=True, value=value)


def fact(kind: Kind, text: str, groups: int, path: str, *, always_there: bool) -> Fact:
    """A fact of the profile."""
    get = attrgetter(path)
    return Fact(kind, text, groups, lambda profile, _now: get(profile), always_there=always_there, path=path)


def since(text: str, instant: Term) -> Since:
    """The time that has passed since an instant."""

    def read(profile: Profile, now: Instant) -> Duration | None:
        at = instant.read(profile, now)
        return None if at is None else now - at

    return Since(Kind.DURATION, text, instant.groups, read, lambda _profile, now: now + 1, instant=instant)


def count_within(  # all that a count is made of
    text: str, groups: int, series: Series, path: str, window: Duration, most: int
) -> Count:
    """How many entries are less than `window` old."""

    def read(profile: Profile, now: Instant) -> int:
        return sum(1 for entry in series(profile) if now - entry[0] < window)

    def next_change(profile: Profile, now: Instant) -> Instant:
        return min(
            (min(entry[0] + window, NEVER) for entry in series(profile) if now - entry[0] < window), default=NEVER
        )

    return Count(
        Kind.NUMBER,
        text,
        groups,
        read,
        next_change,
        always_there=True,
        series=series,
        path=path,
        window=window,
        most=most,
    )
