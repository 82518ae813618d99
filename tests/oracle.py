"""Who is in which segment, worked out the slow and plain way: the second opinion that the classifier is tested against.

Nothing here is shared with the classifier. Every question is answered from all events of a customer, from scratch.
Events are JSON-decoded dicts as on the wire: valid, in one currency with two decimals. Instants and durations are
whole microseconds, money is whole minor units, so nothing is rounded.

Every answer is a function of the *set* of events. Where several speak of one thing, the one that counts is chosen by
what they say, never by their order of arrival:

- `order.placed` with one order id: the smallest (occurred_at, total); any of them empties the cart.
- `order.updated`: the largest (occurred_at, total); one without a total changes nothing.
- `order.refunded` with one refund id: the smallest (occurred_at, amount, order id, "" for none).
- `support.contacted` with one contact id: the largest (occurred_at, topic or "", sentiment, -2 for none).
- `support.rated`: the latest, at one instant the lowest.
- changes of the cart: by (occurred_at, CRC-32 of the event id's UTF-8 bytes).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple
from zlib import crc32

from tests.oracle_predictions import Models, Purchase, prediction_rules

Event = dict[str, Any]
"""One event; within this module after `_known`, its `occurred_at` is an instant."""

MINUTE = 60 * 1_000_000
DAY = 24 * 60 * MINUTE

SEGMENTS = (
    "first_time_buyer",
    "repeat_buyer",
    "vip",
    "lapsed",
    "at_risk_loyal",
    "former_high_value",
    "one_time_shopper",
    "loyal_customer",
    "cart_abandoner",
    "prospective_buyer",
    "churn_risk",
    "winback_opportunity",
    "new_subscriber",
    "email_subscriber",
    "idle_visitor",
    "delivery_issue",
    "pricing_complaint",
    "unhappy",
    "likely_to_churn",
    "likely_to_buy",
    "predicted_high_ltv",
)
"""Every segment that this module knows."""
PREDICTED = SEGMENTS[-3:]
"""Those that are empty without parameters of the models."""

_VISIT_GAP = 30 * MINUTE
_AGES = (60 * MINUTE, 7 * DAY, 30 * DAY, 90 * DAY, 120 * DAY, 180 * DAY, 365 * DAY)  # every age that a rule asks about
_CART_TOUCHES = ("cart.item_added", "cart.item_removed", "cart.updated")
_SITE = (
    "page.viewed",
    "product.viewed",
    "product.favourited",
    "search.performed",
    *_CART_TOUCHES,
    "cart.cleared",
    "checkout.started",
    "customer.identified",
)


def members(events: Iterable[Event], as_of: int, models: Models | None = None) -> dict[str, list[str]]:
    """For every segment the sorted profile ids that are in it at the instant `as_of`."""
    of_profile: dict[str, list[Event]] = {}
    for event in events:
        of_profile.setdefault(profile_id(event), []).append(event)
    found = {profile: membership(own, as_of, models) for profile, own in of_profile.items()}
    return {key: sorted(profile for profile, keys in found.items() if key in keys) for key in SEGMENTS}


def membership(events: Iterable[Event], as_of: int, models: Models | None = None) -> set[str]:
    """The segments that one customer is in at the instant `as_of`, from that customer's events in any order.

    Without `models`, the parameters of the predictions, nobody is in a segment that asks for one.
    """
    known = _known(events, as_of)
    purchases, spend = _orders(known)
    orders = [at for at, _value in purchases]
    answers = (
        _order_rules(orders, spend, as_of)
        | _engagement_rules(known, orders, as_of)
        | _cart_rules(known, orders, as_of)
        | _email_rules(known, orders, as_of)
        | _support_rules(known, as_of)
        | prediction_rules(purchases, as_of, models)
    )
    return {key for key, holds in answers.items() if holds}


def profile_id(event: Event) -> str:
    """The customer id when given, else the anonymous id with a prefix."""
    return str(event["customer_id"]) if event.get("customer_id") else f"anonymous:{event['anonymous_id']}"


def instant(text: str) -> int:
    """RFC 3339 text as whole microseconds since 1970; digits after the sixth of a fraction are dropped.

    Raises:
        ValueError: not a date and time.
        TypeError: it has no offset.
    """
    return (datetime.fromisoformat(text.upper()) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def minor_units(money: int | str) -> int:
    """Money in minor units: an integer counts them already, text is a decimal number of major units.

    Raises:
        ValueError: there is a fraction of a minor unit.
    """
    units = Decimal(money) * 100 if isinstance(money, str) else Decimal(money)
    if units != int(units):
        raise ValueError(f"'{money}' has more than two decimals")
    return int(units)


class Crossing(NamedTuple):
    """A change of one customer's membership: it was not yet so at `after`, and is so at `at`."""

    after: int
    at: int
    segment: str
    entered: bool


def sampled_memberships(events: Sequence[Event], instants: Iterable[int]) -> list[tuple[int, set[str]]]:
    """One customer's segments at each of the instants."""
    return [(at, membership(events, at)) for at in instants]


def brute_force_crossings(events: Sequence[Event], start: int, end: int, step: int) -> list[Crossing]:
    """What differs between neighbouring samples at `start`, `start + step`, … up to and with `end`.

    Segments held at `start` are no crossings; what comes and goes within one step is not seen.
    """
    return _changes(sampled_memberships(events, range(start, end + 1, step)))


def exact_crossings(events: Sequence[Event], until: int) -> list[Crossing]:
    """Every crossing of one customer up to and with `until`, by instant and segment.

    Membership can change only when an event occurs or gets as old as some rule asks, so looking there and one
    microsecond before is enough: `after` is always `at - 1`. This is how it went had every event arrived at once;
    what was entered and left again at the same instant is not a crossing.
    """
    looks = {instant(event["occurred_at"]) + age for event in events for age in (0, *_AGES)}
    moments = sorted({at - early for at in looks for early in (0, 1) if at <= until})
    return _changes(sampled_memberships(events, moments))


def _changes(samples: list[tuple[int, set[str]]]) -> list[Crossing]:
    return [
        Crossing(after, at, segment, segment in now)
        for (after, before), (at, now) in pairwise(samples)
        for segment in sorted(before ^ now)
    ]


def _known(events: Iterable[Event], as_of: int) -> list[Event]:
    """What has occurred by `as_of`, each id once, by (occurred_at, id), with instants for texts."""
    parsed = [{**event, "occurred_at": instant(event["occurred_at"])} for event in events]
    past = [event for event in parsed if event["occurred_at"] <= as_of]
    return _smallest_of_each("id", past, lambda event: (event["occurred_at"], event["id"]))


def _smallest_of_each(field: str, known: list[Event], rank: Callable[[Event], Any]) -> list[Event]:
    """Of the events that agree in a field, the one of the smallest rank; by rank."""
    smallest: dict[str, Event] = {}
    for event in sorted(known, key=rank):
        smallest.setdefault(event[field], event)
    return list(smallest.values())


def _by_total(event: Event) -> tuple[int, int]:
    return event["occurred_at"], minor_units(event["total"])


def _by_amount(refund: Event) -> tuple[int, int, str]:
    return refund["occurred_at"], minor_units(refund["amount"]), refund.get("order_id") or ""


def _by_content(contact: Event) -> tuple[int, str, float]:
    sentiment = contact.get("sentiment")
    return contact["occurred_at"], contact.get("topic") or "", -2 if sentiment is None else sentiment


def _latest_contacts(known: list[Event]) -> list[Event]:
    latest = {contact["contact_id"]: contact for contact in sorted(_of(known, "support.contacted"), key=_by_content)}
    return list(latest.values())


def _of(known: list[Event], *types: str) -> list[Event]:
    return [event for event in known if event["type"] in types]


def _times(known: list[Event], *types: str) -> list[int]:
    return [event["occurred_at"] for event in _of(known, *types)]


def _is_older(at: int | None, age: int, as_of: int) -> bool:
    """Whether `age` or more has passed since; true from that very microsecond on. False if it never was."""
    return at is not None and as_of - at >= age


def _is_within(at: int | None, window: int, as_of: int) -> bool:
    """Whether less than `window` has passed since; false from that very microsecond on, and if it never was."""
    return at is not None and as_of - at < window


def _orders(known: list[Event]) -> tuple[list[Purchase], int]:
    """The orders that count, each with what was paid for it in the end, and the lifetime spend."""
    placed = _smallest_of_each("order_id", _of(known, "order.placed"), _by_total)
    refunds = _smallest_of_each("refund_id", _of(known, "order.refunded"), _by_amount)
    cancelled = {event["order_id"] for event in _of(known, "order.cancelled")}
    updates = [event for event in _of(known, "order.updated") if event.get("total") is not None]
    updates.sort(key=_by_total)
    totals = {event["order_id"]: event["total"] for event in [*placed, *updates]}
    counted, spend = [], 0
    for order in placed:
        order_id = order["order_id"]
        if order_id in cancelled:
            continue
        amount = minor_units(totals[order_id])
        returned = [minor_units(refund["amount"]) for refund in refunds if refund.get("order_id") == order_id]
        spend += amount
        if not returned or sum(returned) < amount:
            counted.append((order["occurred_at"], amount - sum(returned)))
    spend -= sum(minor_units(refund["amount"]) for refund in refunds if refund.get("order_id") not in cancelled)
    return counted, spend


def _order_rules(orders: list[int], spend: int, as_of: int) -> dict[str, bool]:
    count, last = len(orders), max(orders, default=None)
    return {
        "first_time_buyer": count == 1,
        "repeat_buyer": count >= 2,
        "vip": count >= 3 and spend > 500_00,
        "lapsed": count >= 1 and _is_older(last, 90 * DAY, as_of),
        "at_risk_loyal": count >= 4 and _is_older(last, 120 * DAY, as_of),
        "former_high_value": count >= 3 and Fraction(spend, count) > 100_00 and _is_older(last, 180 * DAY, as_of),
        "one_time_shopper": count == 1 and _is_older(last, 30 * DAY, as_of),
        "loyal_customer": sum(_is_within(at, 365 * DAY, as_of) for at in orders) >= 3,
    }


def _engagement_rules(known: list[Event], orders: list[int], as_of: int) -> dict[str, bool]:
    engaged = max(_times(known, *_SITE, "email.opened", "email.clicked"), default=None)
    last = max(orders, default=None)
    is_engaged_lately = _is_within(engaged, 30 * DAY, as_of)
    is_engaged_since = last is not None and engaged is not None and engaged > last
    return {
        "prospective_buyer": is_engaged_lately and not orders,
        "churn_risk": _is_older(last, 30 * DAY, as_of) and not is_engaged_since,
        "winback_opportunity": _is_older(last, 180 * DAY, as_of) and is_engaged_lately,
    }


def _cart_rules(known: list[Event], orders: list[int], as_of: int) -> dict[str, bool]:
    items, touched = _cart(known)
    visits = [start for start in _visit_starts(known) if _is_within(start, 30 * DAY, as_of)]
    is_left_alone = _is_older(touched, 60 * MINUTE, as_of) and _is_within(touched, 7 * DAY, as_of)
    return {
        "cart_abandoner": items > 0 and is_left_alone,
        "idle_visitor": len(visits) >= 3 and items == 0 and not orders,
    }


def _cart(known: list[Event]) -> tuple[int, int | None]:
    """How many items are in the cart, and when it was last touched since it was last emptied."""
    emptied = max(_times(known, "order.placed"), default=None)
    changes = _of(known, *_CART_TOUCHES, "cart.cleared")
    changes.sort(key=lambda event: (event["occurred_at"], crc32(event["id"].encode())))
    content: dict[str, int] = {}
    touched: int | None = None
    for event in changes:
        if emptied is not None and event["occurred_at"] <= emptied:
            continue
        if event["type"] == "cart.cleared":
            content, touched = {}, None
            continue
        touched = event["occurred_at"]
        if event["type"] == "cart.updated":
            content = {}
            for item in event["items"]:
                content[item["product_id"]] = content.get(item["product_id"], 0) + item.get("quantity", 1)
            continue
        product = event["product_id"]
        held = content.get(product, 0)
        if event["type"] == "cart.item_added":
            content[product] = held + event.get("quantity", 1)
        else:
            quantity = event.get("quantity")
            content[product] = 0 if quantity is None else max(0, held - quantity)
    return sum(content.values()), touched


def _visit_starts(known: list[Event]) -> list[int]:
    times = _times(known, *_SITE)
    return [at for n, at in enumerate(times) if n == 0 or at - times[n - 1] >= _VISIT_GAP]


def _email_rules(known: list[Event], orders: list[int], as_of: int) -> dict[str, bool]:
    subscribed = max(_times(known, "email.subscribed"), default=None)
    unsubscribed = max(_times(known, "email.unsubscribed"), default=None)
    is_opted_in = subscribed is not None and (unsubscribed is None or subscribed > unsubscribed)
    return {
        "new_subscriber": is_opted_in and _is_within(subscribed, 30 * DAY, as_of) and not orders,
        "email_subscriber": is_opted_in,
    }


def _ratings(known: list[Event]) -> list[tuple[int, int]]:
    return [(event["occurred_at"], event["csat"]) for event in _of(known, "support.rated")]


def _support_rules(known: list[Event], as_of: int) -> dict[str, bool]:
    recent = [contact for contact in _latest_contacts(known) if _is_within(contact["occurred_at"], 30 * DAY, as_of)]
    topics = {contact.get("topic") for contact in recent}
    felt = [contact for contact in recent if contact.get("sentiment") is not None]
    felt.sort(key=lambda contact: (contact["occurred_at"], contact["contact_id"]))
    # As written on the wire, not as binary fractions: the mean of -0.2, -0.4 and -0.3 is not below -0.3.
    last_3 = [Fraction(str(contact["sentiment"])) for contact in felt[-3:]]
    rated_at, praise = max(((at, -csat) for at, csat in _ratings(known)), default=(None, 0))
    is_rated_badly = -praise <= 2 and _is_within(rated_at, 30 * DAY, as_of)
    return {
        "delivery_issue": "delivery" in topics,
        "pricing_complaint": "pricing" in topics,
        "unhappy": is_rated_badly or (bool(last_3) and sum(last_3) / len(last_3) < Fraction("-0.3")),
    }
