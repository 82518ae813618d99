"""The BG/NBD model's expectations, from the integral over the unknown dropout probability.

The paper writes them with the Gaussian hypergeometric function, whose series is slow where the horizon is long and
overflows for who buys often, and whose closed form is 0/0 at a = 1. The integral that it stands for knows no such
trouble: over p ~ Beta(a, b),

    E[Y(h) | alive] = E[(1 - (1 + p u)^-R) / p],    R = r + x,  u = h / (alpha + T)

Source: Fader, Hardie, Lee, "Counting Your Customers the Easy Way", Marketing Science 24 (2005), section 4 and appendix.
"""

import math
from functools import lru_cache

STEP = 0.0625
"""Between two nodes of the double-exponential rule: good for ten digits."""
_REACH = 108
"""Nodes on each side of the middle."""
_TINY = 1e-290
_NOISE = 1e-9


@lru_cache(maxsize=1_024)
def nodes(a: float, b: float) -> tuple[tuple[tuple[float, float], ...], float]:
    """(p, weight / p): a rule for expectations, over p ~ Beta(a, b), of what is divided by p; and the weight of p = 0.

    Where a is small, p may be so small that no number says it: those who never stop.

    Source: Takahasi and Mori, "Double exponential formulas for numerical integration" (1974), on (0, 1).
    """
    norm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    found, rest = [], 1.0
    for number in range(-_REACH, _REACH + 1):
        t = number * STEP
        logit = math.pi * math.sinh(t)
        log_p, log_q = -_softplus(-logit), -_softplus(logit)
        weight = STEP * math.pi * math.cosh(t) * math.exp(norm + a * log_p + b * log_q)
        p = math.exp(log_p)
        if p > _TINY and weight > 0:
            found.append((p, weight / p))
            rest -= weight
    return tuple(found), rest if rest > _NOISE else 0.0


def _softplus(value: float) -> float:
    """log(1 + e^value), for any value."""
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def expected_orders(a: float, b: float, shape: float, ratio: float) -> float:
    """Orders to come from somebody who is alive.

    Args:
        a: of the Beta distribution of p.
        b: of it, for this customer: b + x.
        shape: R = r + x.
        ratio: u, the horizon over alpha + T.
    """
    log1p, expm1 = math.log1p, math.expm1
    found, rest = nodes(a, b)
    return rest * shape * ratio - math.fsum([weight * expm1(-shape * log1p(p * ratio)) for p, weight in found])


GAUSS = (
    (-0.960289856497536, 0.101228536290376),
    (-0.796666477413627, 0.222381034453374),
    (-0.525532409916329, 0.313706645877887),
    (-0.183434642495650, 0.362683783378362),
    (0.183434642495650, 0.362683783378362),
    (0.525532409916329, 0.313706645877887),
    (0.796666477413627, 0.222381034453374),
    (0.960289856497536, 0.101228536290376),
)
"""Node and weight of Gauss-Legendre with eight points. Source: Abramowitz and Stegun, table 25.4."""


def discounted_orders(a: float, b: float, shape: float, horizon: float, scale: float, rate: float) -> float:
    """The same, each order counting exp(-rate t) if it comes after t.

    By parts, it is e^(-rate h) E[Y(h)] + rate * integral of e^(-rate t) E[Y(t)]; t runs as a logarithm, so that its
    first days, in which a frequent buyer buys most, are looked at as closely as the rest.

    Args:
        a: as in `expected_orders`, like `b` and `shape`.
        b: see there.
        shape: see there.
        horizon: h, in the unit of `scale`.
        scale: alpha + T.
        rate: the continuous discount rate in that unit.
    """
    total = math.exp(-rate * horizon) * expected_orders(a, b, shape, horizon / scale)
    if not rate:
        return total
    length = math.log1p(horizon / scale)
    for node, weight in GAUSS:
        grown = math.exp(length * (node + 1) / 2)
        time = scale * (grown - 1)
        total += (
            rate
            * weight
            * length
            / 2
            * scale
            * grown
            * math.exp(-rate * time)
            * expected_orders(a, b, shape, grown - 1)
        )
    return total
