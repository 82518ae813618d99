"""The likelihoods of the two models, for many customers at once. Customers who are alike are counted, not repeated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Column = NDArray[np.float64]


def counted(*columns: Column) -> tuple[list[Column], Column]:
    """The different rows of some columns, and how often each comes."""
    rows, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return [rows[:, number] for number in range(rows.shape[1])], counts.astype(np.float64)


def bgnbd(parameters: Sequence[float], x: Column, recency: Column, age: Column) -> Column:
    """The log-likelihood of each customer under BG/NBD with parameters r, alpha, a, b.

    Source: Fader, Hardie, Lee (2005), eq. (6), with logarithms taken as in their note on its implementation in Excel.
    """
    r, alpha, a, b = parameters
    front = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    dropout = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    lives = -(r + x) * np.log(alpha + age)
    gone = np.log(a) - np.log(np.maximum(b + x - 1, 1e-300)) - (r + x) * np.log(alpha + recency)
    return np.asarray(front + dropout + np.where(x > 0, np.logaddexp(lives, gone), lives))


def gamma_gamma(parameters: Sequence[float], x: Column, mean: Column) -> Column:
    """The log-likelihood of each repeat buyer's mean value under Gamma-Gamma with parameters p, q, v.

    Source: Fader, Hardie (2013), eq. (1a).
    """
    p, q, v = parameters
    px: Any = p * x
    front = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(v)
    return np.asarray(front + (px - 1) * np.log(mean) + px * np.log(x) - (px + q) * np.log(v + x * mean))
