"""Every shipped segment, entered and left at its very microsecond: nothing one microsecond before."""

import pytest

from schemas.instants import DAY, MINUTE
from schemas.transitions import CauseKind
from streams.core.step import Customer, newcomer
from tests.oracle import PREDICTED, SEGMENTS, Event
from tests.scenarios.events import (
    START,
    added,
    bought,
    cancelled,
    cleared,
    contacted,
    event,
    mailed,
    rated,
    refunded,
    removed,
    updated,
    viewed,
)
from tests.scenarios.story import crossing, own_time, shipped, step

_HOUR = 60 * MINUTE


def orders(*at: int, total: int | str = 60_00) -> list[Event]:
    return [bought(when, f"o{number}", total) for number, when in enumerate(at, 1)]


def visits(*at: int) -> list[Event]:
    return [viewed(when) for when in at]


BY_TIME: list[tuple[str, list[Event], int]] = [
    ("+lapsed", orders(5), 5 + 90 * DAY),
    ("+lapsed", orders(0, 5), 5 + 90 * DAY),
    ("+at_risk_loyal", orders(0, 1, 2, 5), 5 + 120 * DAY),
    ("+former_high_value", orders(0, 1, 5, total="100.01"), 5 + 180 * DAY),
    ("+one_time_shopper", orders(5), 5 + 30 * DAY),
    ("-loyal_customer", orders(5, 6, 7), 5 + 365 * DAY),
    ("-loyal_customer", orders(5, 6, 7, 8), 6 + 365 * DAY),
    ("+cart_abandoner", [added(0), added(5)], 5 + _HOUR),
    ("+cart_abandoner", [added(0, quantity=2), removed(5, quantity=1)], 5 + _HOUR),
    ("-cart_abandoner", [added(0), added(5)], 5 + 7 * DAY),
    ("-prospective_buyer", visits(0, 5), 5 + 30 * DAY),
    ("-prospective_buyer", [viewed(0), mailed("opened", 5)], 5 + 30 * DAY),
    ("+churn_risk", orders(5), 5 + 30 * DAY),
    ("+churn_risk", [viewed(0), *orders(5)], 5 + 30 * DAY),
    ("+winback_opportunity", [*orders(0), viewed(170 * DAY)], 180 * DAY),
    ("-winback_opportunity", [*orders(0), viewed(170 * DAY)], 200 * DAY),
    ("-winback_opportunity", [*orders(0), mailed("clicked", 170 * DAY)], 200 * DAY),
    ("-new_subscriber", [mailed("subscribed", 5)], 5 + 30 * DAY),
    ("-new_subscriber", [mailed("subscribed", 0), mailed("subscribed", 5)], 5 + 30 * DAY),
    ("-idle_visitor", visits(0, 30 * MINUTE, _HOUR), 30 * DAY),
    ("-idle_visitor", [*visits(0), viewed(20 * MINUTE), *visits(_HOUR, 2 * _HOUR)], 30 * DAY),
    ("-delivery_issue", [contacted(5, "c1", "delivery")], 5 + 30 * DAY),
    ("-delivery_issue", [contacted(0, "c1", "delivery"), contacted(5, "c2", "delivery")], 5 + 30 * DAY),
    ("-pricing_complaint", [contacted(5, "c1", "pricing")], 5 + 30 * DAY),
    ("-unhappy", [rated(5, 2)], 5 + 30 * DAY),
    ("-unhappy", [contacted(5, "c1", sentiment=-0.31)], 5 + 30 * DAY),
    ("+unhappy", [contacted(0, "c1", sentiment=1), contacted(5, "c2", sentiment=-1)], 30 * DAY),
    ("-unhappy", [contacted(0, "c1", sentiment=-1), rated(5 * DAY, 1)], 35 * DAY),
]
"""What time alone decides: the crossing, the events before it, and when it is due."""

BY_EVENT: list[tuple[str, list[Event], Event]] = [
    ("+first_time_buyer", [], bought(5, "o1")),
    ("-first_time_buyer", orders(0), bought(5, "o9")),
    ("-first_time_buyer", orders(0), cancelled(5, "o1")),
    ("-first_time_buyer", orders(0), refunded(5, 60_00, "o1")),
    ("+first_time_buyer", orders(0, 1), cancelled(5, "o2")),
    ("+repeat_buyer", orders(0), bought(5, "o9")),
    ("-repeat_buyer", orders(0, 1), cancelled(5, "o1")),
    ("-repeat_buyer", [*orders(0, 1), refunded(2, "59.99", "o1")], refunded(5, 1, "o1", "r2")),
    ("+vip", orders(0, 1, total=200_00), bought(5, "o9", 100_01)),
    ("+vip", orders(0, 1, 2), updated(5, "o1", 380_01)),
    ("-vip", orders(0, 1, 2, total=200_00), cancelled(5, "o3")),
    ("-vip", orders(0, 1, 2, total=200_00), refunded(5, 100_00, "o1")),
    ("-vip", orders(0, 1, 2, total=200_00), refunded(5, 100_00, None)),
    ("-vip", orders(0, 1, 2, total=200_00), updated(5, "o1", 100_00)),
    ("+lapsed", orders(0, 100 * DAY), cancelled(101 * DAY, "o2")),
    ("-lapsed", orders(0), bought(100 * DAY, "o9")),
    ("-lapsed", orders(0), cancelled(100 * DAY, "o1")),
    ("-at_risk_loyal", orders(0, 1, 2, 3), bought(150 * DAY, "o9")),
    ("-at_risk_loyal", orders(0, 1, 2, 3), refunded(150 * DAY, 60_00, "o1")),
    ("-former_high_value", orders(0, 1, 2, total=200_00), bought(200 * DAY, "o9")),
    ("-former_high_value", orders(0, 1, 2, total="100.01"), refunded(200 * DAY, 3, None)),
    ("-one_time_shopper", orders(0), bought(40 * DAY, "o9")),
    ("-one_time_shopper", orders(0), refunded(40 * DAY, 60_00, "o1")),
    ("+loyal_customer", orders(0, 1), bought(5, "o9")),
    ("+loyal_customer", orders(0, 1, 2), bought(365 * DAY, "o9")),
    ("-loyal_customer", orders(0, 1, 2), cancelled(5, "o1")),
    ("-cart_abandoner", [added(0)], bought(2 * _HOUR, "o1")),
    ("-cart_abandoner", [added(0)], removed(2 * _HOUR)),
    ("-cart_abandoner", [added(0)], cleared(2 * _HOUR)),
    ("-cart_abandoner", [added(0)], added(2 * _HOUR)),
    ("+prospective_buyer", [], viewed(5)),
    ("+prospective_buyer", [], mailed("opened", 5)),
    ("+prospective_buyer", [viewed(0), *orders(1)], cancelled(5, "o1")),
    ("-prospective_buyer", [viewed(0)], bought(5, "o1")),
    ("-churn_risk", orders(0), viewed(31 * DAY)),
    ("-churn_risk", orders(0), mailed("clicked", 31 * DAY)),
    ("-churn_risk", orders(0), bought(31 * DAY, "o9")),
    ("+winback_opportunity", orders(0), viewed(180 * DAY)),
    ("-winback_opportunity", [*orders(0), viewed(180 * DAY)], bought(181 * DAY, "o9")),
    ("+new_subscriber", [], mailed("subscribed", 5)),
    ("+new_subscriber", [mailed("subscribed", 0)], mailed("subscribed", 40 * DAY)),
    ("-new_subscriber", [mailed("subscribed", 0)], mailed("unsubscribed", 5)),
    ("-new_subscriber", [mailed("subscribed", 0)], bought(5, "o1")),
    ("+email_subscriber", [mailed("unsubscribed", 0)], mailed("subscribed", 5)),
    ("-email_subscriber", [mailed("subscribed", 0)], mailed("unsubscribed", 5)),
    ("-email_subscriber", [mailed("subscribed", 5)], mailed("unsubscribed", 5)),
    ("+idle_visitor", visits(0, 30 * MINUTE), viewed(60 * MINUTE)),
    ("+idle_visitor", [*visits(0, DAY, 2 * DAY), added(3 * DAY)], cleared(4 * DAY)),
    ("-idle_visitor", visits(0, DAY, 2 * DAY), added(3 * DAY)),
    ("-idle_visitor", visits(0, DAY, 2 * DAY), bought(3 * DAY, "o1")),
    ("+delivery_issue", [], contacted(5, "c1", "delivery")),
    ("-delivery_issue", [contacted(0, "c1", "delivery")], contacted(5, "c1", "pricing")),
    ("+pricing_complaint", [contacted(0, "c1", "delivery")], contacted(5, "c1", "pricing")),
    ("+unhappy", [], rated(5, 2)),
    ("+unhappy", [contacted(0, "c1", sentiment=0)], contacted(5, "c2", sentiment=-0.61)),
    ("-unhappy", [rated(0, 1)], rated(5, 3)),
    ("-unhappy", [contacted(0, "c1", sentiment=-0.4)], contacted(5, "c2", sentiment=0)),
]
"""What an event decides: the crossing, the events before it, and the event."""

NOT_BY_EVENT: list[tuple[str, list[Event], Event]] = [
    ("vip", orders(0, 1, total=200_00), bought(5, "o9", 100_00)),
    ("former_high_value", orders(0, 1, 2, total=100_00), viewed(200 * DAY)),
    ("repeat_buyer", orders(0, 1), refunded(5, "59.99", "o1")),
    ("repeat_buyer", orders(0, 1), refunded(5, 60_00, "o9")),
    ("idle_visitor", visits(0, 30 * MINUTE), viewed(60 * MINUTE - 1)),
    (
        "unhappy",
        [contacted(0, "c1", sentiment=-0.2), contacted(1, "c2", sentiment=-0.3)],
        contacted(5, "c3", None, -0.4),
    ),
    ("unhappy", [contacted(0, "c1", None, 0.96), contacted(1, "c2", None, -0.93)], contacted(5, "c3", None, -0.93)),
    ("unhappy", [], rated(5, 3)),
    ("email_subscriber", [mailed("unsubscribed", 5)], mailed("subscribed", 5)),
    ("churn_risk", orders(0), event("order.delivered", 31 * DAY, order_id="o1")),
]
"""Just not enough: the segment that the event neither fills nor empties."""


def after(events: list[Event]) -> Customer:
    """The customer to whom that happened."""
    customer = newcomer("ann", shipped())
    for given in events:
        step(customer, given, shipped())
    return customer


@pytest.mark.parametrize(("word", "before", "due"), BY_TIME)
def test_time_alone_decides_at_the_very_microsecond_and_once(word: str, before: list[Event], due: int) -> None:
    customer = after(before)
    early = step(customer, due - 1, shipped())
    found = [t for t in step(customer, due, shipped()) if crossing(t).word == word]
    assert not any(t.effective_at >= START + due - 1 for t in early)
    assert [(crossing(t).at, t.cause, t.event) for t in found] == [(due, CauseKind.TIME, None)]
    assert step(customer, due, shipped()) == []


@pytest.mark.parametrize(("word", "before", "given"), BY_EVENT)
def test_an_event_decides_at_its_own_instant(word: str, before: list[Event], given: Event) -> None:
    found = [t for t in step(after(before), given, shipped()) if crossing(t).word == word and t.event is not None]
    told = [(crossing(t).at, t.cause, t.event.id if t.event else "") for t in found]
    kind = CauseKind.REFUND if given["type"] == "order.refunded" else CauseKind.EVENT
    assert told == [(own_time(given), kind, given["id"])]


@pytest.mark.parametrize(("segment", "before", "given"), NOT_BY_EVENT)
def test_what_is_just_not_enough_changes_nothing(segment: str, before: list[Event], given: Event) -> None:
    found = step(after(before), given, shipped())
    assert not [t for t in found if t.event is not None and t.segment.key == segment]


def test_a_busy_day_is_remembered_whole() -> None:
    talks = [contacted(n, f"c{n}", "product", sentiment=0) for n in range(1, 100)]
    assert "delivery_issue" in after([contacted(0, "c0", "delivery"), *talks]).since
    fickle = [change(2 * n + late, "other") for n in range(1, 200) for late, change in enumerate((added, removed))]
    assert after([added(0, "first"), *fickle]).profile.cart.items == 1


def test_each_shipped_segment_is_both_entered_and_left_here() -> None:
    words = {word for word, _before, _at in [*BY_TIME, *BY_EVENT]}
    assert {segment.key for segment in shipped().segments} == set(SEGMENTS)
    assert words == {sign + key for key in SEGMENTS if key not in PREDICTED for sign in "+-"}
