"""What the Python peers remember of a customer of *mini*, and what an event does to it. The standard library only."""

from typing import Any

SEGMENTS = ("first_time", "repeat", "vip", "cart_open")
_VIP_ORDERS = 3
_VIP_SPEND = 500_00

Customer = dict[str, Any]
"""As a dictionary of what JSON has: that is what each peer's state is made for."""


def newcomer() -> Customer:
    """A customer of whom nothing is known."""
    return {
        "orders": 0,
        "spend": 0,
        "last_order": None,
        "cart_open": False,
        "cart_at": None,
        "contacts": 0,
        "last_seen": "",
        "segments": [],
    }


def apply(customer: Customer, event: dict[str, Any]) -> list[dict[str, Any]]:
    """Apply an event to a customer; the changes that it makes, as messages."""
    kind, at = event["type"], event["occurred_at"]
    customer["last_seen"] = max(customer["last_seen"], at)  # all in one form, so that the later text is later
    if kind == "order.placed":
        customer["orders"] += 1
        customer["spend"] += event["total"]
        customer["last_order"] = at
        customer["cart_open"] = False
    elif kind == "cart.item_added":
        customer["cart_open"] = True
        customer["cart_at"] = at
    else:
        if kind == "support.contacted":
            customer["contacts"] += 1
        return []
    before, after = customer["segments"], _segments(customer)
    if before == after:
        return []
    customer["segments"] = after
    return [
        {
            "type": "segment.entered" if name in after else "segment.exited",
            "segment": name,
            "customer_id": event["customer_id"],
            "effective_at": at,
            "event_id": event["id"],
            "orders": customer["orders"],
            "spend": customer["spend"],
        }
        for name in SEGMENTS
        if (name in before) is not (name in after)
    ]


def _segments(customer: Customer) -> list[str]:
    orders, spend = customer["orders"], customer["spend"]
    vip = orders >= _VIP_ORDERS and spend > _VIP_SPEND
    answers = (orders == 1, orders > 1, vip, customer["cart_open"])
    return [name for name, answer in zip(SEGMENTS, answers, strict=True) if answer]
