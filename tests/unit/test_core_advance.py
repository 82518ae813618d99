"""advance: every event type has its line, and what is bounded keeps the latest."""

from itertools import permutations
from typing import Any

import pytest

from schemas.events import Catalogue
from schemas.instants import DAY, MINUTE
from streams.core.advance import (
    _ADVANCES,
    ALL,
    ATTRIBUTES,
    CART,
    EMAIL,
    ENGAGED,
    ORDERS,
    SEEN,
    SITE,
    SUPPORT,
    VISITS,
    advance,
)
from streams.core.money import Rates
from streams.core.profile import MAX_ATTRIBUTES, MAX_CART_CHANGES, MAX_CONTACTS, MAX_VISITS, Profile
from tests.oracle import Event
from tests.scenarios.events import START, added, bought, contacted, decoded, event, rated, refunded, viewed

_RATES = Rates("GBP")
HERE = SITE | VISITS | ENGAGED
"""What the first site event of a customer touches."""


def after(*events: Event) -> Profile:
    profile = Profile("ann")
    for given in events:
        advance(profile, decoded(given), _RATES)
    return profile


def test_every_event_type_has_its_line() -> None:
    assert set(_ADVANCES) == set(Catalogue.topic_of)


@pytest.mark.parametrize(
    ("kind", "fields", "touched"),
    [
        ("order.placed", {"order_id": "o", "total": 1, "currency": "GBP"}, ORDERS | CART),
        ("order.updated", {"order_id": "o", "total": 1, "currency": "GBP"}, ORDERS),
        ("order.updated", {"order_id": "o", "items": []}, 0),
        ("order.cancelled", {"order_id": "o"}, ORDERS),
        ("order.refunded", {"refund_id": "r", "amount": 1, "currency": "GBP"}, ORDERS),
        ("order.delivered", {"order_id": "o"}, 0),
        ("page.viewed", {}, HERE),
        ("product.viewed", {"product_id": "p"}, HERE),
        ("product.favourited", {"product_id": "p"}, HERE),
        ("search.performed", {}, HERE),
        ("cart.item_added", {"product_id": "p"}, HERE | CART),
        ("cart.item_removed", {"product_id": "p"}, HERE | CART),
        ("cart.updated", {"items": []}, HERE | CART),
        ("cart.cleared", {}, HERE | CART),
        ("checkout.started", {}, HERE),
        ("customer.identified", {}, HERE),
        ("customer.updated", {"attributes": {"a": 1}}, ATTRIBUTES),
        ("email.subscribed", {}, EMAIL),
        ("email.unsubscribed", {}, EMAIL),
        ("email.opened", {}, ENGAGED),
        ("email.clicked", {}, ENGAGED),
        ("support.contacted", {"contact_id": "c", "channel": "chat"}, SUPPORT),
        ("support.resolved", {"contact_id": "c"}, 0),
        ("support.rated", {"csat": 5}, SUPPORT),
    ],
)
def test_an_event_touches_its_groups_once(kind: str, fields: dict[str, Any], touched: int) -> None:
    profile, given = Profile("ann"), decoded(event(kind, 0, **fields))
    assert advance(profile, given, _RATES) == touched | SEEN
    assert advance(profile, given, _RATES) == 0
    assert profile.seen_at == START
    assert touched & ~ALL == 0


def test_the_latest_cart_changes_are_kept() -> None:
    changes = [added(n * MINUTE) for n in range(MAX_CART_CHANGES + 5)]
    assert after(*changes).cart == after(*reversed(changes)).cart
    assert after(*changes).cart.items == MAX_CART_CHANGES


def test_the_latest_contacts_are_kept() -> None:
    contacts = [contacted(n, f"c{n}") for n in range(MAX_CONTACTS + 5)]
    assert after(*contacts).support == after(*reversed(contacts)).support
    assert sorted(after(*contacts).support.contacts) == sorted(f"c{n}" for n in range(5, MAX_CONTACTS + 5))


def test_the_first_attributes_by_name_are_kept() -> None:
    updates = [event("customer.updated", n, attributes={f"a{n:03}": n}) for n in range(MAX_ATTRIBUTES + 5)]
    assert after(*updates).attributes == after(*reversed(updates)).attributes
    assert len(after(*updates).attributes) == MAX_ATTRIBUTES


def test_the_latest_visits_are_kept() -> None:
    visits = [viewed(n * 60 * MINUTE) for n in range(MAX_VISITS + 5)]
    assert after(*visits).visits == after(*reversed(visits)).visits
    assert len(after(*visits).visits.runs) == MAX_VISITS
    assert len(after(*visits, viewed(400 * DAY)).visits.runs) == 1


def test_visits_join_in_any_order() -> None:
    views = [viewed(n * MINUTE) for n in (0, 29, 58, 88, 117)]
    for arrival in permutations(views):
        runs = after(*arrival).visits.runs
        assert [((a - START) // MINUTE, (b - START) // MINUTE) for a, b in runs] == [(0, 58), (88, 117)]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (bought(0, "o", 2), bought(0, "o", 1), 1),
        (bought(1, "o", 1), bought(0, "o", 2), 2),
        (refunded(0, 2, None), refunded(0, 1, None), -1),
        (refunded(1, 1, None), refunded(0, 2, None), -2),
    ],
)
def test_of_two_events_that_contradict_the_same_one_counts(first: Event, second: Event, expected: int) -> None:
    assert after(first, second).orders.spend == after(second, first).orders.spend == expected


def test_a_refund_or_an_update_without_a_currency_is_in_the_base_currency() -> None:
    refund = event("order.refunded", 2, refund_id="r", amount="1.50")
    update = event("order.updated", 3, order_id="o", total=5_00)
    assert after(bought(0, "o", 10_00), refund).orders.spend == 8_50
    assert after(bought(0, "o", 10_00), refund, update).orders.spend == 3_50


def test_an_update_without_a_total_leaves_it_as_it_was() -> None:
    assert after(bought(0, "o", 10_00), event("order.updated", 1, order_id="o", coupon="TEN")).orders.spend == 10_00


def test_of_two_ratings_at_one_instant_the_lower_counts() -> None:
    assert after(rated(0, 1), rated(0, 5)).support.csat == after(rated(0, 5), rated(0, 1)).support.csat == 1
