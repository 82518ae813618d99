"""Generated events: as many as wanted, of as many customers as wanted, the same for the same plan.

Fast rather than lifelike: no customer has habits. Of the events, 10 % are orders of one item, 5 % support contacts, the
rest site events; they lie evenly over the time before `until`, in order, and none is later than it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, repeat
from random import Random
from typing import NamedTuple

from schemas.instants import DAY, Duration, Instant, rfc3339
from schemas.names import ORDERS, SITE_EVENTS, SUPPORT_CONTACTS

PRODUCTS = 500
_CATEGORIES = ("shoes", "coats", "bags", "hats", "belts")
_CHANNELS = ("chat", "email", "phone")
_TOPICS = ("delivery", "pricing", "returns", "sizes")
_DRAWS = 1 << 16


class Message(NamedTuple):
    """An encoded event, and what a producer needs to know of it."""

    topic: str
    key: str
    value: bytes


Mix = tuple[tuple[Callable[[str, Instant, str, int], Message], int], ...]
"""What makes an event of (id, instant, customer, product), and its share."""


@dataclass(frozen=True)
class LoadPlan:
    """What to generate.

    Attributes:
        events: how many.
        customers: of how many customers.
        until: the instant of the last event.
        exact: every customer gets as many events as every other (`events` is a multiple of `customers`);
            otherwise each event's customer is drawn evenly.
        span: the time from the first event to the last.
        seed: another one makes other events.
        mix: what the events are; `MIX` if not given.
    """

    events: int
    customers: int
    until: Instant
    exact: bool = False
    span: Duration = 60 * DAY
    seed: int = 1
    mix: Mix = ()

    def instants(self) -> Iterator[Instant]:
        """When each event happens."""
        step = self.span // self.events
        first = self.until - step * (self.events - 1)
        return (first + step * number for number in range(self.events))


def customer_id(number: int) -> str:
    """The id of a generated customer: ten characters, as shops' own ids are about that long."""
    return f"c{number:09d}"


def order(event_id: str, at: Instant, customer: str, pence: int, product: int) -> Message:
    """One order of one item."""
    item = f'{{"product_id":"p{product}","category":"{_category(product)}","quantity":1,"unit_price":{pence}}}'
    fields = f'"order_id":"o{event_id}","total":{pence},"currency":"GBP","items":[{item}]'
    return _message(ORDERS, "order.placed", event_id, at, customer, fields)


def page_view(event_id: str, at: Instant, customer: str, product: int) -> Message:
    """One opened page."""
    fields = f'"session_id":"s{customer}","url":"https://shop.example/products/{product}?from=search"'
    return _message(SITE_EVENTS, "page.viewed", event_id, at, customer, fields)


def product_view(event_id: str, at: Instant, customer: str, product: int) -> Message:
    """One opened product page."""
    fields = f'"session_id":"s{customer}","product_id":"p{product}","category":"{_category(product)}"'
    return _message(SITE_EVENTS, "product.viewed", event_id, at, customer, fields)


def cart_add(event_id: str, at: Instant, customer: str, product: int) -> Message:
    """One product put into the cart."""
    fields = f'"session_id":"s{customer}","product_id":"p{product}","quantity":1,"unit_price":{product * 10}'
    return _message(SITE_EVENTS, "cart.item_added", event_id, at, customer, fields)


def checkout(event_id: str, at: Instant, customer: str, _product: int) -> Message:
    """One begun checkout."""
    return _message(SITE_EVENTS, "checkout.started", event_id, at, customer, f'"session_id":"s{customer}"')


def contact(event_id: str, at: Instant, customer: str, number: int) -> Message:
    """One support contact; its number decides on channel, topic and mood."""
    channel, topic = _CHANNELS[number % len(_CHANNELS)], _TOPICS[number % len(_TOPICS)]
    mood = (number % 21 - 10) / 10
    fields = f'"contact_id":"k{event_id}","channel":"{channel}","topic":"{topic}","sentiment":{mood}'
    return _message(SUPPORT_CONTACTS, "support.contacted", event_id, at, customer, fields)


def order_drawn(event_id: str, at: Instant, customer: str, product: int) -> Message:
    """One order whose price depends on its product."""
    return order(event_id, at, customer, 500 + product * 37 % 20_000, product)


MIX: Mix = (
    (order_drawn, 10),
    (page_view, 45),
    (product_view, 30),
    (cart_add, 6),
    (checkout, 4),
    (contact, 5),
)
"""What makes an event, and its share in percent."""


def generate(plan: LoadPlan) -> Iterator[Message]:
    """The events of a plan, in order of their instants."""
    random = Random(plan.seed)
    mix = plan.mix or MIX
    makers = random.choices([maker for maker, _ in mix], [share for _, share in mix], k=_DRAWS)
    products = random.choices(range(1, PRODUCTS + 1), k=_DRAWS - 1)  # another length, so that pairs do not repeat
    draws = zip(cycle(makers), cycle(products), _customers(plan, random), strict=False)
    for number, (at, (maker, product, customer)) in enumerate(zip(plan.instants(), draws, strict=False)):
        yield maker(f"e{number:08d}", at, customer, product)


def _customers(plan: LoadPlan, random: Random) -> Iterator[str]:
    ids = [customer_id(number) for number in range(plan.customers)]
    for _ in repeat(None):
        if plan.exact:
            random.shuffle(ids)
            yield from ids
        else:
            yield from random.choices(ids, k=_DRAWS)


def _category(product: int) -> str:
    return _CATEGORIES[product % len(_CATEGORIES)]


def _message(topic: str, kind: str, event_id: str, at: Instant, customer: str, fields: str) -> Message:
    text = (
        f'{{"id":"{event_id}","type":"{kind}","version":1,"occurred_at":"{rfc3339(at)}","source":"bench",'
        f'"customer_id":"{customer}",{fields}}}'
    )
    return Message(topic, customer, text.encode())
