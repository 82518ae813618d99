"""A positive, smooth, falling function, tabulated once and read fast: what rules ask of customers again and again.

Its logarithm over the logarithm of its argument is nearly a straight line, and a Chebyshev series of few terms has nine
digits of it.
"""

import math
from collections.abc import Callable

TERMS = 32


class Curve:
    """A function between two positive arguments; beyond them, its values there."""

    def __init__(self, function: Callable[[float], float], low: float, high: float) -> None:
        """Asks the function `TERMS` times.

        Source: Press et al., "Numerical Recipes" (3rd edition), section 5.8, as is the sum below.
        """
        self._middle = (math.log(high) + math.log(low)) / 2
        self._half = (math.log(high) - math.log(low)) / 2
        angles = [math.pi * (number + 0.5) / TERMS for number in range(TERMS)]
        values = [math.log(function(math.exp(self._middle + self._half * math.cos(angle)))) for angle in angles]
        sums = [
            2 / TERMS * math.fsum(value * math.cos(order * angle) for value, angle in zip(values, angles, strict=True))
            for order in range(TERMS)
        ]
        self._first = sums[0] / 2
        self._rest = sums[:0:-1]

    def __call__(self, argument: float) -> float:
        """Its value."""
        place = min(max((math.log(argument) - self._middle) / self._half, -1.0), 1.0)
        twice, newer, older = 2 * place, 0.0, 0.0
        for factor in self._rest:
            newer, older = twice * newer - older + factor, newer
        return math.exp(place * newer - older + self._first)
