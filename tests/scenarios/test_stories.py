"""Customer stories: what a shop would see on `segment-changes`, row by row, with every shipped segment in view."""

from typing import Any

import orjson
import pytest

from schemas.instants import DAY, MINUTE
from schemas.transitions import CauseKind
from streams.core.language.explain import evidence_json
from streams.core.step import Transition, newcomer
from tests.oracle import Event
from tests.scenarios.events import (
    START,
    added,
    bought,
    cancelled,
    cleared,
    contacted,
    filled,
    mailed,
    rated,
    refunded,
    removed,
    updated,
    viewed,
)
from tests.scenarios.story import Row, crossing, own_time, run, shipped, step

STORIES: dict[str, list[Row]] = {
    "a visitor fills a cart, buys, and is forgotten": [
        (viewed(0), "+prospective_buyer"),
        (added(10 * MINUTE), ""),
        (70 * MINUTE - 1, ""),
        (70 * MINUTE, "+cart_abandoner"),
        (bought(80 * MINUTE, "o1"), "-cart_abandoner -prospective_buyer +first_time_buyer"),
        (30 * DAY + 80 * MINUTE - 1, ""),
        (30 * DAY + 80 * MINUTE, "+one_time_shopper +churn_risk"),
        (90 * DAY + 80 * MINUTE - 1, ""),
        (90 * DAY + 80 * MINUTE, "+lapsed"),
        (400 * DAY, ""),
    ],
    "a customer becomes VIP and loses it by refunds": [
        (bought(0, "o1", 200_00), "+first_time_buyer"),
        (bought(1 * DAY, "o2", "200.00"), "-first_time_buyer +repeat_buyer"),
        (bought(2 * DAY, "o3", 100_01), "+vip +loyal_customer"),
        (refunded(3 * DAY, 1, "o1"), "-vip"),
        (updated(4 * DAY, "o3", 200_00), "+vip"),
        (refunded(5 * DAY, 199_99, "o1", "r2"), "-vip -loyal_customer"),
        (cancelled(6 * DAY, "o2"), "-repeat_buyer +first_time_buyer"),
        (refunded(7 * DAY, 200_00, "o3", "r3"), "-first_time_buyer"),
        (365 * DAY, ""),
    ],
    "a loyal customer drifts away and is won back": [
        (bought(0, "o1", 150_00), "+first_time_buyer"),
        (bought(0, "o2", 150_00), "-first_time_buyer +repeat_buyer"),
        (bought(0, "o3", 150_00), "+loyal_customer"),
        (bought(0, "o4", 150_00), "+vip"),
        (30 * DAY, "+churn_risk"),
        (viewed(40 * DAY), "-churn_risk"),
        (180 * DAY, "+lapsed@90d +at_risk_loyal@120d +former_high_value"),
        (mailed("opened", 200 * DAY), "+winback_opportunity"),
        (230 * DAY - 1, ""),
        (bought(231 * DAY, "o5"), "-winback_opportunity@230d -lapsed -at_risk_loyal -former_high_value"),
        (365 * DAY, "+churn_risk@261d +lapsed@321d +at_risk_loyal@351d -loyal_customer"),
    ],
    "all that was due during a long pause comes in due order, each at its own instant": [
        (bought(0, "o1"), "+first_time_buyer"),
        (viewed(1 * DAY), ""),
        (added(2 * DAY), ""),
        (
            bought(1000 * DAY, "o2"),
            (
                "+cart_abandoner@2940m -cart_abandoner@9d +one_time_shopper@30d +lapsed@90d "
                "-one_time_shopper -lapsed -first_time_buyer +repeat_buyer"
            ),
        ),
        (1030 * DAY, "+churn_risk"),
    ],
    "a subscriber signs off and on": [
        (mailed("subscribed", 0), "+email_subscriber +new_subscriber"),
        (mailed("unsubscribed", DAY), "-email_subscriber -new_subscriber"),
        (mailed("subscribed", DAY), ""),
        (mailed("subscribed", 2 * DAY), "+email_subscriber +new_subscriber"),
        (32 * DAY - 1, ""),
        (32 * DAY, "-new_subscriber"),
        (mailed("clicked", 40 * DAY), "+prospective_buyer"),
        (100 * DAY, "-prospective_buyer@70d"),
    ],
    "a visitor looks around and never buys": [
        (viewed(0), "+prospective_buyer"),
        (viewed(30 * MINUTE - 1), ""),
        (viewed(60 * MINUTE - 1), ""),
        (viewed(90 * MINUTE - 1), "+idle_visitor"),
        (added(91 * MINUTE), "-idle_visitor"),
        (removed(92 * MINUTE), "+idle_visitor"),
        (30 * DAY, "-idle_visitor"),
        (31 * DAY, "-prospective_buyer@43292m"),
    ],
    "somebody has trouble": [
        (contacted(0, "c1", "delivery", 0.5), "+delivery_issue"),
        (contacted(DAY, "c2", "pricing", -1), "+pricing_complaint"),
        (contacted(2 * DAY, "c3", None, -0.41), "+unhappy"),
        (rated(3 * DAY, 5), ""),
        (contacted(4 * DAY, "c4", "delivery", 1), "-unhappy"),
        (rated(5 * DAY, 1), "+unhappy"),
        (34 * DAY, "-pricing_complaint@31d -delivery_issue"),
        (35 * DAY, "-unhappy"),
    ],
    "a whole cart is sent, cleared, and sent again": [
        (filled(0, "p", "q"), "+prospective_buyer"),
        (60 * MINUTE, "+cart_abandoner"),
        (removed(61 * MINUTE, "p"), "-cart_abandoner"),
        (121 * MINUTE, "+cart_abandoner"),
        (cleared(122 * MINUTE), "-cart_abandoner +idle_visitor"),
        (10 * DAY, ""),
        (filled(10 * DAY), ""),
        (filled(11 * DAY, "p"), "-idle_visitor"),
        (18 * DAY, "+cart_abandoner@15900m -cart_abandoner"),
    ],
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_goes_as_told(name: str) -> None:
    run(STORIES[name])


@pytest.mark.parametrize("name", STORIES)
def test_a_second_copy_of_each_event_changes_nothing(name: str) -> None:
    twice: list[Row] = []
    for what, expected in STORIES[name]:
        twice += [(what, expected), (what, "")]
    run(twice)


@pytest.mark.parametrize("name", STORIES)
def test_a_late_copy_of_every_event_changes_nothing(name: str) -> None:
    run([*STORIES[name], *[(what, "") for what, _expected in STORIES[name] if not isinstance(what, int)]])


LATE: dict[str, list[Row]] = {
    "a late order ends a lapse": [
        (bought(0, "o1"), "+first_time_buyer"),
        (100 * DAY, "+one_time_shopper@30d +churn_risk@30d +lapsed@90d"),
        (bought(50 * DAY, "o2"), "-one_time_shopper -lapsed -first_time_buyer +repeat_buyer"),
        (140 * DAY, "+lapsed"),
    ],
    "a cancellation comes before its order": [
        (cancelled(DAY, "o1"), ""),
        (bought(0, "o1"), ""),
        (bought(2 * DAY, "o2"), "+first_time_buyer"),
    ],
    "a refund comes before its order": [
        (refunded(DAY, 60_00, "o1"), ""),
        (bought(0, "o1"), ""),
        (bought(0, "o2"), "+first_time_buyer"),
    ],
    "an order comes after what was put into the cart": [
        (added(DAY), "+prospective_buyer"),
        (DAY + 60 * MINUTE, "+cart_abandoner"),
        (bought(DAY, "o1"), "-cart_abandoner -prospective_buyer +first_time_buyer"),
    ],
    "a late order leaves alone what was put into the cart after it": [
        (added(DAY), "+prospective_buyer"),
        (DAY + 60 * MINUTE, "+cart_abandoner"),
        (bought(DAY - 1, "o1"), "-prospective_buyer +first_time_buyer"),
    ],
    "a late cancellation takes back an order that time has worked on": [
        (bought(0, "o1"), "+first_time_buyer"),
        (bought(DAY, "o2"), "-first_time_buyer +repeat_buyer"),
        (100 * DAY, "+churn_risk@31d +lapsed@91d"),
        (viewed(101 * DAY), "-churn_risk"),
        (cancelled(2 * DAY, "o2"), "-repeat_buyer +first_time_buyer +one_time_shopper"),
        (cancelled(3 * DAY, "o1"), "-first_time_buyer -one_time_shopper -lapsed +prospective_buyer"),
    ],
    "a late refund of a part takes VIP away": [
        (bought(0, "o1", 200_00), "+first_time_buyer"),
        (bought(1, "o2", 200_00), "-first_time_buyer +repeat_buyer"),
        (bought(2, "o3", 100_01), "+vip +loyal_customer"),
        (viewed(20 * DAY), ""),
        (refunded(10 * DAY, 1, "o1"), "-vip"),
    ],
    "a late refund in full moves the latest order back": [
        (bought(0, "o1"), "+first_time_buyer"),
        (
            bought(50 * DAY, "o2"),
            "-first_time_buyer +repeat_buyer +one_time_shopper@30d -one_time_shopper +churn_risk@30d -churn_risk",
        ),
        (viewed(100 * DAY), "+churn_risk@80d -churn_risk"),
        (refunded(60 * DAY, 60_00, "o2"), "-repeat_buyer +first_time_buyer +one_time_shopper +lapsed"),
    ],
    "a late order makes up for a refund": [
        (bought(0, "o1"), "+first_time_buyer"),
        (refunded(10 * DAY, 60_00, "o1"), "-first_time_buyer"),
        (bought(5 * DAY, "o2"), "+first_time_buyer"),
    ],
    "a late visit is the third one": [
        (viewed(2 * DAY), "+prospective_buyer"),
        (viewed(DAY), ""),
        (viewed(0), "+idle_visitor"),
        (30 * DAY, "-idle_visitor"),
    ],
    "a late event joins two visits": [
        (viewed(0), "+prospective_buyer"),
        (viewed(40 * MINUTE), ""),
        (viewed(DAY), "+idle_visitor"),
        (viewed(20 * MINUTE), "-idle_visitor"),
    ],
    "what is too late to matter changes nothing": [
        (mailed("subscribed", 5), "+email_subscriber +new_subscriber"),
        (mailed("unsubscribed", 4), ""),
        (rated(9, 5), ""),
        (rated(8, 1), ""),
    ],
}


@pytest.mark.parametrize("name", LATE)
def test_a_late_event_is_applied_and_named(name: str) -> None:
    rows = LATE[name]
    transitions = run(rows)
    known, late = START - 1, set()
    for what, _expected in rows:
        if not isinstance(what, int) and START + own_time(what) < known:
            late.add(what["id"])
        known = max(known, START + own_time(what))
    for transition in transitions:
        if transition.event is None:
            expected_kind = CauseKind.TIME
        elif transition.event.type == "order.refunded":
            expected_kind = CauseKind.REFUND
        else:
            expected_kind = CauseKind.LATE_EVENT if transition.event.id in late else CauseKind.EVENT
        assert transition.cause is expected_kind
    assert late


LATENESS = [
    (refunded(50 * DAY, 60_00, "o1"), CauseKind.REFUND, 50 * DAY),
    (refunded(5 * DAY, 60_00, "o1"), CauseKind.REFUND, 40 * DAY),
    (cancelled(50 * DAY, "o1"), CauseKind.EVENT, 50 * DAY),
    (cancelled(5 * DAY, "o1"), CauseKind.LATE_EVENT, 40 * DAY),
    (updated(50 * DAY, "o1", 600_00), CauseKind.EVENT, 50 * DAY),
    (updated(5 * DAY, "o1", 600_00), CauseKind.LATE_EVENT, 40 * DAY),
    (bought(5 * DAY, "o4", 400_00), CauseKind.LATE_EVENT, 40 * DAY),
]
"""What is heard of after 40 days -> its cause, and when what it changes is judged."""


@pytest.mark.parametrize(("given", "kind", "judged"), LATENESS)
def test_a_refund_is_called_so_late_or_not_and_when_it_was_judged_tells_which(
    given: Event, kind: CauseKind, judged: int
) -> None:
    customer = newcomer("ann", shipped())
    for what in (bought(0, "o1"), bought(1, "o2", 200_00), bought(2, "o3", 200_00), viewed(40 * DAY)):
        step(customer, what, shipped())
    found = [t for t in step(customer, given, shipped()) if t.event is not None]
    assert found
    assert {(t.cause, t.event.id if t.event else "") for t in found} == {(kind, given["id"])}
    assert {(t.effective_at, t.judged_at) for t in found} == {(START + own_time(given), START + judged)}


def test_a_late_event_is_judged_now_and_stamped_with_its_own_time() -> None:
    customer = newcomer("ann", shipped())
    for what in (bought(0, "o1"), viewed(95 * DAY)):
        step(customer, what, shipped())
    found = step(customer, bought(50 * DAY, "o2"), shipped())
    assert {crossing(t).word for t in found} >= {"-lapsed", "+repeat_buyer"}
    assert {(t.effective_at, t.judged_at) for t in found} == {(START + 50 * DAY, START + 95 * DAY)}


def evidence(transition: Transition) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = orjson.loads(evidence_json(transition.segment.rule, transition.findings, "GBP"))
    return rows


def test_a_transition_tells_of_all_segments_and_figures_after_it() -> None:
    transitions = run(STORIES["a customer becomes VIP and loses it by refunds"])
    vip = next(t for t in transitions if crossing(t).word == "-vip")
    assert vip.memberships == ("loyal_customer", "repeat_buyer")
    assert (vip.summary.orders, vip.summary.spend, vip.summary.last_order_at) == (3, 500_00, START + 2 * DAY)
    assert vip.event is not None
    assert vip.event.type == "order.refunded"
    assert evidence(vip) == [
        {"clause": "orders.count >= 3", "value": 3, "threshold": 3, "holds": True, "until": None},
        {"clause": "orders.spend > 500", "value": "500.00", "threshold": "500.00", "holds": False, "until": None},
    ]


def test_the_evidence_says_until_when() -> None:
    (entered,) = run([(contacted(0, "c1", "delivery"), "+delivery_issue")], only="delivery_issue")
    (clause,) = evidence(entered)
    assert (clause["value"], clause["threshold"], clause["until"]) == (1, 1, "2026-01-31T00:00:00Z")
