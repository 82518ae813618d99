"""Short ways to write events, as on the wire: `bought(5 * DAY, "o1", 60_00)`. Times count from `START`."""

from itertools import count
from typing import Any

import orjson

from schemas.events import AnyEvent
from schemas.instants import rfc3339
from schemas.wire import decode
from tests.oracle import Event, instant

START = instant("2026-01-01T00:00:00Z")
_numbers = count()


def event(kind: str, at: int = 0, **fields: Any) -> Event:
    """An event of ann's, `at` microseconds after the start; its id is new unless one is given."""
    shared = {"id": f"e{next(_numbers):06}", "version": 1, "source": "test", "customer_id": "ann"}
    return {**shared, "type": kind, "occurred_at": rfc3339(START + at), **fields}


def decoded(given: Event) -> AnyEvent:
    """What the classifier makes of an event on the wire."""
    return decode(orjson.dumps(given))


def bought(at: int, order_id: str, total: int | str = 60_00, **fields: Any) -> Event:
    return event("order.placed", at, order_id=order_id, total=total, **{"currency": "GBP", **fields})


def updated(at: int, order_id: str, total: int | str | None, **fields: Any) -> Event:
    return event("order.updated", at, order_id=order_id, total=total, **{"currency": "GBP", **fields})


def cancelled(at: int, order_id: str) -> Event:
    return event("order.cancelled", at, order_id=order_id)


def refunded(at: int, amount: int | str, order_id: str | None, refund_id: str = "r1") -> Event:
    return event("order.refunded", at, amount=amount, order_id=order_id, refund_id=refund_id, currency="GBP")


def viewed(at: int) -> Event:
    return event("page.viewed", at)


def added(at: int, product: str = "p", quantity: int = 1, **fields: Any) -> Event:
    return event("cart.item_added", at, product_id=product, quantity=quantity, **fields)


def removed(at: int, product: str = "p", quantity: int | None = None, **fields: Any) -> Event:
    return event("cart.item_removed", at, product_id=product, quantity=quantity, **fields)


def filled(at: int, *products: str, **fields: Any) -> Event:
    return event("cart.updated", at, items=[{"product_id": product} for product in products], **fields)


def cleared(at: int, **fields: Any) -> Event:
    return event("cart.cleared", at, **fields)


def mailed(kind: str, at: int) -> Event:
    """`subscribed`, `unsubscribed`, `opened` or `clicked`."""
    return event(f"email.{kind}", at)


def contacted(at: int, contact_id: str, topic: str | None = None, sentiment: float | None = None) -> Event:
    return event("support.contacted", at, contact_id=contact_id, channel="chat", topic=topic, sentiment=sentiment)


def rated(at: int, csat: int) -> Event:
    return event("support.rated", at, csat=csat)
