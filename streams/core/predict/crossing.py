"""When a falling prediction passes a threshold: the very microsecond, found by few looks at the prediction itself."""

import math
from collections.abc import Callable

from schemas.instants import NEVER, Instant

_ROUNDS = 20
_NEAR = 1e-13
"""Of the function: it falls by about as much as the logarithm of the age grows, so it is some microseconds."""
_FIRST_STEP = 0.05
"""Of the logarithm of the age."""
_TOO_FAR = 2**53
"""Microseconds; nobody is looked at again in 285 years."""

Passed = Callable[[Instant], bool]
"""Whether the prediction is beyond the threshold at an instant; once it is, it stays so."""


def first_passed(passed: Passed, guess: Instant) -> Instant:
    """The first instant at which it is passed; `NEVER` where that is centuries away.

    Looks at the guess, goes on from there by steps that grow until both sides are known, and halves what is between.

    Args:
        passed: false before some instant, true from then on.
        guess: where to begin; the nearer, the fewer looks.
    """
    low, high, step = guess, guess, 1
    if passed(guess):
        while passed(low):
            if step > _TOO_FAR:
                return low
            high, low, step = low, low - step, step * 4
    else:
        while not passed(high):
            if step > _TOO_FAR:
                return NEVER
            low, high, step = high, high + step, step * 4
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passed(middle) else (middle, high)
    return high


def about_when(excess: Callable[[Instant], float], origin: Instant, now: Instant, end: Instant) -> Instant:
    """About when a falling function gets to 0, if it does between `now` and `end`; else `end`. By the secant method.

    Args:
        excess: the function; positive at `now`.
        origin: ages are counted from here, and the function is nearly straight over their logarithm.
        now: the earliest instant.
        end: the latest one.
    """
    first, last = math.log(max(now - origin, 1)), math.log(end - origin)
    before, above = first, excess(now)
    place = min(before + _FIRST_STEP, last)
    for _round in range(_ROUNDS):
        found = excess(origin + round(math.exp(place)))
        if place == last and found > 0:
            return end
        slope = (above - found) / (place - before)
        if abs(found) < _NEAR or slope <= 0:
            break
        before, above = place, found
        place = min(max(place + found / slope, first), last)
        if place == before:
            break
    return origin + round(math.exp(place))
