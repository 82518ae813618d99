"""A synthetic shop: customers of several kinds, day after day, as events and as lines of a file.

The same plan gives the same bytes: each visit of each customer has a random stream of its own, and no clock is read.
"""

from collections.abc import Iterator
from heapq import heapify, heappop

from schemas.instants import Instant
from streams.sources.shop_customers import Customer, Kind, census, draw_customer
from streams.sources.shop_faults import Line, Mark, mix_faults
from streams.sources.shop_floor import Event, Floor
from streams.sources.shop_mail import read_mail
from streams.sources.shop_plan import DEFAULT_START, ShopPlan
from streams.sources.shop_visits import play_visit

__all__ = [
    "DEFAULT_START",
    "Kind",
    "Line",
    "Mark",
    "ShopPlan",
    "census",
    "events",
    "lines",
    "marked_lines",
]


def events(plan: ShopPlan) -> Iterator[dict[str, object]]:
    """The clean events of a plan as they would be in JSON, in order of `occurred_at`, then of `id`."""
    for _, event in _timeline(plan):
        yield event


def marked_lines(plan: ShopPlan) -> Iterator[Line]:
    """The lines of a plan, with duplicates, late and broken ones mixed in, and what each of them is."""
    return mix_faults(plan, _timeline(plan))


def lines(plan: ShopPlan) -> Iterator[bytes]:
    """The lines of a plan without line ends, as `marked_lines` has them; each is the value of one message."""
    for line in marked_lines(plan):
        yield line.raw


def _timeline(plan: ShopPlan) -> Iterator[tuple[Instant, Event]]:
    """Play all visits in time order; what a visit leads to waits among what is to come."""
    floor = Floor(plan)
    for index in range(plan.customers):
        customer = draw_customer(plan, index)
        floor.turn_to(customer)
        first = customer.next_visit(floor.rng, customer.arrives_at)
        if first < plan.end:
            floor.pending.append((first, customer.customer_id, customer))
    heapify(floor.pending)
    while floor.pending:
        instant, _, what = heappop(floor.pending)
        if isinstance(what, Customer):
            _visit(floor, what, instant)
        else:
            yield instant, what


def _visit(floor: Floor, customer: Customer, instant: Instant) -> None:
    """One visit, the mail that is read after it, and the date of the next."""
    floor.turn_to(customer)
    over = play_visit(floor, customer, instant)
    planned = customer.next_visit(floor.rng, over)
    floor.expect(read_mail(floor, customer, over, planned), customer)
