"""Orders of the synthetic shop, and what becomes of them: changes, cancellations, deliveries, refunds, contacts."""

from dataclasses import dataclass

from schemas.instants import DAY, HOUR, MINUTE, Instant
from streams.sources.shop_assortment import Product
from streams.sources.shop_customers import Customer, Kind
from streams.sources.shop_floor import Event, Floor, item
from streams.sources.shop_support import contact

_SOURCE = "orders"
_COUPONS = (("WELCOME10", 10), ("SPRING15", 15), ("THANKS5", 5), ("OUTLET20", 20))
"""Code, and per cent off."""
_COUPON = 0.16
_UPDATED = 0.03
_CANCELLED = 0.03
_REFUNDED_WHOLE = 0.45
_CREDIT_WITHOUT_ORDER = 0.06
_CANCEL_REASONS = ("changed_mind", "found_cheaper", "too_slow", "payment_failed")
_REFUND_REASONS = ("too_small", "damaged", "not_as_described", "late", "unwanted")


@dataclass(slots=True)
class Order:
    """An order as it stands."""

    order_id: str
    lines: dict[Product, int]
    coupon: str | None
    per_cent: int

    @property
    def goods(self) -> int:
        """What the items cost, in minor units."""
        return sum(product.price * quantity for product, quantity in self.lines.items())

    @property
    def discount(self) -> int:
        """What the coupon takes off, in minor units."""
        return self.goods * self.per_cent // 100

    @property
    def total(self) -> int:
        """What is paid, in minor units."""
        return self.goods - self.discount

    def fields(self, customer: Customer, currency: str) -> Event:
        """The order as an event has it."""
        body: Event = {
            "customer_id": customer.customer_id,
            "order_id": self.order_id,
            "total": self.total,
            "currency": currency,
            "items": [item(product, quantity) for product, quantity in self.lines.items()],
        }
        if self.coupon is not None:
            body["discount"] = self.discount
            body["coupon"] = self.coupon
        return body


def place_order(floor: Floor, customer: Customer, instant: Instant) -> None:
    """Buy what is in the cart, and leave the cart empty."""
    customer.ordered += 1
    coupon, per_cent = floor.rng.choice(_COUPONS) if floor.chance(_COUPON) else (None, 0)
    order = Order(f"o{customer.index:06d}-{customer.ordered:04d}", customer.cart, coupon, per_cent)
    customer.cart = {}
    floor.note(customer, instant, "order.placed", _SOURCE, order.fields(customer, floor.plan.currency))
    if customer.kind is Kind.ONE_TIME:
        customer.fades_at = min(customer.fades_at, instant)
    if floor.chance(_UPDATED):
        _update(floor, customer, order, instant)
    if floor.chance(_CANCELLED):
        body: Event = {"customer_id": customer.customer_id, "order_id": order.order_id}
        body["reason"] = floor.rng.choice(_CANCEL_REASONS)
        floor.note(customer, floor.after(instant + 20 * MINUTE, 3 * HOUR), "order.cancelled", _SOURCE, body)
        return
    _deliver(floor, customer, order, instant)


def _update(floor: Floor, customer: Customer, order: Order, instant: Instant) -> None:
    """One more of the first product; a shorter message leaves out the items, which then stay as they were."""
    first = next(iter(order.lines))
    if floor.chance(0.75):
        order.lines[first] += 1
        body = order.fields(customer, floor.plan.currency)
    else:
        body = order.fields(customer, floor.plan.currency)
        del body["items"]
    floor.note(customer, instant + int(1 + 14 * floor.rng.random()) * MINUTE, "order.updated", _SOURCE, body)


def _deliver(floor: Floor, customer: Customer, order: Order, instant: Instant) -> None:
    """Bring the order some days later; then come returns and questions."""
    delivered = floor.after(instant + 18 * HOUR, 2 * DAY, 0.5)
    body: Event = {"customer_id": customer.customer_id, "order_id": order.order_id}
    floor.note(customer, delivered, "order.delivered", _SOURCE, body)
    habits = customer.habits
    if floor.chance(habits.returns):
        refunded = floor.after(delivered + DAY, 7 * DAY, 0.5)
        _refund(floor, customer, order, refunded)
        if floor.chance(0.4):
            contact(floor, customer, floor.after(delivered, DAY), "returns")
    if floor.chance(habits.contacts):
        before = floor.chance(0.5)
        topic, from_instant = ("delivery", instant) if before else ("product", delivered)
        contact(floor, customer, floor.after(from_instant + HOUR, DAY, 0.5), topic)


def _refund(floor: Floor, customer: Customer, order: Order, instant: Instant) -> None:
    """Pay back all of it, or the share of one line; rarely as a credit note that names no order."""
    rng = floor.rng
    amount = order.total
    if not floor.chance(_REFUNDED_WHOLE):
        product, quantity = rng.choice(list(order.lines.items()))
        amount = product.price * quantity * (100 - order.per_cent) // 100
    body: Event = {"customer_id": customer.customer_id, "refund_id": f"r{order.order_id[1:]}", "amount": amount}
    body["currency"] = floor.plan.currency
    body["reason"] = rng.choice(_REFUND_REASONS)
    if not floor.chance(_CREDIT_WITHOUT_ORDER):
        body["order_id"] = order.order_id
    floor.note(customer, instant, "order.refunded", _SOURCE, body)
