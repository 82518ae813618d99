"""The terms of `predicted.*`: what the models say of a customer, and when it will have fallen below a threshold.

Without parameters, and for who has bought nothing, there is no value: comparisons are false.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.instants import NEVER, Duration, Instant
from streams.core.advance import MODELS, ORDERS
from streams.core.language.terms import Falling, Kind, Passing, Read, Term, constant_in_time
from streams.core.predict.crossing import about_when, first_passed
from streams.core.predict.predictor import LONGEST, Predictor, Value
from streams.core.predict.purchases import Purchases, purchases_of
from streams.core.profile import Profile

_GROUPS = ORDERS | MODELS
_NOTHING = 1e-300

Guess = Callable[[Purchases, float, Instant], Instant]
"""(purchases, threshold, now) -> about when the value has fallen to the threshold; `NEVER`: not in a hundred years."""


def alive(text: str, predictor: Predictor | None) -> Falling:
    """The probability of still being a customer."""
    if predictor is None:
        return _missing(Kind.NUMBER, text)

    def guess(purchases: Purchases, threshold: float, now: Instant) -> Instant:
        at = predictor.death(purchases, threshold)
        return NEVER if at is None else max(at, now)

    return _falling(Kind.NUMBER, text, predictor.alive, guess)


def orders(text: str, predictor: Predictor | None, horizon: Duration) -> Falling:
    """Expected orders within a horizon."""
    return _by_search(Kind.NUMBER, text, predictor, None if predictor is None else predictor.orders(horizon))


def lifetime_value(text: str, predictor: Predictor | None, horizon: Duration, discount: float) -> Falling:
    """What the orders within a horizon are worth today; `discount` is what a year takes off."""
    value = None if predictor is None else predictor.lifetime_value(horizon, discount)
    return _by_search(Kind.MONEY, text, predictor, value)


def order_value(text: str, predictor: Predictor | None) -> Term:
    """What the next order is expected to be worth; only orders change it."""

    def read(profile: Profile, _now: Instant) -> float | None:
        purchases = None if predictor is None else purchases_of(profile.orders)
        return None if predictor is None or purchases is None else predictor.order_value(purchases)

    return Term(Kind.MONEY, text, _GROUPS, read)


def _missing(kind: Kind, text: str) -> Falling:
    return Falling(kind, text, _GROUPS, lambda _profile, _now: None, constant_in_time)


def _by_search(kind: Kind, text: str, predictor: Predictor | None, value: Value | None) -> Falling:
    if predictor is None or value is None:
        return _missing(kind, text)

    def guess(purchases: Purchases, threshold: float, now: Instant) -> Instant:
        def excess(at: Instant) -> float:
            return math.log((value(purchases, at) or _NOTHING) / threshold)

        if threshold <= 0:
            return NEVER  # predictions are above 0 for ever
        end = now + LONGEST
        at = about_when(excess, purchases.first - predictor.offset, now, end)
        return NEVER if at == end else at

    return _falling(kind, text, value, guess)


def _falling(kind: Kind, text: str, value: Value, guess: Guess) -> Falling:
    def passing(threshold: float, at_it: bool) -> Passing:  # noqa: FBT001 # the signature of `Falling.passing`
        return _Passing(value, guess, threshold, at_it=at_it)

    return Falling(kind, text, _GROUPS, _reading(value), lambda _profile, now: now + 1, passing=passing)


def _reading(value: Value) -> Read:
    def read(profile: Profile, now: Instant) -> float | None:
        purchases = purchases_of(profile.orders)
        return None if purchases is None else value(purchases, now)

    return read


@dataclass(frozen=True, eq=False)
class _Passing:
    """`Passing` of one prediction and one threshold."""

    value: Value
    guess: Guess
    threshold: float
    at_it: bool = field(kw_only=True)

    def __call__(self, profile: Profile, now: Instant) -> Instant | None:
        purchases = purchases_of(profile.orders)
        if purchases is None:
            return None
        known = purchases.crossings.get(self)
        if known is not None:
            return known
        found = self.value(purchases, now)
        if found is None:
            return None
        if self._beyond(found):
            return now
        crossing = purchases.crossings[self] = self._search(purchases, now)
        return crossing

    def _search(self, purchases: Purchases, now: Instant) -> Instant:

        def passed(at: Instant) -> bool:
            found = self.value(purchases, at)
            return found is not None and self._beyond(found)

        guess = self.guess(purchases, self.threshold, now)
        return NEVER if guess == NEVER else max(first_passed(passed, guess), now + 1)

    def _beyond(self, found: float) -> bool:
        return found <= self.threshold if self.at_it else found < self.threshold
