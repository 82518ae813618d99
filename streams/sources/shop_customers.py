"""Who shops there: kinds of customers, what each kind is wont to do, and one customer's state between visits."""

import math
from bisect import bisect
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from random import Random

from schemas.instants import DAY, HOUR, MINUTE, NEVER, Duration, Instant
from streams.sources.shop_assortment import CATEGORIES, Product
from streams.sources.shop_plan import Part, ShopPlan


class Kind(StrEnum):
    """How a customer behaves over time."""

    NEW = "new"
    LOYAL = "loyal"
    FADING = "fading"
    ONE_TIME = "one-time"
    BROWSER_ONLY = "browser-only"
    SUBSCRIBER = "subscriber"


@dataclass(frozen=True, slots=True)
class Habits:
    """What a kind of customer is wont to do; all but `share`, `visits`, `interests` and `orders` are probabilities.

    Attributes:
        share: weight among all customers.
        visits: mean number a day, before fading.
        half_life: time in which visits halve once they fade.
        interests: mean number of products looked at in a visit.
        adds: a product looked at goes into the cart.
        checks_out: a visit with something in the cart goes to the checkout.
        pays: a checkout becomes an order.
        returns: a delivered order is sent back, in part or as a whole.
        contacts: an order leads to a support contact.
        subscribes: agrees to mail when asked.
        opens: a mail is opened.
        account: had an account before the first visit.
        identifies: an anonymous visit ends with signing in, without a checkout.
        orders: at most so many.
    """

    share: float
    visits: float
    half_life: Duration
    interests: float
    adds: float
    checks_out: float
    pays: float
    returns: float
    contacts: float
    subscribes: float
    opens: float
    account: float
    identifies: float
    orders: int = 1_000_000


HABITS = {
    Kind.NEW: Habits(0.24, 0.30, 40 * DAY, 3.0, 0.22, 0.45, 0.70, 0.10, 0.12, 0.35, 0.35, 0.05, 0.15),
    Kind.LOYAL: Habits(0.16, 0.24, 1_000 * DAY, 3.5, 0.24, 0.50, 0.88, 0.07, 0.07, 0.70, 0.45, 0.97, 0.60),
    Kind.FADING: Habits(0.16, 0.30, 6 * DAY, 3.0, 0.30, 0.55, 0.85, 0.14, 0.18, 0.55, 0.25, 0.95, 0.50),
    Kind.ONE_TIME: Habits(0.18, 0.45, 5 * DAY, 2.5, 0.35, 0.65, 0.85, 0.16, 0.16, 0.20, 0.20, 0.02, 0.08, orders=1),
    Kind.BROWSER_ONLY: Habits(0.16, 0.22, 40 * DAY, 4.0, 0.10, 0.15, 0.0, 0.0, 0.0, 0.15, 0.20, 0.05, 0.05, orders=0),
    Kind.SUBSCRIBER: Habits(0.10, 0.10, 1_000 * DAY, 2.5, 0.25, 0.55, 0.85, 0.08, 0.06, 0.98, 0.65, 0.90, 0.50),
}
_KINDS = tuple(HABITS)
_KIND_BOUNDS = tuple(accumulate(habits.share for habits in HABITS.values()))

COUNTRIES = (("GB", "en", 0), ("GB", "en", 0), ("IE", "en", 0), ("DE", "de", 1), ("FR", "fr", 1), ("US", "en", -5))
"""Country, language, and hours ahead of UTC; a country that stands twice is twice as frequent."""

_HOURS = (3, 2, 1, 1, 1, 2, 5, 9, 12, 14, 15, 16, 18, 17, 15, 15, 16, 18, 22, 27, 30, 26, 16, 8)
"""How much goes on in each hour of the local day."""
_HOUR_BOUNDS = tuple(accumulate(_HOURS))
_BETWEEN_VISITS: Duration = 30 * MINUTE
_LEAST_VISITS = 1e-4
"""A day: fading has an end, or a gap would outgrow what dates can hold."""


@dataclass(slots=True)
class Customer:
    """One customer between two visits.

    Attributes:
        known: the shop has linked a device of theirs to the account.
        introduced: attributes and consent were recorded.
        device: number of the device in use; each has an anonymous id.
        trusted: that device is linked to the account.
        numbered: events so far; the next id.
        cart: product to quantity.
        fades_at: from when on visits become rarer.
    """

    index: int
    kind: Kind
    country: str
    language: str
    ahead: Duration
    shelf: int
    arrives_at: Instant
    fades_at: Instant
    known: bool
    trusted: bool
    introduced: bool = False
    consents: bool = False
    device: int = 1
    visited: int = 0
    numbered: int = 0
    ordered: int = 0
    cart: dict[Product, int] = field(default_factory=dict)
    cart_at: Instant = 0

    @property
    def customer_id(self) -> str:
        """The account's id."""
        return f"c{self.index:06d}"

    @property
    def anonymous_id(self) -> str:
        """The id of the device in use."""
        return f"a{self.index:06d}-{self.device}"

    @property
    def habits(self) -> Habits:
        """What this kind of customer is wont to do."""
        return HABITS[self.kind]

    def visits_at(self, instant: Instant) -> float:
        """Mean number of visits a day, at an instant."""
        if instant <= self.fades_at:
            return self.habits.visits
        faded = math.exp2((self.fades_at - instant) / self.habits.half_life)
        return max(self.habits.visits * faded, _LEAST_VISITS)

    def next_visit(self, rng: Random, now: Instant) -> Instant:
        """When they come back: a day drawn from how often they come, an hour drawn from the local day's rhythm."""
        gap = rng.expovariate(self.visits_at(now)) * DAY
        hour = bisect(_HOUR_BOUNDS, rng.random() * _HOUR_BOUNDS[-1])
        of_day = hour * HOUR + int(rng.random() * 3_600_000) * 1_000
        instant = (now + int(gap)) // DAY * DAY + of_day - self.ahead
        while instant <= now + _BETWEEN_VISITS:
            instant += DAY
        return instant


def draw_customer(plan: ShopPlan, index: int) -> Customer:
    """The customer with an index, as they are before their first visit."""
    rng = plan.stream(Part.CUSTOMER, index)
    kind = _KINDS[bisect(_KIND_BOUNDS, rng.random() * _KIND_BOUNDS[-1])]
    country, language, ahead = rng.choice(COUNTRIES)
    length = plan.days * DAY
    arrives_at = plan.start
    if kind in {Kind.NEW, Kind.ONE_TIME, Kind.BROWSER_ONLY}:
        arrives_at += int(rng.random() * 0.9 * length)
    fades_at = {
        Kind.NEW: arrives_at + 10 * DAY,
        Kind.FADING: plan.start + int(rng.uniform(0.05, 0.5) * length),
        Kind.ONE_TIME: arrives_at + 12 * DAY,
        Kind.BROWSER_ONLY: arrives_at + 30 * DAY,
    }.get(kind, NEVER)
    known = rng.random() < HABITS[kind].account
    shelf = int(rng.random() * len(CATEGORIES))
    return Customer(index, kind, country, language, ahead * HOUR, shelf, arrives_at, fades_at, known, known)


def census(plan: ShopPlan) -> dict[str, int]:
    """How many customers of each kind a plan has; the sum is `plan.customers`."""
    counted = Counter(draw_customer(plan, index).kind for index in range(plan.customers))
    return {kind.value: counted[kind] for kind in Kind}
