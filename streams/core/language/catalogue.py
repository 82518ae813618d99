"""The catalogue: every field, series and function that a rule may name. The one table to extend.

A missing value (nobody ordered yet, so there is no `orders.last_at`) makes a comparison false; `not` of that is true;
`is_set(x)` asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from operator import attrgetter

from schemas.instants import DAY, NEVER, Duration, Instant
from streams.core.advance import ATTRIBUTES, CART, EMAIL, ENGAGED, ORDERS, SEEN, SITE, SUPPORT, VISITS
from streams.core.language import predictions
from streams.core.language.terms import Kind, Series, Term
from streams.core.predict.predictor import Predictor
from streams.core.profile import MAX_CONTACTS, Profile

MAX_WINDOW: Duration = 90 * DAY
"""How far back visits and contacts are kept for rules."""
MAX_VISITS_ASKED = 100
MAX_LAST = 10


@dataclass(frozen=True)
class FieldEntry:
    """A fact of the profile that a rule may name."""

    kind: Kind
    unit: str
    meaning: str
    source: str
    groups: int
    path: str
    """Where it stands in a profile."""
    always_there: bool = False
    """Never missing."""


FIELDS: dict[str, FieldEntry] = {
    "orders.count": FieldEntry(
        Kind.NUMBER,
        "orders",
        "orders neither cancelled nor refunded in full",
        "order.placed, order.cancelled, order.refunded",
        ORDERS,
        "orders.count",
        always_there=True,
    ),
    "orders.spend": FieldEntry(
        Kind.MONEY,
        "base currency",
        "what was paid less refunds, those naming no order included",
        "order.placed, order.updated, order.cancelled, order.refunded",
        ORDERS,
        "orders.spend",
        always_there=True,
    ),
    "orders.average": FieldEntry(
        Kind.MONEY,
        "base currency",
        "spend / count; missing without an order",
        "as orders.spend",
        ORDERS,
        "orders.average",
    ),
    "orders.first_at": FieldEntry(
        Kind.INSTANT,
        "instant",
        "the first order that counts",
        "order.placed",
        ORDERS,
        "orders.first_at",
    ),
    "orders.last_at": FieldEntry(
        Kind.INSTANT, "instant", "the latest order that counts", "order.placed", ORDERS, "orders.last_at"
    ),
    "cart.items": FieldEntry(
        Kind.NUMBER,
        "pieces",
        "what lies in the cart now",
        "cart.*, order.placed",
        CART,
        "cart.items",
        always_there=True,
    ),
    "cart.updated_at": FieldEntry(
        Kind.INSTANT,
        "instant",
        "the latest change of the cart since it was emptied",
        "cart.*, order.placed",
        CART,
        "cart.updated_at",
    ),
    "site.last_at": FieldEntry(Kind.INSTANT, "instant", "the latest site event", "site events", SITE, "visits.last_at"),
    "engagement.last_at": FieldEntry(
        Kind.INSTANT,
        "instant",
        "the latest site event, or e-mail opened or clicked",
        "site events, email.opened, email.clicked",
        ENGAGED,
        "engaged_at",
    ),
    "email.subscribed": FieldEntry(
        Kind.TRUTH,
        "true or false",
        "opted in now",
        "email.subscribed, email.unsubscribed",
        EMAIL,
        "email.subscribed",
        always_there=True,
    ),
    "email.subscribed_at": FieldEntry(
        Kind.INSTANT, "instant", "the latest opt-in", "email.subscribed", EMAIL, "email.subscribed_at"
    ),
    "support.csat": FieldEntry(
        Kind.NUMBER,
        "1 to 5",
        "the latest rating",
        "support.rated",
        SUPPORT,
        "support.csat",
    ),
    "support.csat_at": FieldEntry(
        Kind.INSTANT, "instant", "when it was given", "support.rated", SUPPORT, "support.csat_at"
    ),
    "profile.seen_at": FieldEntry(
        Kind.INSTANT,
        "instant",
        "the latest event of any kind",
        "all events",
        SEEN,
        "last_event_at",
    ),
}


@dataclass(frozen=True)
class PredictionEntry:
    """What the models say of a customer; missing without published parameters, and for who has bought nothing."""

    kind: Kind
    unit: str
    meaning: str
    source: str
    build: Callable[[str, Predictor | None], Term]


PREDICTIONS: dict[str, PredictionEntry] = {
    "predicted.alive": PredictionEntry(
        Kind.NUMBER,
        "probability",
        "that somebody who bought is still a customer; 1 after one purchase; falls with time",
        "segments fit (BG/NBD), order.placed, order.cancelled, order.refunded",
        predictions.alive,
    ),
    "predicted.order_value": PredictionEntry(
        Kind.MONEY,
        "base currency",
        "what the next order is expected to be worth",
        "segments fit (Gamma-Gamma), as orders.spend",
        predictions.order_value,
    ),
}
LONGEST_HORIZON: Duration = 3_650 * DAY
DISCOUNT = 0.1
"""Where a rule names no other."""


@dataclass(frozen=True)
class Entry:
    """One entry of a series."""

    at: Instant
    topic: str | None = None
    value: float | None = None


@dataclass(frozen=True)
class SeriesEntry:
    """A series of happenings that `count`, `sum` and `mean` look at through a window."""

    meaning: str
    groups: int
    path: str
    """Where it stands in a profile; to count its entries is a matter of looking at one."""
    entries: Callable[[Profile], list[Entry]]
    max_window: Duration
    """The longest window that what the profile keeps can answer."""
    max_count: int
    """The largest number that what the profile keeps can answer."""
    values: dict[str, Kind]
    """What may be summed or averaged: name behind the dot -> kind."""
    has_topic: bool = False
    needs_window: bool = False
    """Old entries are forgotten: without a window, the answer would depend on when that was."""

    @property
    def rows(self) -> Series:
        """The entries as the profile holds them."""
        return attrgetter(self.path)


def _order_entries(profile: Profile) -> list[Entry]:
    by_id = profile.orders.by_id
    return [Entry(at, None, by_id[key].amount) for at, key in profile.orders.counting]


SERIES: dict[str, SeriesEntry] = {
    "orders": SeriesEntry(
        "orders that count, at the time they were placed; `orders.total` is what was to be paid",
        ORDERS,
        "orders.counting",
        _order_entries,
        NEVER,
        NEVER,
        {"total": Kind.MONEY},
    ),
    "visits": SeriesEntry(
        "runs of site events with less than 30 minutes between neighbours, at their start",
        VISITS,
        "visits.runs",
        lambda p: [Entry(first) for first, _last in p.visits.runs],
        MAX_WINDOW,
        MAX_VISITS_ASKED,
        {},
        needs_window=True,
    ),
    "contacts": SeriesEntry(
        f"contacts with support, the latest {MAX_CONTACTS}; `contacts.sentiment` runs from -1 to 1",
        SUPPORT,
        "support.ordered",
        lambda p: [Entry(at, topic, mood) for at, _key, topic, mood in p.support.ordered],
        MAX_WINDOW,
        MAX_CONTACTS,
        {"sentiment": Kind.NUMBER},
        has_topic=True,
    ),
}

FUNCTIONS: dict[str, str] = {
    "since": "since(instant): how long ago it is",
    "days": "days(n): a duration of n x 24 hours",
    "hours": "hours(n): a duration",
    "minutes": "minutes(n): a duration",
    "count": 'count(series, within=duration, topic="text"): how many; within and topic may be left out',
    "sum": "sum(series.value, within=duration): the total, e.g. sum(orders.total, within=days(365))",
    "mean": "mean(series.value, last=n, within=duration): the mean of the latest n; missing if there are none",
    "is_set": "is_set(field): whether there is a value",
    "segment": 'segment("key"): whether the customer is in another segment',
    "bucket": 'bucket("name"): a stable number in [0, 1) of a customer and a name, for experiments and holdouts',
    "attribute": 'attribute("name"): what customer.updated said last; text, number or truth',
    "predicted.orders": "predicted.orders(duration): expected days with an order within so long from now; needs "
    "published parameters (segments fit); falls with time",
    "predicted.lifetime_value": "predicted.lifetime_value(duration, discount=0.1): what the orders within so long are "
    "worth now, money; a discount of 0.1 takes 10 % off for each year; falls with time",
}
ATTRIBUTE_GROUP = ATTRIBUTES


def unknown(what: str, name: str, known: list[str]) -> str:
    """A sentence about a name that is not there, with the nearest one that is."""
    near = get_close_matches(name, known, 1, 0.5)
    return f"unknown {what} '{name}'" + (f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}")
