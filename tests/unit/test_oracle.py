"""The oracle against tables worked out by hand: each rule, its exact boundaries, money, carts, duplicates, order."""

from itertools import count, permutations
from typing import Any

import pytest

from schemas.instants import DAY, MINUTE, rfc3339
from tests.oracle import (
    SEGMENTS,
    Event,
    brute_force_crossings,
    exact_crossings,
    instant,
    members,
    membership,
    minor_units,
    sampled_memberships,
)

_START = instant("2026-01-01T00:00:00Z")
_HALF_HOUR = 30 * MINUTE
_numbers = count()


def event(kind: str, at: int = 0, **fields: Any) -> Event:
    """An event `at` microseconds after the start; its id is new unless one is given."""
    shared = {"id": f"e{next(_numbers):06}", "version": 1, "source": "test", "customer_id": "ann"}
    return {**shared, "type": kind, "occurred_at": rfc3339(_START + at), **fields}


def orders(*at: int, total: int | str = 60_00) -> list[Event]:
    return [event("order.placed", when, order_id=f"o{n}", total=total) for n, when in enumerate(at, 1)]


def cancelled(order_id: str, at: int = 0) -> Event:
    return event("order.cancelled", at, order_id=order_id)


def refunded(amount: int | str, order_id: str | None, refund_id: str = "r1", **fields: Any) -> Event:
    return event("order.refunded", amount=amount, order_id=order_id, refund_id=refund_id, **fields)


def updated(order_id: str, total: int | str, at: int = 0, **fields: Any) -> Event:
    return event("order.updated", at, order_id=order_id, total=total, **fields)


def added(at: int = 0, product: str = "p", **fields: Any) -> Event:
    return event("cart.item_added", at, product_id=product, **fields)


def removed(at: int = 0, product: str = "p", **fields: Any) -> Event:
    return event("cart.item_removed", at, product_id=product, **fields)


def viewed(*at: int) -> list[Event]:
    return [event("page.viewed", when) for when in at]


def contact(at: int = 0, name: str = "c1", **fields: Any) -> Event:
    return event("support.contacted", at, contact_id=name, channel="chat", **fields)


def rated(csat: int, at: int = 0, **fields: Any) -> Event:
    return event("support.rated", at, csat=csat, **fields)


def moods(*sentiments: float | None) -> list[Event]:
    """Contacts a minute apart, each with its sentiment."""
    return [contact(n * MINUTE, f"c{n}", sentiment=mood) for n, mood in enumerate(sentiments)]


def subscribed(at: int = 0) -> Event:
    return event("email.subscribed", at)


def unsubscribed(at: int = 0) -> Event:
    return event("email.unsubscribed", at)


def segments(events: list[Event], at: int) -> set[str]:
    return membership(events, _START + at)


@pytest.mark.parametrize(
    ("segment", "events", "at"),
    [
        ("first_time_buyer", orders(5), 5),
        ("repeat_buyer", orders(0, 5), 5),
        ("vip", orders(0, 0, 5, total="166.67"), 5),
        ("lapsed", orders(0, 5), 5 + 90 * DAY),
        ("at_risk_loyal", orders(0, 0, 0, 5), 5 + 120 * DAY),
        ("former_high_value", orders(0, 0, 5, total=100_01), 5 + 180 * DAY),
        ("one_time_shopper", orders(0), 30 * DAY),
        ("loyal_customer", orders(0, 0, 5), 5),
        ("cart_abandoner", [added(0), added(5)], 5 + 60 * MINUTE),
        ("prospective_buyer", viewed(5), 5),
        ("churn_risk", orders(5), 5 + 30 * DAY),
        ("churn_risk", [*orders(0, 40 * DAY), *viewed(20 * DAY)], 70 * DAY),
        ("winback_opportunity", orders(0) + viewed(170 * DAY), 180 * DAY),
        ("new_subscriber", [subscribed(5)], 5),
        ("email_subscriber", [subscribed(5)], 5),
        ("idle_visitor", viewed(0, _HALF_HOUR, 2 * _HALF_HOUR), 2 * _HALF_HOUR),
        ("delivery_issue", [contact(5, topic="delivery")], 5),
        ("pricing_complaint", [contact(5, topic="pricing")], 5),
        ("unhappy", [rated(2, 5)], 5),
        ("unhappy", [contact(5, sentiment=-0.31)], 5),
    ],
)
def test_a_segment_is_entered_at_its_very_microsecond(segment: str, events: list[Event], at: int) -> None:
    assert segment not in segments(events, at - 1)
    assert segment in segments(events, at)


@pytest.mark.parametrize(
    ("segment", "events", "at"),
    [
        ("first_time_buyer", orders(0, 5), 5),
        ("repeat_buyer", [*orders(0, 0), cancelled("o1", 5)], 5),
        ("lapsed", orders(0, 100 * DAY), 100 * DAY),
        ("at_risk_loyal", orders(0, 0, 0, 0, 150 * DAY), 150 * DAY),
        ("former_high_value", orders(0, 0, 0, 200 * DAY, total=200_00), 200 * DAY),
        ("one_time_shopper", orders(0, 40 * DAY), 40 * DAY),
        ("loyal_customer", orders(0, 5, 6), 365 * DAY),
        ("cart_abandoner", [added(0)], 7 * DAY),
        ("cart_abandoner", [added(0), *orders(2 * DAY)], 2 * DAY),
        ("cart_abandoner", [added(0), event("cart.cleared", DAY)], DAY),
        ("cart_abandoner", [added(0), added(DAY)], DAY),
        ("prospective_buyer", viewed(0), 30 * DAY),
        ("prospective_buyer", viewed(0, 20 * DAY), 50 * DAY),
        ("prospective_buyer", [*viewed(0), *orders(5)], 5),
        ("churn_risk", [*orders(0), event("email.opened", 40 * DAY)], 40 * DAY),
        ("winback_opportunity", [*orders(0), *viewed(170 * DAY)], 200 * DAY),
        ("new_subscriber", [subscribed()], 30 * DAY),
        ("new_subscriber", [subscribed(), subscribed(20 * DAY)], 50 * DAY),
        ("new_subscriber", [subscribed(), *orders(5)], 5),
        ("email_subscriber", [subscribed(), unsubscribed(5)], 5),
        ("email_subscriber", [unsubscribed(), subscribed(1), unsubscribed(5)], 5),
        ("idle_visitor", viewed(0, DAY, 2 * DAY), 30 * DAY),
        ("idle_visitor", [*viewed(0, DAY, 2 * DAY), added(3 * DAY)], 3 * DAY),
        ("idle_visitor", [*viewed(0, DAY, 2 * DAY), *orders(3 * DAY)], 3 * DAY),
        ("delivery_issue", [contact(topic="delivery")], 30 * DAY),
        ("pricing_complaint", [contact(topic="pricing")], 30 * DAY),
        ("unhappy", [rated(1)], 30 * DAY),
        ("unhappy", [rated(1), rated(3, 5)], 5),
        ("unhappy", [contact(sentiment=-0.9)], 30 * DAY),
    ],
)
def test_a_segment_is_left_at_its_very_microsecond(segment: str, events: list[Event], at: int) -> None:
    assert segment in segments(events, at - 1)
    assert segment not in segments(events, at)


@pytest.mark.parametrize(
    ("events", "is_repeat"),
    [
        ([], True),
        ([cancelled("o1")], False),
        ([cancelled("o9")], True),
        ([refunded(59_99, "o1")], True),
        ([refunded(60_00, "o1")], False),
        ([refunded(60_01, "o1")], False),
        ([refunded("30.00", "o1", "r1"), refunded(30_00, "o1", "r2")], False),
        ([refunded(30_00, "o1", "r1"), refunded(30_00, "o1", "r1")], True),
        ([refunded(60_00, None)], True),
        ([refunded(60_00, "o9")], True),
        ([refunded(60_00, "o1"), updated("o1", 60_01)], True),
        ([refunded(50_00, "o1"), updated("o1", 50_00)], False),
        ([updated("o1", 0)], True),
        ([updated("o1", 0), refunded(0, "o1")], False),
        ([refunded(60_00, "o1", id="z"), refunded(1, "o1", id="a")], True),
        ([refunded(60_00, "o1", id="a"), refunded(1, "o1", id="z")], True),
        ([refunded(60_00, "o1"), refunded(60_00, None)], True),
    ],
)
def test_an_order_counts_unless_cancelled_or_refunded_in_full(events: list[Event], *, is_repeat: bool) -> None:
    """Two orders of 60.00, and what happened to the first."""
    assert ("repeat_buyer" in segments([*orders(0, 0), *events], 0)) is is_repeat


@pytest.mark.parametrize(
    ("events", "is_vip"),
    [
        ([], True),
        ([refunded(1, "o1")], False),
        ([refunded(1, None)], False),
        ([refunded(1, "o9")], False),
        ([refunded("0.00", "o1")], True),
        ([updated("o1", "125.24")], False),
        ([updated("o1", "125.24"), updated("o1", "125.25", id="z")], True),
        ([updated("o1", "125.25", id="a"), updated("o1", "125.24", id="z")], True),
        ([updated("o1", "125.24", 2), updated("o1", "125.25", 1)], False),
        ([updated("o1", 1, 6)], True),
        ([cancelled("o1"), updated("o2", "250.50")], True),
        ([cancelled("o1"), updated("o2", "250.50"), refunded(100_00, "o1")], True),
        ([refunded(125_25, "o1"), updated("o2", "250.51")], True),
        ([refunded(125_26, "o1"), updated("o2", "250.51")], True),
        ([refunded(125_27, "o1"), updated("o2", "250.51")], False),
        ([refunded(125_25, "o1"), updated("o2", "250.49")], False),
        ([cancelled("o1"), cancelled("o2"), updated("o3", 900_00)], False),
    ],
)
def test_spend_is_what_was_paid_less_refunds(events: list[Event], *, is_vip: bool) -> None:
    """Four orders of 125.25 and a credit note of 0.99: one minor unit above the 500.00 that a VIP must exceed."""
    given = [*orders(0, 0, 0, 0, total="125.25"), refunded("0.99", None, "r0"), *events]
    assert ("vip" in segments(given, 5)) is is_vip


@pytest.mark.parametrize(("total", "is_former"), [(100_00, False), (100_01, True), ("100.01", True)])
def test_an_average_of_exactly_100_is_not_above_it(total: int | str, *, is_former: bool) -> None:
    assert ("former_high_value" in segments(orders(0, 0, 0, total=total), 200 * DAY)) is is_former


def test_a_refund_without_an_order_lowers_the_average() -> None:
    given = [*orders(0, 0, 0, total=100_01), refunded(3, None)]
    assert "former_high_value" not in segments(given, 200 * DAY)


def test_of_several_placings_of_one_order_the_first_counts() -> None:
    first, second = orders(0), orders(5 * DAY)
    given = [*second, *first]
    assert {"first_time_buyer", "one_time_shopper"} <= segments(given, 30 * DAY)
    assert "vip" in segments([*orders(0, 0, 0, total="166.67"), *orders(0, total=900_00)], 0)
    assert "vip" not in segments([*orders(0, 0, 0, total="166.67"), *orders(0, total=1)], 0)


def test_every_placing_of_an_order_empties_the_cart() -> None:
    given = [*orders(0), *orders(5 * DAY)]
    assert "cart_abandoner" not in segments([*given, added(5 * DAY)], 6 * DAY)
    assert "cart_abandoner" in segments([*given, added(5 * DAY + 1)], 6 * DAY)


def test_an_update_a_refund_and_a_cancellation_wait_for_their_order() -> None:
    given = [updated("o1", 900_00), cancelled("o2"), *orders(5, 5)]
    assert segments(given, 4) == set()
    assert "first_time_buyer" in segments(given, 5)


@pytest.mark.parametrize(
    ("cart", "has_items"),
    [
        ([], False),
        ([added(), removed(1, quantity=1)], False),
        ([added(quantity=2), added(1), removed(2, quantity=3)], False),
        ([added(quantity=2), removed(1)], False),
        ([added(quantity=2), removed(1, quantity=None)], False),
        ([added(quantity=2), removed(1, quantity=1)], True),
        ([added(), removed(1, quantity=9), added(2)], True),
        ([added(), removed(1, "q")], True),
        ([removed(0, quantity=9)], False),
        ([removed(0), added(1)], True),
        ([added(), event("cart.updated", 1, items=[])], False),
        ([event("cart.updated", 0, items=[{"product_id": "p"}]), removed(1, quantity=1)], False),
        ([event("cart.updated", 0, items=[{"product_id": "p"}, {"product_id": "p"}]), removed(1, quantity=1)], True),
        ([added(), event("cart.updated", 1, items=[{"product_id": "q"}]), removed(2, "q")], False),
        ([added(), event("cart.cleared", 1), added(2)], True),
        ([added(id="b"), event("cart.cleared", id="a")], False),  # CRC-32 puts "b" before "a"
        ([added(id="a"), event("cart.cleared", id="b")], True),
        ([added(1, id="z"), *orders(1)], False),
        ([*orders(0), added(1)], True),
        ([added(), *orders(1), cancelled("o1", 2)], False),
    ],
)
def test_the_cart_holds_what_was_put_in_and_not_taken_out(cart: list[Event], *, has_items: bool) -> None:
    assert ("cart_abandoner" in segments(cart, 2 * 60 * MINUTE)) is has_items


def test_taking_something_out_touches_the_cart() -> None:
    given = [added(quantity=2), removed(5, quantity=1)]
    assert "cart_abandoner" not in segments(given, 60 * MINUTE + 4)
    assert "cart_abandoner" in segments(given, 60 * MINUTE + 5)


@pytest.mark.parametrize(
    ("kind", "fields", "is_engaged"),
    [
        ("page.viewed", {}, True),
        ("product.viewed", {"product_id": "p"}, True),
        ("product.favourited", {"product_id": "p"}, True),
        ("search.performed", {}, True),
        ("cart.item_added", {"product_id": "p"}, True),
        ("cart.item_removed", {"product_id": "p"}, True),
        ("cart.updated", {"items": []}, True),
        ("cart.cleared", {}, True),
        ("checkout.started", {}, True),
        ("customer.identified", {}, True),
        ("customer.updated", {"attributes": {}}, False),
        ("email.opened", {}, True),
        ("email.clicked", {}, True),
        ("email.subscribed", {}, False),
        ("email.unsubscribed", {}, False),
        ("support.contacted", {"contact_id": "c", "channel": "chat"}, False),
        ("support.resolved", {"contact_id": "c"}, False),
        ("support.rated", {"csat": 5}, False),
        ("order.delivered", {"order_id": "o9"}, False),
    ],
)
def test_engagement_is_the_site_and_mail_that_was_read(kind: str, fields: dict[str, Any], *, is_engaged: bool) -> None:
    assert ("prospective_buyer" in segments([event(kind, **fields)], 0)) is is_engaged


def test_a_long_silence_says_nothing_of_customers_with_another_count_of_orders() -> None:
    assert segments(orders(0, 0), 400 * DAY) == {"repeat_buyer", "lapsed", "churn_risk"}
    assert "at_risk_loyal" not in segments(orders(0, 0, 0), 400 * DAY)


def test_engagement_at_the_instant_of_the_order_is_not_since_it() -> None:
    assert "churn_risk" in segments([*orders(5), *viewed(5)], 40 * DAY)
    assert "churn_risk" not in segments([*orders(5), *viewed(6)], 40 * DAY)


def test_without_an_order_that_counts_no_rule_about_the_last_order_holds() -> None:
    given = [*orders(0, 0, 0, 0, total=200_00), *[cancelled(f"o{n}") for n in range(1, 5)], *viewed(299 * DAY)]
    assert segments(given, 300 * DAY) == {"prospective_buyer"}


def test_visits_are_half_an_hour_apart() -> None:
    just_less = _HALF_HOUR - 1
    assert "idle_visitor" not in segments(viewed(0, _HALF_HOUR, _HALF_HOUR + just_less), DAY)
    assert "idle_visitor" in segments(viewed(0, _HALF_HOUR, 2 * _HALF_HOUR), DAY)
    mail = [event("email.opened", n * DAY) for n in range(3)]
    assert "idle_visitor" not in segments(mail, 3 * DAY)


def test_a_visit_counts_at_its_start() -> None:
    """The first visit goes on for an hour, and leaves the window with its first event."""
    given = viewed(0, 20 * MINUTE, 40 * MINUTE, 60 * MINUTE, DAY, 2 * DAY)
    assert "idle_visitor" in segments(given, 30 * DAY - 1)
    assert "idle_visitor" not in segments(given, 30 * DAY)


def test_at_the_same_instant_an_unsubscription_wins() -> None:
    assert segments([subscribed(), unsubscribed()], 0) == set()
    assert segments([unsubscribed(), subscribed(1)], 1) == {"email_subscriber", "new_subscriber"}


@pytest.mark.parametrize(
    ("events", "is_unhappy"),
    [
        ([rated(3)], False),
        ([rated(1, id="a"), rated(5, id="b")], True),
        ([rated(5, id="a"), rated(1, id="b")], True),
        ([rated(1), rated(5, 1)], False),
        (moods(-0.3), False),
        (moods(-0.2, -0.4, -0.3), False),
        (moods(-0.2, -0.3, -0.41), True),
        (moods(1, -0.2, -0.3, -0.41), True),
        (moods(-1, 0, 0, 0), False),
        (moods(-1, -1, -1, None), True),
        (moods(None), False),
        ([contact(name=name, sentiment=mood) for name, mood in [("d", 0), ("c", 0), ("b", 0), ("a", -1)]], False),
        ([contact(sentiment=0.5, id="b"), contact(sentiment=-1, id="a")], False),
        ([contact(sentiment=0), contact(sentiment=-1)], False),
        ([contact(sentiment=0.5), contact(1, sentiment=-1)], True),
        ([contact(sentiment=-1), contact(1, sentiment=0.5)], False),
        ([contact(sentiment=1), contact(sentiment=-1, topic="x")], True),
        ([rated(5), *moods(-1)], True),
    ],
)
def test_unhappy_is_a_bad_rating_or_a_bad_mood(events: list[Event], *, is_unhappy: bool) -> None:
    assert ("unhappy" in segments(events, DAY)) is is_unhappy


def test_contacts_that_left_the_window_have_no_part_in_the_mean() -> None:
    given = [contact(0, "a", sentiment=1), contact(5, "b", sentiment=-1)]
    assert "unhappy" not in segments(given, 30 * DAY - 1)
    assert "unhappy" in segments(given, 30 * DAY)
    assert "unhappy" not in segments(given, 30 * DAY + 5)


def story() -> list[Event]:
    """Few events with ties and dependants, so that order of arrival would matter to a careless reader."""
    tied = [added(id="b"), event("cart.cleared", id="a"), *orders(DAY, DAY)]
    return [*tied, updated("o1", 10_00, 2 * DAY), refunded(10_00, "o1"), cancelled("o2", 3 * DAY)]


def test_neither_order_of_arrival_nor_copies_matter() -> None:
    given = story()
    moments = [_START + at for at in (0, DAY, 2 * DAY, 3 * DAY, 40 * DAY)]
    expected = sampled_memberships(given, moments)
    for shuffled in permutations(given):
        assert sampled_memberships(shuffled, moments[2:3]) == expected[2:3]
    assert sampled_memberships([*given, *reversed(given)], moments) == expected


def test_members_lists_every_segment_and_keeps_visitors_apart() -> None:
    visitor = {**viewed(0)[0], "customer_id": None, "anonymous_id": "x"}
    both = {**viewed(0)[0], "customer_id": "bob", "anonymous_id": "x"}
    found = members([visitor, both, *orders(0)], _START)
    assert set(found) == set(SEGMENTS)
    assert {key: ids for key, ids in found.items() if ids} == {
        "first_time_buyer": ["ann"],
        "prospective_buyer": ["anonymous:x", "bob"],
    }


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            orders(0, 0, 0, 0, total=200_00),
            [
                (0, "loyal_customer", True),
                (0, "repeat_buyer", True),
                (0, "vip", True),
                (30 * DAY, "churn_risk", True),
                (90 * DAY, "lapsed", True),
                (120 * DAY, "at_risk_loyal", True),
                (180 * DAY, "former_high_value", True),
                (365 * DAY, "loyal_customer", False),
            ],
        ),
        (
            [added(0)],
            [
                (0, "prospective_buyer", True),
                (60 * MINUTE, "cart_abandoner", True),
                (7 * DAY, "cart_abandoner", False),
                (30 * DAY, "prospective_buyer", False),
            ],
        ),
    ],
)
def test_exact_crossings_say_what_changed_and_when(events: list[Event], expected: list[tuple[int, str, bool]]) -> None:
    last = expected[-1][0]
    exact = exact_crossings(events, _START + last)
    assert [(c.at - _START, c.segment, c.entered) for c in exact] == expected
    assert all(crossing.after == crossing.at - 1 for crossing in exact)
    assert exact_crossings(events, _START + last - 1) == exact[:-1]


def test_sampling_sees_a_crossing_at_its_last_instant_and_none_at_its_first() -> None:
    assert brute_force_crossings([subscribed()], _START - 2, _START - 1, 1) == []
    assert {c.at for c in brute_force_crossings([subscribed()], _START - 2, _START, 1)} == {_START}
    assert brute_force_crossings([subscribed()], _START, _START + 9, 1) == []


def test_sampling_finds_the_same_crossings_as_the_exact_search() -> None:
    given = [*viewed(0, DAY, 2 * DAY), added(3 * DAY), *orders(4 * DAY, 60 * DAY), subscribed(5 * DAY), *moods(-1)]
    end = _START + 200 * DAY
    exact = exact_crossings(given, end)
    sampled = brute_force_crossings(given, _START - DAY, end, 60 * MINUTE)
    assert [(c.at, c.segment, c.entered) for c in sampled] == [(c.at, c.segment, c.entered) for c in exact]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.000001z", 1),
        ("1970-01-01T01:00:00.5+01:00", 500_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_instants_are_exact(text: str, expected: int) -> None:
    assert instant(text) == expected


@pytest.mark.parametrize(("money", "expected"), [(5990, 5990), ("59.90", 5990), ("59.9", 5990), ("59", 5900)])
def test_money_is_whole_minor_units(money: int | str, expected: int) -> None:
    assert minor_units(money) == expected


def test_money_with_a_fraction_of_a_minor_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="more than two decimals"):
        minor_units("59.905")
