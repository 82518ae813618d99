"""How well the models fit: what they expect beside what happened, before the day of the sample and after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from schemas.instants import DAY, Duration, Instant
from schemas.parameters import ModelParameters
from streams.core.predict.mixture import expected_orders
from streams.core.predict.predictor import UNITS, Predictor
from streams.fit.fitting import LEAST
from streams.fit.sample import Sample

MOST_REPEATS = 7
"""Those who bought again more often are taken together with those who did so often."""
_POINTS = 60


@dataclass(frozen=True)
class Tracking:
    """Repeat purchases, added up over time."""

    days: list[Instant]
    actual: list[int]
    expected: list[float]


@dataclass(frozen=True)
class Group:
    """The buyers who had bought again so often."""

    repeats: int
    buyers: int
    actual: float
    """Purchases of the holdout, each buyer's, on average."""
    expected: float


@dataclass(frozen=True)
class FitReport:
    """All that there is to say of a fit."""

    parameters: ModelParameters
    repeaters: int
    holdout: Duration
    tracking: Tracking
    groups: list[Group]
    """Empty where nothing came later."""

    @property
    def nobody_stops(self) -> bool:
        """Whether the data shows no customer who stopped buying: the chance of it is as low as it can be."""
        return self.parameters.bgnbd.a < 2 * LEAST

    @property
    def held_out(self) -> tuple[int, float]:
        """Purchases of the holdout: those that there were, and those that were expected."""
        actual = sum(group.actual * group.buyers for group in self.groups)
        return round(actual), sum(group.expected * group.buyers for group in self.groups)


def report_on(parameters: ModelParameters, sample: Sample) -> FitReport:
    """Compare parameters with the sample that they were fitted to, and with its holdout."""
    groups = _groups(parameters, sample) if sample.holdout else []
    return FitReport(parameters, sample.repeaters, sample.holdout, _tracking(parameters, sample), groups)


def _tracking(parameters: ModelParameters, sample: Sample) -> Tracking:
    """Source: Fader, Hardie, Lee (2005), figure 3; E[X(t)] is that of a new customer."""
    model, unit = parameters.bgnbd, UNITS[parameters.unit]

    @cache
    def expected(age: Duration) -> float:
        return expected_orders(model.a, model.b, model.r, age / unit / model.alpha)

    starts = sorted(buyer.purchases.first for buyer in sample.buyers.values())
    repeats = sorted(day for buyer in sample.buyers.values() for day in (*buyer.repeats, *buyer.later))
    days = _grid(starts[0], sample.today + sample.holdout)
    sums = [sum(expected(day - start) for start in starts if start < day) for day in days]
    return Tracking(days, [_up_to(repeats, day) for day in days], sums)


def _grid(first: Instant, last: Instant) -> list[Instant]:
    step = max(1, (last - first) // DAY // _POINTS) * DAY
    return [*range(first, last, step), last]


def _up_to(days: Sequence[Instant], last: Instant) -> int:
    return sum(1 for day in days if day <= last)


def _groups(parameters: ModelParameters, sample: Sample) -> list[Group]:
    """Source: Fader, Hardie, Lee (2005), figure 4."""
    predict = Predictor(parameters).orders(sample.holdout)
    rows: dict[int, list[tuple[int, float]]] = {}
    for buyer in sample.buyers.values():
        expected = predict(buyer.purchases, sample.today) or 0.0
        rows.setdefault(min(buyer.purchases.repeats, MOST_REPEATS), []).append((len(buyer.later), expected))
    return [
        Group(repeats, len(found), sum(a for a, _e in found) / len(found), sum(e for _a, e in found) / len(found))
        for repeats, found in sorted(rows.items())
    ]
