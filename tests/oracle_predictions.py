"""What the papers' formulas say of a customer, straight from their events: the second opinion on `predicted.*`.

Nothing here is shared with the classifier: closed forms with scipy's Gaussian hypergeometric function, integrals by
scipy's quadrature. Parameters are a dictionary as on the wire.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from scipy.integrate import quad
from scipy.special import hyp2f1

Models = dict[str, Any]
Purchase = tuple[int, int]
"""An order that counts: when it was placed, and what was paid for it in the end, in minor units."""

DAY = 24 * 60 * 60 * 1_000_000
_UNITS = {"day": DAY, "week": 7 * DAY}


class Forecast:
    """The predictions for one customer at an instant."""

    def __init__(self, orders: Sequence[Purchase], as_of: int, models: Models) -> None:
        """`orders` has one at least."""
        self.unit = _UNITS[models["unit"]]
        self.r, self.alpha, self.a, self.b = (models["bgnbd"][name] for name in ("r", "alpha", "a", "b"))
        self.p, self.q, self.v = (models["gamma_gamma"][name] for name in ("p", "q", "v"))
        days: dict[int, int] = {}
        for at, value in orders:
            days[at // DAY] = days.get(at // DAY, 0) + value
        first, last = min(days), max(days)
        self.x = len(days) - 1
        self.recency = (last - first) * DAY / self.unit
        self.age = max((as_of - first * DAY) / self.unit, self.recency)
        self.mean = sum(days[day] for day in days if day != first) / 100 / self.x if self.x else 0.0

    def alive(self) -> float:
        if not self.x:
            return 1.0
        ratio = (self.alpha + self.age) / (self.alpha + self.recency)
        return float(1 / (1 + self.a / (self.b + self.x - 1) * ratio ** (self.r + self.x)))

    def orders(self, horizon: int) -> float:
        return self._orders(horizon / self.unit)

    def _orders(self, t: float) -> float:
        if not t:
            return 0.0
        r, a, b, x, scale = self.r, self.a, self.b, self.x, self.alpha + self.age
        shrunk = (scale / (scale + t)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, t / (scale + t))
        return float((a + b + x - 1) / (a - 1) * (1 - shrunk) * self.alive())

    def order_value(self) -> float:
        """In major units."""
        return float(self.p * (self.v + self.x * self.mean) / (self.p * self.x + self.q - 1))

    def lifetime_value(self, horizon: int, discount: float = 0.1) -> float:
        """In major units."""
        end, rate = horizon / self.unit, math.log1p(discount) * self.unit / (365 * DAY)
        waiting, _error = quad(lambda t: rate * math.exp(-rate * t) * self._orders(t), 0, end, limit=200)
        return self.order_value() * float(math.exp(-rate * end) * self._orders(end) + waiting)


RULES: dict[str, Callable[[Forecast], bool]] = {
    "likely_to_buy": lambda forecast: forecast.orders(30 * DAY) >= 0.5,
    "predicted_high_ltv": lambda forecast: forecast.lifetime_value(365 * DAY) >= 200,
}
"""The shipped rules that ask for nothing but a prediction."""


def prediction_rules(orders: Sequence[Purchase], as_of: int, models: Models | None) -> dict[str, bool]:
    """The shipped rules about predictions; all false without parameters, and for who has bought nothing."""
    forecast = Forecast(orders, as_of, models) if orders and models is not None else None
    answers = {key: forecast is not None and rule(forecast) for key, rule in RULES.items()}
    churns = forecast is not None and len(orders) >= 2 and forecast.alive() < 0.3
    return answers | {"likely_to_churn": churns}
