"""What the models look at: the days on which a customer bought.

Purchases of one day (UTC) count once, as in the papers: at the start of the day, with their values added up. The first
day is what makes somebody a customer; the others are repeats.
"""

from dataclasses import dataclass, field

from schemas.instants import DAY, NEVER, Duration, Instant
from streams.core.profile import Orders


@dataclass(frozen=True, slots=True)
class Purchases:
    """A customer's purchases in the terms of the models."""

    first: Instant
    """The start of the first day with an order that counts."""
    repeats: int
    """How many other days there were: x."""
    recency: Duration
    """From the first day to the last one: t_x; 0 without repeats."""
    repeat_value: float
    """What was paid on a repeat day, on average, minor units: z̄; 0 without repeats."""
    crossings: dict[object, Instant] = field(default_factory=dict, compare=False, repr=False)
    """Whoever looked for a crossing that was yet to come -> when it is: it is asked for again at each look."""


def purchases_of(orders: Orders) -> Purchases | None:
    """The purchases; None where no order counts. Kept with the orders until they change."""
    found: Purchases | None = orders.purchases
    if found is None and orders.counting:
        found = orders.purchases = purchases_in(values_by_day(orders))
    return found


def values_by_day(orders: Orders, until: Instant = NEVER) -> dict[Instant, int]:
    """Start of the day -> what its orders that count came to, less what came back of them; in time order.

    Orders after `until` are left out.
    """
    returned: dict[str, int] = {}
    for _at, amount, order_id in orders.refunds.values():
        returned[order_id] = returned.get(order_id, 0) + amount
    days: dict[Instant, int] = {}
    for at, order_id in orders.counting:
        if at > until:
            break
        day = at - at % DAY
        days[day] = days.get(day, 0) + orders.by_id[order_id].amount - returned.get(order_id, 0)
    return days


def purchases_in(days: dict[Instant, int]) -> Purchases:
    """The purchases of at least one day; `days` is in time order."""
    first, *others = days
    if not others:
        return Purchases(first, 0, 0, 0.0)
    total = sum(days[day] for day in others)
    return Purchases(first, len(others), others[-1] - first, total / len(others))
