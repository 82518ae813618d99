"""Where the simulation happens: the plan, what is sold, one random stream, and what is still to come, in time order."""

from heapq import heappush
from math import exp

from schemas.instants import Duration, Instant, rfc3339
from streams.sources.shop_assortment import Assortment, Product
from streams.sources.shop_customers import Customer
from streams.sources.shop_plan import Part, ShopPlan

Event = dict[str, object]
Entry = tuple[Instant, str, Customer | Event]
"""Something to come: when, the id that orders equal instants, and a visit of a customer or a finished event.

Customer ids sort before event ids, so a visit is played before an event of the same instant comes out.
"""

_MILLISECOND: Duration = 1_000


class Floor:
    """One run of a plan. Memory grows with customers who may still come and with what is under way, not with days."""

    def __init__(self, plan: ShopPlan) -> None:
        """Open the shop of a plan, with nobody in it."""
        self.plan = plan
        self.assortment = Assortment(plan)
        self.rng = plan.stream(Part.VISIT)
        self.pending: list[Entry] = []
        self._end = plan.end
        self._prefix = f"e{plan.tag}"

    def turn_to(self, customer: Customer) -> None:
        """Give the random stream to a customer's next visit: what they do depends on nobody else."""
        self.rng.seed(self.plan.stream_number(Part.VISIT, customer.index, customer.visited))
        customer.visited += 1

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.rng.random() < probability

    def after(self, instant: Instant, median: Duration, spread: float = 0.7) -> Instant:
        """A later instant; the delay is log-normal, in whole milliseconds, at least one."""
        delay = int(median * exp(self.rng.gauss(0.0, spread))) // _MILLISECOND
        return instant + (delay or 1) * _MILLISECOND

    def expect(self, instant: Instant, customer: Customer) -> None:
        """Plan the next visit, unless the simulated time is over by then."""
        if instant < self._end:
            heappush(self.pending, (instant, customer.customer_id, customer))

    def note(self, customer: Customer, instant: Instant, kind: str, source: str, fields: Event) -> None:
        """Record an event of a customer; `fields` name the customer and whatever the type needs."""
        if instant >= self._end:
            return
        customer.numbered += 1
        event_id = f"{self._prefix}-{customer.index:06d}-{customer.numbered:05d}"
        event: Event = {
            "id": event_id,
            "type": kind,
            "version": 1,
            "occurred_at": rfc3339(instant),
            "source": source,
            **fields,
        }
        heappush(self.pending, (instant, event_id, event))


def item(product: Product, quantity: int) -> Event:
    """One line of a cart or of an order."""
    return {
        "product_id": product.product_id,
        "category": product.category,
        "quantity": quantity,
        "unit_price": product.price,
    }
