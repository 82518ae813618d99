"""advance: what an event does to a profile. One small function per event type, all in one table.

A profile is changed in place: its only owner is the shard that holds it, and a failed commit throws it away.
Each function is idempotent and commutes with the others (see `streams.core.profile`), and says which groups of facts
it touched; without any of its own, the event was known already. `SEEN` is touched by each event that is the latest yet.
"""

from collections.abc import Callable
from typing import Any
from zlib import crc32

from schemas.events import (
    AnyEvent,
    CartCleared,
    CartItemAdded,
    CartItemRemoved,
    CartUpdated,
    CustomerUpdated,
    Item,
    OrderCancelled,
    OrderPlaced,
    OrderRefunded,
    OrderUpdated,
    SupportContacted,
    SupportRated,
)
from schemas.instants import Instant
from streams.core.money import Rates
from streams.core.profile import AFTER_TIES, MAX_ATTRIBUTES, Order, Profile

ORDERS, CART, SITE, VISITS, ENGAGED, EMAIL, SUPPORT, ATTRIBUTES, SEEN, MODELS = (1 << bit for bit in range(10))
"""Groups of facts, as a bit set: what a rule reads, and what an event touches. `SITE` is when the customer was last on
the site, `VISITS` which visits there were, `ENGAGED` when they last did anything on the site or with our mail. `MODELS`
are the parameters of predictions, which no event touches."""
ALL = (1 << 10) - 1

Advance = Callable[[Profile, Any, Rates], int]


def advance(profile: Profile, event: AnyEvent, rates: Rates) -> int:
    """Apply one event to a profile; the groups of facts that it touched.

    Raises:
        UndecodableError: a currency without a rate; `streams.core.admission` refuses such an event beforehand.
    """
    change = _ADVANCES[event.type]
    if change is not _seen:
        profile.around = None
    touched = change(profile, event, rates)
    if event.occurred_at > profile.seen_at:
        profile.seen_at = event.occurred_at
        touched |= SEEN
    return touched


def _tie(event_id: str) -> int:
    """Tells events of one instant apart, and puts them in an order that all workers agree on."""
    return crc32(event_id.encode())


def _order_placed(profile: Profile, event: OrderPlaced, rates: Rates) -> int:
    at, total = event.occurred_at, rates.minor(event.total, event.currency)
    emptied = CART if profile.cart.reset(at, AFTER_TIES, None) else 0
    orders = profile.orders
    order = orders.by_id.get(event.order_id)
    if order is None:
        orders.by_id[event.order_id] = Order(placed_at=at, total=total)
        if not orders.refunds:
            orders.add_counting(at, event.order_id, total)
            return ORDERS | emptied
    elif order.placed_at is None or (at, total) < (order.placed_at, order.total):
        order.placed_at, order.total = at, total
    else:
        return emptied
    orders.derive()
    return ORDERS | emptied


def _order_updated(profile: Profile, event: OrderUpdated, rates: Rates) -> int:
    if event.total is None:
        return 0
    order = profile.orders.by_id.setdefault(event.order_id, Order())
    stamp = (event.occurred_at, rates.minor(event.total, event.currency))
    if order.updated_at is not None and stamp <= (order.updated_at, order.updated_total):
        return 0
    order.updated_at, order.updated_total = stamp
    profile.orders.derive()
    return ORDERS


def _order_cancelled(profile: Profile, event: OrderCancelled, _rates: Rates) -> int:
    order = profile.orders.by_id.setdefault(event.order_id, Order())
    if order.cancelled:
        return 0
    order.cancelled = True
    profile.orders.derive()
    return ORDERS


def _order_refunded(profile: Profile, event: OrderRefunded, rates: Rates) -> int:
    refund = (event.occurred_at, rates.minor(event.amount, event.currency), event.order_id or "")
    known = profile.orders.refunds.get(event.refund_id)
    if known is not None and known <= refund:
        return 0
    profile.orders.refunds[event.refund_id] = refund
    profile.orders.derive()
    return ORDERS


def _seen(profile: Profile, event: AnyEvent, _rates: Rates) -> int:
    """A site event that changes nothing but that the customer was there."""
    at, visits = event.occurred_at, profile.visits
    before = visits.last_at
    touched = VISITS if visits.add(at) else 0
    if before is None or at > before:
        touched |= SITE
        if profile.engaged_at is None or at > profile.engaged_at:
            profile.engaged_at = at
            touched |= ENGAGED
    return touched


def _nothing(_profile: Profile, _event: AnyEvent, _rates: Rates) -> int:
    """An event that no rule reads; it counts as a sign of life only (`seen_at`)."""
    return 0


def _on_site(change: Advance) -> Advance:
    """An advance of a site event, which is part of a visit as well."""

    def both(profile: Profile, event: AnyEvent, rates: Rates) -> int:
        return _seen(profile, event, rates) | change(profile, event, rates)

    return both


def _cart_added(profile: Profile, event: CartItemAdded, _rates: Rates) -> int:
    change = (event.occurred_at, _tie(event.id), event.product_id, event.quantity or 1)
    return CART if profile.cart.change(change) else 0


def _cart_removed(profile: Profile, event: CartItemRemoved, _rates: Rates) -> int:
    change = (event.occurred_at, _tie(event.id), event.product_id, -(event.quantity or 0))
    return CART if profile.cart.change(change) else 0


def _cart_updated(profile: Profile, event: CartUpdated, _rates: Rates) -> int:
    return CART if profile.cart.reset(event.occurred_at, _tie(event.id), _content(event.items)) else 0


def _content(items: list[Item]) -> dict[str, int]:
    content: dict[str, int] = {}
    for item in items:
        content[item.product_id] = content.get(item.product_id, 0) + (item.quantity or 1)
    return content


def _cart_cleared(profile: Profile, event: CartCleared, _rates: Rates) -> int:
    return CART if profile.cart.reset(event.occurred_at, _tie(event.id), None) else 0


def _later(known: Instant | None, at: Instant) -> bool:
    return known is None or at > known


def _subscribed(profile: Profile, event: AnyEvent, _rates: Rates) -> int:
    if not _later(profile.email.subscribed_at, event.occurred_at):
        return 0
    profile.email.subscribed_at = event.occurred_at
    profile.email.derive()
    return EMAIL


def _unsubscribed(profile: Profile, event: AnyEvent, _rates: Rates) -> int:
    if not _later(profile.email.unsubscribed_at, event.occurred_at):
        return 0
    profile.email.unsubscribed_at = event.occurred_at
    profile.email.derive()
    return EMAIL


def _mail_read(profile: Profile, event: AnyEvent, _rates: Rates) -> int:
    at = event.occurred_at
    if not _later(profile.email.engaged_at, at):
        return 0
    profile.email.engaged_at, profile.email.packed = at, None
    if not _later(profile.engaged_at, at):
        return 0
    profile.engaged_at = at
    return ENGAGED


def _contacted(profile: Profile, event: SupportContacted, _rates: Rates) -> int:
    contacts = profile.support.contacts
    contact = (event.occurred_at, event.topic, event.sentiment)
    known = contacts.get(event.contact_id)
    if known is not None and _rank(known) >= _rank(contact):
        return 0
    contacts[event.contact_id] = contact
    profile.support.derive()
    return SUPPORT


def _rank(contact: tuple[Instant, str | None, float | None]) -> tuple[Instant, str, float]:
    at, topic, sentiment = contact
    return at, topic or "", -2.0 if sentiment is None else sentiment


def _rated(profile: Profile, event: SupportRated, _rates: Rates) -> int:
    support = profile.support
    stamp = (event.occurred_at, -event.csat)  # at one and the same instant the worse rating counts
    if support.csat_at is not None and stamp <= (support.csat_at, -(support.csat or 0)):
        return 0
    support.csat_at, support.csat, support.packed = event.occurred_at, event.csat, None
    return SUPPORT


def _updated(profile: Profile, event: CustomerUpdated, _rates: Rates) -> int:
    touched = 0
    for name, value in event.attributes.items():
        known = profile.attributes.get(name)
        if known is None or (event.occurred_at, repr(value)) > (known[0], repr(known[1])):
            profile.attributes[name] = (event.occurred_at, value)
            touched = ATTRIBUTES
    while len(profile.attributes) > MAX_ATTRIBUTES:
        del profile.attributes[max(profile.attributes)]
    return touched


_ADVANCES: dict[str, Advance] = {
    "order.placed": _order_placed,
    "order.updated": _order_updated,
    "order.cancelled": _order_cancelled,
    "order.refunded": _order_refunded,
    "order.delivered": _nothing,
    "page.viewed": _seen,
    "product.viewed": _seen,
    "product.favourited": _seen,
    "search.performed": _seen,
    "cart.item_added": _on_site(_cart_added),
    "cart.item_removed": _on_site(_cart_removed),
    "cart.updated": _on_site(_cart_updated),
    "cart.cleared": _on_site(_cart_cleared),
    "checkout.started": _seen,
    "customer.identified": _seen,
    "customer.updated": _updated,
    "email.subscribed": _subscribed,
    "email.unsubscribed": _unsubscribed,
    "email.opened": _mail_read,
    "email.clicked": _mail_read,
    "support.contacted": _contacted,
    "support.resolved": _nothing,
    "support.rated": _rated,
}
"""Every event type has its line here; a test holds that none is missing."""
