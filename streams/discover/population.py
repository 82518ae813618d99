"""The customers as a table of features, and the same on a common scale."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.instants import DAY, Instant
from streams.core.language.terms import Kind
from streams.core.money import digits_of
from streams.core.profile import Profile
from streams.discover.errors import TooLittleError
from streams.discover.features import Feature, features, rows_of

LEAST_CUSTOMERS = 100
"""Among fewer, groups say more about chance than about the shop."""
_ALIKE = 0.95
"""Two features whose scaled values correlate by this much or more, either way, count as one: the first is kept."""
_FARTHEST = 3.0
"""Standard deviations from the mean beyond which a value counts as just so far: a few giants make no cluster."""

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Customers, in the order of their ids, and what they differ in."""

    now: Instant
    currency: str
    profiles: list[Profile]
    features: list[Feature]
    values: Table
    """One row a customer, one column a feature, as `Feature.value` has it; NaN: missing."""
    scaled: Table
    """The same as logarithms, in standard deviations from the mean; nothing is missing."""


def population_of(profiles: Iterable[Profile], now: Instant, currency: str) -> Population:
    """The table of some customers, in whatever order they come.

    Raises:
        TooLittleError: fewer than `LEAST_CUSTOMERS`, or all of them alike.
    """
    ordered = sorted(profiles, key=lambda profile: profile.id)
    if len(ordered) < LEAST_CUSTOMERS:
        raise TooLittleError(
            f"too little to find groups in: {len(ordered)} customers; at least {LEAST_CUSTOMERS} are needed"
        )
    offered = features()
    values = np.array(rows_of(ordered, offered, now), dtype=np.float64)
    scaled = np.column_stack([_scaled(values[:, i], one, currency) for i, one in enumerate(offered)])
    kept = _different(scaled)
    if not kept:
        raise TooLittleError(f"too little to find groups in: {len(ordered)} customers, alike in all that rules can ask")
    return Population(now, currency, ordered, [offered[i] for i in kept], values[:, kept], scaled[:, kept])


def in_units(column: Table, feature: Feature, currency: str) -> Table:
    """Days, major units, numbers."""
    units = {Kind.DURATION: float(DAY), Kind.MONEY: 10.0 ** digits_of(currency)}
    return np.asarray(column / units.get(feature.kind, 1.0))


def _scaled(column: Table, feature: Feature, currency: str) -> Table:
    """Signed logarithms, standardised. Never is longer ago than anything; else who has no value is in the middle."""
    found = in_units(column, feature, currency)
    if feature.kind is not Kind.TRUTH:
        found = np.sign(found) * np.log1p(np.abs(found))
    there = ~np.isnan(found)
    if not there.any():
        return np.zeros(len(found))
    middle = np.max(found[there]) + 1 if feature.kind is Kind.DURATION else np.median(found[there])
    filled = np.where(there, found, middle)
    spread = float(np.std(filled))
    if spread < 1e-9:  # noqa: PLR2004 # what rounding makes of a column of equal values
        return np.zeros(len(filled))
    return np.asarray(np.clip((filled - np.mean(filled)) / spread, -_FARTHEST, _FARTHEST))


def _different(scaled: Table) -> list[int]:
    """The columns that vary, each unlike those before it."""
    kept: list[int] = []
    for i in range(scaled.shape[1]):
        column = scaled[:, i]
        if np.any(column != column[0]) and all(_likeness(column, scaled[:, other]) < _ALIKE for other in kept):
            kept.append(i)
    return kept


def _likeness(one: Table, other: Table) -> float:
    return float(abs(np.corrcoef(one, other)[0, 1]))
