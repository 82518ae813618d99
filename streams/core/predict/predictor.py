"""The predictions for one customer, from one version of the parameters.

With x repeat purchases, the last of them t_x after the first purchase, which was T ago:

    alive            1 / (1 + [x > 0] a / (b + x - 1) ((alpha + T) / (alpha + t_x))^(r + x))
    orders(h)        alive * E[Y(h) | alive], see `streams.core.predict.mixture`
    order_value      p (v + x z) / (p x + q - 1), with z the mean value of a repeat purchase
    lifetime_value   order_value * the orders of a horizon, each discounted by when it comes

Nothing of it ever rises while a customer only waits: T alone grows, and with it falls the probability of being alive,
and the rate at which one who is alive buys.

Sources: Fader, Hardie, Lee (2005), eq. (10); Fader, Hardie, "Computing P(alive) Using the BG/NBD Model" (2008); Fader,
Hardie, "The Gamma-Gamma Model of Monetary Value" (2013), eq. (5).
"""

import math
from collections.abc import Callable
from functools import lru_cache

from schemas.instants import DAY, Duration, Instant
from schemas.parameters import ModelParameters
from streams.core.money import digits_of
from streams.core.predict.curve import Curve
from streams.core.predict.mixture import discounted_orders
from streams.core.predict.purchases import Purchases

YEAR: Duration = 365 * DAY
UNITS: dict[str, Duration] = {"day": DAY, "week": 7 * DAY}
LONGEST: Duration = 100 * YEAR
"""Beyond this age of a customer, the expected orders stay as they are."""

Value = Callable[[Purchases, Instant], float | None]
"""A prediction at an instant; None where the model says nothing."""


class Predictor:
    """What a version of the parameters predicts. Values of money are minor units of the base currency."""

    def __init__(self, parameters: ModelParameters) -> None:
        """Of these parameters."""
        model, money = parameters.bgnbd, parameters.gamma_gamma
        self.parameters = parameters
        self._r, self._alpha, self._a, self._b = model.r, model.alpha, model.a, model.b
        self._p, self._q, self._v = money.p, money.q, money.v * 10 ** digits_of(parameters.currency)
        self._unit = UNITS[parameters.unit]
        self.offset: Duration = round(self._alpha * self._unit)
        """alpha as a duration: predictions are smooth in the logarithm of a customer's age and this."""
        self._curve = lru_cache(maxsize=4_096)(self._tabulated)

    def alive(self, purchases: Purchases, now: Instant) -> float:
        """The probability that they are still a customer."""
        return 1.0 / (1.0 + self._odds_of_death(purchases, now))

    def _odds_of_death(self, purchases: Purchases, now: Instant) -> float:
        x = purchases.repeats
        if not x:
            return 0.0
        age, last = self._alpha + self._age(purchases, now), self._alpha + purchases.recency / self._unit
        try:
            return self._a / (self._b + x - 1) * math.pow(age / last, self._r + x)
        except OverflowError:
            return math.inf

    def _age(self, purchases: Purchases, now: Instant) -> float:
        """T: since the first purchase; never less than up to the last one."""
        return max(now - purchases.first, purchases.recency) / self._unit

    def death(self, purchases: Purchases, probability: float) -> Instant | None:
        """About when `alive` falls to a probability: the formula solved for T; None: never."""
        x = purchases.repeats
        if not x or not 0 < probability < 1:
            return None
        odds = (1 / probability - 1) * (self._b + x - 1) / self._a
        last = self._alpha + purchases.recency / self._unit
        age = last * math.exp(math.log(odds) / (self._r + x)) - self._alpha
        return purchases.first + round(min(max(age * self._unit, 0), LONGEST))

    def order_value(self, purchases: Purchases) -> float | None:
        """What their next order is expected to be worth; None where the expectation is infinite."""
        x = purchases.repeats
        below = self._p * x + self._q - 1
        return self._p * (self._v + x * purchases.repeat_value) / below if below > 0 else None

    def orders(self, horizon: Duration) -> Value:
        """Expected orders within a horizon from now."""
        return lambda purchases, now: self._orders(purchases, now, horizon, 0.0)

    def lifetime_value(self, horizon: Duration, discount: float) -> Value:
        """What the orders within a horizon are worth now.

        Args:
            horizon: from now.
            discount: what a year takes off: 0.1 makes an order in a year worth 1 / 1.1 of one now.
        """
        rate = math.log1p(discount)

        def value(purchases: Purchases, now: Instant) -> float | None:
            worth = self.order_value(purchases)
            return None if worth is None else worth * self._orders(purchases, now, horizon, rate)

        return value

    def _orders(self, purchases: Purchases, now: Instant, horizon: Duration, rate: float) -> float:
        curve = self._curve(purchases.repeats, horizon, rate)
        return self.alive(purchases, now) * curve(self._alpha + self._age(purchases, now))

    def _tabulated(self, repeats: int, horizon: Duration, rate: float) -> Curve:
        """Expected orders of somebody alive, over alpha + T; `rate` is continuous and of a year."""
        b, shape, unit = self._b + repeats, self._r + repeats, self._unit

        def expected(scale: float) -> float:
            return discounted_orders(self._a, b, shape, horizon / unit, scale, rate * unit / YEAR)

        return Curve(expected, self._alpha, self._alpha + LONGEST / unit)
