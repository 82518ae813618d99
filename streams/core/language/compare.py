"""Comparisons: a judge for each pair of terms. Where time alone can flip the answer, the flip is worked out exactly."""

import math
import operator
from collections.abc import Callable
from typing import Any

from schemas.instants import NEVER, Duration, Instant
from streams.core.language.terms import Count, Fact, Get, Literal, Since, Term
from streams.core.language.verdict import ALWAYS, NEVERMORE, Judge, Verdict, all_of, not_of
from streams.core.profile import Profile

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def compare(left: Term, symbol: str, right: Term) -> Judge:
    """A judge of `left symbol right`; kinds have been checked. A missing value makes it false."""
    if isinstance(left, Literal) and not isinstance(right, Literal):
        return compare(right, MIRRORED[symbol], left)
    if isinstance(left, Since) and isinstance(right, Literal):
        return _since_judge(left, symbol, right.value)
    if isinstance(left, Count) and isinstance(right, Literal):
        return _count_judge(left, symbol, right.value)
    if isinstance(right, Literal) and left.timeless:
        get = left.get if isinstance(left, Fact) else None
        return _fact_judge(get or (lambda profile: left.read(profile, NEVER)), symbol, right.value)
    return _general_judge(left, symbol, right)


def _fact_judge(get: Get, symbol: str, threshold: Any) -> Judge:
    """A fact against a literal: only an event can change the answer."""
    test = OPERATORS[symbol]
    unlike = ALWAYS if symbol == "!=" else NEVERMORE

    def judge(profile: Profile, _now: Instant) -> Verdict:
        value = get(profile)
        if value is None:
            return NEVERMORE
        try:
            return ALWAYS if test(value, threshold) else NEVERMORE
        except TypeError:  # an attribute of another kind than the rule expects
            return unlike

    return judge


def _general_judge(left: Term, symbol: str, right: Term) -> Judge:
    """Two moving values: the answer holds at least until one of them may change."""
    test = OPERATORS[symbol]

    def judge(profile: Profile, now: Instant) -> Verdict:
        until = min(left.next_change(profile, now), right.next_change(profile, now))
        a, b = left.read(profile, now), right.read(profile, now)
        if a is None or b is None:
            return False, until
        try:
            return test(a, b), until
        except TypeError:
            return symbol == "!=", until

    return judge


def _since_judge(term: Since, symbol: str, duration: Duration) -> Judge:
    """`since(x) >= d` flips once, at x + d; `>` one microsecond later, the smallest step of time that there is."""
    assert term.instant is not None  # noqa: S101 # for the type checker: a Since is built with its instant
    instant = term.instant
    get = instant.get if isinstance(instant, Fact) else None
    delay = duration if symbol in {">=", "<"} else duration + 1
    later, sooner = (ALWAYS, False) if symbol in {">=", ">"} else (NEVERMORE, True)

    def judge(profile: Profile, now: Instant) -> Verdict:
        at = get(profile) if get is not None else instant.read(profile, now)
        if at is None:
            return NEVERMORE
        flip = at + delay
        return later if now >= flip else (sooner, flip)

    return judge


def _count_judge(term: Count, symbol: str, threshold: float) -> Judge:
    """A count through a window only falls: it drops below k when the k-th latest entry gets as old as the window."""
    if symbol in {"==", "!="}:
        exactly = all_of([_count_judge(term, ">=", threshold), _count_judge(term, "<=", threshold)])
        return exactly if symbol == "==" else not_of(exactly)
    if symbol in {"<", "<="}:
        return not_of(_count_judge(term, ">=" if symbol == "<" else ">", threshold))
    least = math.ceil(threshold) if symbol == ">=" else math.floor(threshold) + 1
    return _at_least(term, least)


def _at_least(term: Count, least: int) -> Judge:
    """Whether at least so many are in the window: whether the one that many back is."""
    assert term.series is not None  # noqa: S101 # for the type checker: a Count is built with its series
    series, window = term.series, term.window
    if least <= 0:
        return lambda _profile, _now: ALWAYS

    def judge(profile: Profile, now: Instant) -> Verdict:
        entries = series(profile)
        if len(entries) < least:
            return NEVERMORE
        leaves = entries[-least][0] + window
        return (True, min(leaves, NEVER)) if now < leaves else NEVERMORE

    return judge
