"""Maximum likelihood: a sample in, parameters out; or a refusal that says why."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.optimize import minimize

from schemas.instants import Instant
from schemas.parameters import BgNbd, GammaGamma, ModelParameters
from streams.core.money import digits_of
from streams.core.predict.predictor import UNITS
from streams.fit.errors import ConvergenceError, TooLittleError
from streams.fit.likelihood import Column, bgnbd, counted, gamma_gamma
from streams.fit.sample import Sample

LEAST_BUYERS, LEAST_REPEATERS = 100, 30
"""With fewer, the parameters say more about chance than about the shop."""

_IMPOSSIBLE = 1e300
"""Depth of what has no likelihood at all."""
_STARTS = (0.0, 1.0, -1.0)
"""Logarithms that all parameters begin at, one start after the other."""
LEAST, MOST = 1e-4, 1e5
"""Of a parameter. At a bound, the data says "as little as can be", or "as much": nobody stops, or all are alike."""

Unit = Literal["day", "week"]


def fit(sample: Sample, unit: Unit, currency: str, now: Instant) -> ModelParameters:
    """The parameters under which what happened is most likely.

    Args:
        sample: what happened.
        unit: of time.
        currency: that profiles count in.
        now: the wall clock.

    Raises:
        TooLittleError: fewer than `LEAST_BUYERS` bought, or fewer than `LEAST_REPEATERS` more than once.
        ConvergenceError: the likelihood has no peak.
    """
    check_enough(sample)
    columns, counts = _histories(sample, unit)
    found, height = _peak("BG/NBD", 4, lambda given: float(np.dot(counts, bgnbd(given, *columns))))
    r, alpha, a, b = found
    return ModelParameters(
        fitted_at=now,
        as_of=sample.as_of,
        unit=unit,
        currency=currency,
        customers=len(sample.buyers),
        bgnbd=BgNbd(r=r, alpha=alpha, a=a, b=b, log_likelihood=height),
        gamma_gamma=_values(sample, 10 ** digits_of(currency)),
    )


def check_enough(sample: Sample) -> None:
    """Whether there is enough to fit to.

    Raises:
        TooLittleError: there is not.
    """
    buyers, repeaters = len(sample.buyers), sample.repeaters
    if buyers < LEAST_BUYERS or repeaters < LEAST_REPEATERS:
        raise TooLittleError(
            f"too little to fit to: {buyers} customers have bought, {repeaters} of them on more than one day; at least "
            f"{LEAST_BUYERS} and {LEAST_REPEATERS} are needed. Nothing was published; predictions stay as they were"
        )


def _histories(sample: Sample, unit: Unit) -> tuple[list[Column], Column]:
    scale = UNITS[unit]
    rows = [
        (one.purchases.repeats, one.purchases.recency / scale, sample.age(one) / scale)
        for one in sample.buyers.values()
    ]
    return counted(*np.array(rows, dtype=np.float64).T)


def _values(sample: Sample, minor: int) -> GammaGamma:
    """Gamma-Gamma on those repeat buyers who paid anything."""
    rows = [(one.purchases.repeats, one.purchases.repeat_value / minor) for one in sample.buyers.values()]
    paid = [(x, mean) for x, mean in rows if x and mean > 0]
    if len(paid) < LEAST_REPEATERS:
        raise TooLittleError(
            f"too little to fit to: {len(paid)} customers paid something for a repeat purchase; at least "
            f"{LEAST_REPEATERS} are needed. Nothing was published; predictions stay as they were"
        )
    columns, counts = counted(*np.array(paid, dtype=np.float64).T)
    (p, q, v), _height = _peak("Gamma-Gamma", 3, lambda given: float(np.dot(counts, gamma_gamma(given, *columns))))
    return GammaGamma(p=p, q=q, v=v)


def _peak(name: str, many: int, height: Callable[[Sequence[float]], float]) -> tuple[list[float], float]:
    """The parameters where a log-likelihood is highest, and how high that is."""

    def depth(logarithms: Column) -> float:
        with np.errstate(all="ignore"):
            found = height(np.exp(logarithms).tolist())
        return -found if np.isfinite(found) else _IMPOSSIBLE

    bounds = [(math.log(LEAST), math.log(MOST))] * many
    options = {"maxiter": 5_000, "maxfev": 5_000, "xatol": 1e-7, "fatol": 1e-7, "adaptive": True}
    tries = [
        minimize(depth, np.full(many, start), method="Nelder-Mead", bounds=bounds, options=options) for start in _STARTS
    ]
    best = min(tries, key=lambda one: one.fun)
    again = minimize(depth, best.x, method="Nelder-Mead", bounds=bounds, options=options)
    if again.fun >= _IMPOSSIBLE or not again.success:
        raise ConvergenceError(
            f"{name} does not fit: no peak of its likelihood was found ({again.message}). Try another --as-of, or a "
            "longer time. Nothing was published; predictions stay as they were"
        )
    return np.exp(again.x).tolist(), -float(again.fun)
