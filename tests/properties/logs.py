"""Strategies: logs of one customer's events, drawn so that boundaries of the shipped rules and ties are hit often."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas.instants import DAY, MINUTE
from streams.core.codec import pack, unpack
from streams.core.definitions import Definitions
from streams.core.profile import VISITS_KEPT, Profile
from streams.core.step import Customer, Transition, apply, newcomer, resume, settle
from tests.oracle import Event
from tests.scenarios.events import (
    START,
    added,
    bought,
    cancelled,
    cleared,
    contacted,
    decoded,
    event,
    filled,
    mailed,
    rated,
    refunded,
    removed,
    updated,
    viewed,
)

SPAN = 420 * DAY
"""Every event lies within so much time."""

settings.register_profile(
    "properties",
    max_examples=150,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
SETTINGS = settings.get_profile("properties")
FEWER = settings(SETTINGS, max_examples=60)
"""For those that compile rules and try every instant."""

_days = st.sampled_from([0, 0, 0, 1, 7, 29, 30, 31, 60, 90, 91, 120, 180, 210, 365, 400])
_minutes = st.sampled_from([0, 0, 0, 1, 20, 29, 30, 31, 59, 60, 61])
_edges = st.sampled_from([-1, 0, 0, 0, 1])
times = st.builds(lambda days, minutes, edge: max(0, days * DAY + minutes * MINUTE + edge), _days, _minutes, _edges)
"""Microseconds after the start."""

_order_ids = st.sampled_from(["o1", "o2", "o3", "o4"])
_totals = st.sampled_from([0, 1, 60_00, 100_01, "166.67", 250_00])
_products = st.sampled_from(["p", "q"])
_quantities = st.sampled_from([1, 2, 5])
_moods = st.sampled_from([None, -1.0, -0.5, -0.93, -0.31, -0.3, -0.2, 0.0, 0.96])
_mails = st.sampled_from(["subscribed", "subscribed", "unsubscribed", "opened", "clicked"])
_others = st.sampled_from(
    [
        ("order.delivered", {"order_id": "o1"}),
        ("support.resolved", {"contact_id": "c1"}),
        ("checkout.started", {}),
        ("search.performed", {}),
        ("product.viewed", {"product_id": "p"}),
    ]
)
_values: SearchStrategy[Any] = st.sampled_from([None, True, False, 3, 2.5, "GB", ""])
_attributes = st.dictionaries(st.sampled_from(["country", "tier"]), _values, min_size=1, max_size=2)

_EVENTS: list[SearchStrategy[Event]] = [
    st.builds(bought, times, _order_ids, _totals),
    st.builds(bought, times, _order_ids, _totals),
    st.builds(bought, times, _order_ids, _totals),
    st.builds(updated, times, _order_ids, st.none() | _totals),
    st.builds(cancelled, times, _order_ids),
    st.builds(refunded, times, _totals, st.sampled_from([None, "o1", "o2", "o3"]), st.sampled_from(["r1", "r2"])),
    st.builds(viewed, times),
    st.builds(viewed, times),
    st.builds(added, times, _products, _quantities),
    st.builds(removed, times, _products, st.none() | _quantities),
    st.builds(lambda at, products: filled(at, *products), times, st.lists(_products, max_size=3)),
    st.builds(cleared, times),
    st.builds(mailed, _mails, times),
    st.builds(
        contacted,
        times,
        st.sampled_from(["c1", "c2", "c3", "c4"]),
        st.sampled_from([None, "delivery", "pricing"]),
        _moods,
    ),
    st.builds(rated, times, st.sampled_from([1, 2, 3, 5])),
    st.builds(lambda at, given: event(given[0], at, **given[1]), times, _others),
    st.builds(lambda at, attributes: event("customer.updated", at, attributes=attributes), times, _attributes),
]


def logs(max_size: int = 12) -> SearchStrategy[list[Event]]:
    """Events of one customer in any order, each with an id of its own."""
    return st.lists(st.one_of(_EVENTS), min_size=1, max_size=max_size).map(_numbered)


def _numbered(events: list[Event]) -> list[Event]:
    return [{**given, "id": f"e{number}"} for number, given in enumerate(events)]


def in_time(events: Sequence[Event]) -> list[Event]:
    """As a replay reads them."""
    return sorted(events, key=lambda given: (decoded(given).occurred_at, given["id"]))


def evicted(customer: Customer, definitions: Definitions) -> Customer:
    """The customer, stored and read again."""
    profile = unpack(customer.profile.id, pack(customer.profile))
    return resume(profile, dict(customer.since), customer.as_of, definitions)


def fed(
    events: Sequence[Event],
    definitions: Definitions,
    as_of: int | None = None,
    between: Callable[[int, Customer], tuple[Customer, list[Transition]]] | None = None,
) -> tuple[Customer, list[Transition]]:
    """A newcomer after events in the order given, settled up to `as_of`; and all transitions.

    Args:
        events: as on the wire.
        definitions: the segments.
        as_of: settle up to then at the end.
        between: called before each event with its number; may settle or replace the customer.
    """
    customer = newcomer("ann", definitions)
    transitions: list[Transition] = []
    for number, given in enumerate(events):
        if between is not None:
            customer, found = between(number, customer)
            transitions += found
        transitions += apply(customer, decoded(given), definitions)
    if as_of is not None:
        transitions += settle(customer, as_of, definitions)
    return customer, transitions


def visible(profile: Profile) -> Profile:
    """The profile without visits so old that they may be forgotten or not, which no rule can ask about."""
    shown = unpack(profile.id, pack(profile))
    runs = shown.visits.runs
    shown.visits.runs = [run for run in runs if run[0] > runs[-1][1] - VISITS_KEPT + DAY]
    return shown


def net(crossings: Sequence[tuple[int, str, bool]]) -> set[tuple[int, str, bool]]:
    """Crossings without those undone at the very same instant."""
    left: set[tuple[int, str, bool]] = set()
    for at, segment, entered in crossings:
        if (at, segment, not entered) in left:
            left.remove((at, segment, not entered))
        else:
            left.add((at, segment, entered))
    return left


LAST = START + SPAN + 400 * DAY
"""An instant after which no shipped rule changes its answer any more."""
