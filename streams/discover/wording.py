"""Boxes into the rule language, with the roundest thresholds that divide the same customers."""

import math
from decimal import Decimal

import numpy as np

from schemas.instants import DAY, HOUR, MINUTE
from streams.core.language.terms import Kind
from streams.core.money import digits_of
from streams.discover.features import Feature
from streams.discover.population import Population
from streams.discover.tree import Box, Gap

_UNITS = (("days", DAY), ("hours", HOUR), ("minutes", MINUTE))
_FIRST, _LAST = 12, -9
"""Powers of ten that thresholds are multiples of: the largest that fits."""


def rule_of(boxes: list[Box], population: Population) -> str:
    """The rule that holds for whoever is in any of some boxes."""
    parts = [_conjunction(box, population) for box in boxes]
    if len(parts) == 1:
        return " and ".join(parts[0])
    return " or ".join(f"({' and '.join(part)})" if len(part) > 1 else part[0] for part in parts)


def _conjunction(box: Box, population: Population) -> list[str]:
    columns = sorted({*box.above, *box.below, *box.missing})
    return [clause for column in columns for clause in _clauses(box, column, population)]


def _clauses(box: Box, column: int, population: Population) -> list[str]:
    """What a box asks of one feature. A missing value makes a comparison false, and `not` of that true."""
    feature, currency = population.features[column], population.currency
    above, below, missing = box.above.get(column), box.below.get(column), box.missing.get(column)
    if feature.kind is Kind.TRUTH:
        return [feature.text if above is not None else f"not {feature.text}"]
    if missing:
        return [f"not is_set({feature.text})"]
    clauses = []
    if above is not None:
        limit = _limit(above, feature, currency)
        passed_over = below is None and bool(np.isnan(population.values[box.customers, column]).any())
        clauses.append(f"not {feature.text} < {limit}" if passed_over else f"{feature.text} >= {limit}")
    if below is not None:
        clauses.append(f"{feature.text} < {_limit(below, feature, currency)}")
    return clauses or [f"is_set({feature.text})"]


def _limit(gap: Gap, feature: Feature, currency: str) -> str:
    if feature.kind is Kind.DURATION:
        return _duration(gap)
    scale = 10 ** digits_of(currency) if feature.kind is Kind.MONEY else 1
    return _plain(roundest(Decimal(gap.low) / scale, Decimal(gap.high) / scale))


def _duration(gap: Gap) -> str:
    """In the largest unit of which there is a whole number in the gap; there always is one, as ages come in steps."""
    name, unit = next((name, unit) for name, unit in _UNITS if gap.low // unit < gap.high // unit)
    return f"{name}({_plain(roundest(Decimal(gap.low) / unit, Decimal(gap.high // unit)))})"


def roundest(low: Decimal, high: Decimal) -> Decimal:
    """The multiple of the largest power of ten in (low, high]; of several, the one nearest to the middle."""
    middle = (low + high) / 2
    for power in range(_FIRST, _LAST - 1, -1):
        step = Decimal(10) ** power
        least, most = math.floor(low / step) + 1, math.floor(high / step)
        if least <= most:
            return min(max(round(middle / step), least), most) * step
    return high


def _plain(number: Decimal) -> str:
    """Without an exponent, and without noughts at its end."""
    return f"{number.normalize():f}" if number else "0"
