"""Mail of the synthetic shop: one campaign a week to those who agreed, opened, clicked, or the last straw."""

from collections.abc import Iterator

from schemas.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from streams.sources.shop_customers import Customer
from streams.sources.shop_floor import Event, Floor

_SOURCE = "mail"
_EVERY: Duration = 7 * DAY
_SENT: Duration = 2 * DAY + 9 * HOUR
"""Of each week, counted from the plan's start."""
_CLICKS = 0.12
_UNSUBSCRIBES = 0.015


def read_mail(floor: Floor, customer: Customer, now: Instant, until: Instant) -> Instant:
    """What a customer does with mail between two visits.

    Returns:
        When the next visit is: `until`, or earlier if a link in a mail brings them.
    """
    if not (customer.known and customer.consents):
        return until
    for number, sent in _campaigns(floor, now, min(until, floor.plan.end)):
        # Who comes less often also reads less.
        if not floor.chance(customer.habits.opens * (customer.visits_at(sent) / customer.habits.visits) ** 0.25):
            continue
        opened = floor.after(sent, 3 * HOUR, 0.9)
        who: Event = {"customer_id": customer.customer_id, "campaign_id": f"week-{number:03d}"}
        floor.note(customer, opened, "email.opened", _SOURCE, who)
        if floor.chance(_UNSUBSCRIBES):
            customer.consents = False
            leaves = floor.after(opened, MINUTE)
            floor.note(customer, leaves, "email.unsubscribed", _SOURCE, {"customer_id": customer.customer_id})
            break
        if floor.chance(_CLICKS):
            clicked = floor.after(opened, 20 * SECOND)
            link: Event = {**who, "url": f"https://shop.example/campaigns/{number:03d}"}
            floor.note(customer, clicked, "email.clicked", _SOURCE, link)
            return min(until, clicked + 2 * SECOND)
    return until


def _campaigns(floor: Floor, after: Instant, before: Instant) -> Iterator[tuple[int, Instant]]:
    """Number and sending instant of the campaigns in a stretch of time."""
    first = floor.plan.start + _SENT
    number = max(0, -((first - after) // _EVERY))
    while (sent := first + number * _EVERY) < before:
        yield number + 1, sent
        number += 1
