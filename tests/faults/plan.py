"""The load of one schedule: which events, in which order, at which pace. The same plan makes the same bytes.

Event time runs `speed` times as fast as real time, so that the windows of days and months in the shipped rules open and
close while the load runs. Some customers are busy and most are not: the quiet ones are moved by time alone.
"""

from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec
import orjson

from schemas.events import Catalogue
from schemas.instants import DAY, SECOND, Instant, rfc3339
from tests.oracle import Event, instant

START = instant("2020-01-01T00:00:00Z")
"""Of event time, where a plan does not say otherwise."""
HOT = "c0hot"
"""The customer who gets half of everything in a plan with a hot key."""
_PRODUCTS = 40
_LATEST = 45 * DAY
_KEPT = 2_000


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send.

    Attributes:
        rate: messages a second, for `seconds` at the most.
        start: event time of the first one.
        speed: seconds of event time in a real second.
        duplicates: share of the messages that were sent before.
        late: share of the events that happened up to 45 days before they are sent.
        misplaced: share of the events that are keyed by something else than the customer.
        poison: share of the messages that are no events.
        hot: share of the events that are one customer's.
    """

    seed: int
    rate: int = 2_200
    seconds: float = 60.0
    customers: int = 900
    start: Instant = START
    speed: float = 20 * 86_400.0
    duplicates: float = 0.05
    late: float = 0.05
    misplaced: float = 0.01
    poison: float = 0.002
    hot: float = 0.0

    @property
    def messages(self) -> int:
        """How many in all."""
        return round(self.rate * self.seconds)

    @property
    def end(self) -> Instant:
        """Where the workers' clock stops at the latest: there must be one instant to compare at."""
        return self.start + int((self.seconds + 0.25) * self.speed * SECOND)

    def at(self, number: int) -> Instant:
        """Event time of a message that is sent on time."""
        return self.start + int(number / self.rate * self.speed * SECOND)


class Message(NamedTuple):
    """What a producer sends."""

    topic: str
    key: str
    value: bytes
    is_event: bool


def messages(plan: Plan) -> Iterator[Message]:
    """All messages of a plan, in the order of sending."""
    random = Random(plan.seed)
    sent: deque[Message] = deque(maxlen=_KEPT)
    for number in range(plan.messages):
        draw = random.random()
        if draw < plan.poison:
            yield _poison(plan, number, random)
        elif sent and draw < plan.poison + plan.duplicates:
            yield random.choice(sent)
        else:
            message = _event(plan, number, random)
            sent.append(message)
            yield message


def _event(plan: Plan, number: int, random: Random) -> Message:
    at = plan.at(number)
    if random.random() < plan.late:
        at = max(plan.start, at - random.randrange(_LATEST))
    kind, fields = _fields(number, random)
    who = HOT if random.random() < plan.hot else f"c{int(plan.customers * random.random() ** 2.5)}"
    body: Event = {
        "id": f"e{plan.seed}-{number}",
        "type": kind,
        "version": 1,
        "occurred_at": rfc3339(at),
        "source": "faults",
        **({"anonymous_id": who} if who[-1] == "7" else {"customer_id": who}),
        **fields,
    }
    key = f"k{number}" if random.random() < plan.misplaced else who
    return Message(Catalogue.topic_of[kind], key, orjson.dumps(body), is_event=True)


def _fields(number: int, random: Random) -> tuple[str, dict[str, Any]]:
    maker = random.choices(_MAKERS, _WEIGHTS)[0]
    return maker(number, random)


def _placed(number: int, random: Random) -> tuple[str, dict[str, Any]]:
    total = random.choice([5_00, 60_00, 120_00, 250_00])
    return "order.placed", {"order_id": f"o{number}", "total": total, "currency": "GBP"}


def _cancelled(number: int, random: Random) -> tuple[str, dict[str, Any]]:
    return "order.cancelled", {"order_id": f"o{max(0, number - random.randrange(200))}"}


def _refunded(number: int, random: Random) -> tuple[str, dict[str, Any]]:
    fields = {"refund_id": f"r{number}", "amount": random.choice([5_00, 60_00]), "currency": "GBP"}
    return "order.refunded", {**fields, "order_id": f"o{max(0, number - random.randrange(200))}"}


def _viewed(_number: int, random: Random) -> tuple[str, dict[str, Any]]:
    return "product.viewed", {"product_id": f"p{random.randrange(_PRODUCTS)}"}


def _paged(_number: int, _random: Random) -> tuple[str, dict[str, Any]]:
    return "page.viewed", {"url": "https://shop.example/products?from=search"}


def _added(_number: int, random: Random) -> tuple[str, dict[str, Any]]:
    return "cart.item_added", {"product_id": f"p{random.randrange(_PRODUCTS)}", "quantity": random.choice([1, 2])}


def _removed(_number: int, random: Random) -> tuple[str, dict[str, Any]]:
    return "cart.item_removed", {"product_id": f"p{random.randrange(_PRODUCTS)}"}


def _cleared(_number: int, _random: Random) -> tuple[str, dict[str, Any]]:
    return "cart.cleared", {}


def _mailed(_number: int, random: Random) -> tuple[str, dict[str, Any]]:
    return random.choice(["email.subscribed", "email.subscribed", "email.unsubscribed", "email.opened"]), {}


def _contacted(number: int, random: Random) -> tuple[str, dict[str, Any]]:
    mood, topic = random.choice([None, -0.9, -0.3, 0.4]), random.choice([None, "delivery", "pricing", "sizes"])
    return "support.contacted", {"contact_id": f"k{number}", "channel": "chat", "topic": topic, "sentiment": mood}


def _rated(_number: int, random: Random) -> tuple[str, dict[str, Any]]:
    return "support.rated", {"csat": random.choice([1, 2, 4, 5])}


_MIX: tuple[tuple[Callable[[int, Random], tuple[str, dict[str, Any]]], int], ...] = (
    (_paged, 30),
    (_viewed, 20),
    (_added, 14),
    (_removed, 4),
    (_cleared, 1),
    (_placed, 14),
    (_refunded, 2),
    (_cancelled, 1),
    (_mailed, 5),
    (_contacted, 7),
    (_rated, 2),
)
_MAKERS = [maker for maker, _weight in _MIX]
_WEIGHTS = [weight for _maker, weight in _MIX]


def _poison(plan: Plan, number: int, random: Random) -> Message:
    """A message that must become a dead letter. Each is another one, so that none can stand for two."""
    topic = random.choice(["orders", "site-events", "support-contacts"])
    good = {"id": f"x{plan.seed}-{number}", "version": 1, "occurred_at": rfc3339(plan.at(number)), "source": "faults"}
    order = {**good, "type": "order.placed", "order_id": f"x{number}", "total": 1, "currency": "GBP"}
    value = random.choice(
        [
            b"no event %d" % number,
            b"\xff\xfe %d" % number,
            orjson.dumps({**good, "type": "order.dreamt", "customer_id": "c1"}),
            orjson.dumps(order),
            orjson.dumps({**order, "customer_id": "c1", "total": -1}),
            orjson.dumps({**order, "customer_id": "c1", "currency": "XXX"}),
            orjson.dumps({**good, "type": "page.viewed", "customer_id": "c1", "occurred_at": "2999-01-01T00:00:00Z"}),
            b'{"%d": "%s"}' % (number, b"x" * 20_000),
        ]
    )
    return Message(topic, f"c{number % plan.customers}", value, is_event=False)
