"""The synthetic shop: clean events."""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from itertools import islice, pairwise
from pathlib import Path
from typing import Annotated

import orjson
import pytest
from pydantic import Field, TypeAdapter

from schemas.events import AnyEvent, Catalogue
from schemas.instants import DAY, parse_rfc3339
from schemas.wire import decode
from streams.core.definitions import compile_definitions
from streams.core.replay import replay
from streams.sources.shop import DEFAULT_START, Kind, ShopPlan, census, events, lines
from streams.sources.shop_customers import draw_customer
from tests.models import CDNOW

ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="type")])
SHOP = ShopPlan(customers=500, days=120, seed=7)
SMALL = ShopPlan(customers=40, days=30, seed=3)


@cache
def raw_events() -> tuple[dict[str, object], ...]:
    return tuple(events(SHOP))


@cache
def parsed_events() -> tuple[AnyEvent, ...]:
    return tuple(ADAPTER.validate_json(orjson.dumps(event)) for event in raw_events())


def of_type(kind: str) -> list[AnyEvent]:
    return [event for event in parsed_events() if event.type == kind]


def test_every_event_validates_and_none_has_a_field_that_the_schema_does_not_know() -> None:
    for raw, event in zip(raw_events(), parsed_events(), strict=True):
        assert set(raw) <= set(type(event).model_fields)
        assert event.customer_id or event.anonymous_id


def test_every_event_type_occurs() -> None:
    assert {event.type for event in parsed_events()} == set(Catalogue.topic_of)


def test_every_shipped_segment_has_had_a_member() -> None:
    definitions = compile_definitions((Path(__file__).parents[2] / "segments.toml").read_text(), CDNOW)
    plan = ShopPlan(customers=100, days=320, seed=4)
    run = replay((decode(orjson.dumps(event)) for event in events(plan)), definitions, plan.end)
    entered = {transition.segment.key for _customer, transition in run.transitions if transition.entered}
    assert entered == {segment.key for segment in definitions.segments}


def test_ids_are_unique() -> None:
    assert max(Counter(event.id for event in parsed_events()).values()) == 1


def test_events_come_in_order_of_time_and_then_of_id() -> None:
    keys = [(event.occurred_at, event.id) for event in parsed_events()]
    assert all(earlier < later for earlier, later in pairwise(keys))


def test_nothing_happens_outside_of_the_days() -> None:
    assert parsed_events()[0].occurred_at >= DEFAULT_START
    assert parsed_events()[-1].occurred_at < DEFAULT_START + 120 * DAY
    assert parsed_events()[-1].occurred_at > DEFAULT_START + 119 * DAY


def test_all_customers_are_of_a_kind_and_all_kinds_occur() -> None:
    counted = census(SHOP)
    assert set(counted) == {kind.value for kind in Kind}
    assert sum(counted.values()) == SHOP.customers
    assert min(counted.values()) > 0


def test_an_order_costs_its_items_less_the_discount() -> None:
    coupons = 0
    for event in of_type("order.placed"):
        assert event.type == "order.placed"
        prices = [(item.unit_price, (item.quantity or 1)) for item in event.items]
        goods = sum(price * quantity for price, quantity in prices if isinstance(price, int))
        assert event.items
        assert event.total == goods - int(event.discount or 0)
        coupons += event.coupon is not None
    assert 0.1 < coupons / len(of_type("order.placed")) < 0.25


def test_what_becomes_of_an_order_comes_after_it_and_does_not_contradict() -> None:
    paid: dict[str, int] = {}
    ended: dict[str, set[str]] = defaultdict(set)
    credit_notes = 0
    for event in parsed_events():
        if event.type in {"order.placed", "order.updated"}:
            assert event.total is not None
            paid[event.order_id] = int(event.total)
        elif event.type in {"order.delivered", "order.cancelled"}:
            assert event.order_id in paid
            ended[event.order_id].add(event.type)
        elif event.type == "order.refunded":
            credit_notes += event.order_id is None
            assert event.order_id is None or 0 < int(event.amount) <= paid[event.order_id]
    assert all(len(ends) == 1 for ends in ended.values())
    assert 0 < credit_notes < len(of_type("order.refunded")) / 4


def test_refunds_are_partial_and_full() -> None:
    paid = {event.order_id: event.total for event in of_type("order.placed") if event.type == "order.placed"}
    whole = Counter(
        event.amount == paid.get(event.order_id)
        for event in of_type("order.refunded")
        if event.type == "order.refunded" and event.order_id
    )
    assert whole[True] > 10
    assert whole[False] > 10


def test_a_cart_holds_what_is_taken_out_of_it_and_what_is_bought() -> None:
    carts: dict[str, Counter[str]] = defaultdict(Counter)
    for event in parsed_events():
        owner = (event.customer_id or "c" + str(event.anonymous_id)[1:]).split("-")[0]
        if event.type == "cart.item_added":
            carts[owner][event.product_id] += event.quantity or 1
        elif event.type == "cart.item_removed":
            assert carts[owner].pop(event.product_id) > 0
        elif event.type == "cart.updated":
            carts[owner] = Counter({item.product_id: (item.quantity or 1) for item in event.items})
        elif event.type == "cart.cleared":
            carts[owner].clear()
        elif event.type == "order.placed":
            # A cart left behind on another device may hold more than what is bought here.
            assert Counter({item.product_id: (item.quantity or 1) for item in event.items}) <= carts[owner]
            carts[owner].clear()
    assert sum(1 for cart in carts.values() if cart) > 20, "some carts are abandoned"


def test_visits_without_a_name_identify_later_with_both_ids() -> None:
    anonymous_first: set[str] = set()
    linked = 0
    for event in parsed_events():
        if event.type == "customer.identified":
            assert event.customer_id
            assert event.anonymous_id
            linked += event.anonymous_id in anonymous_first
        elif event.customer_id is None:
            anonymous_first.add(str(event.anonymous_id))
    assert linked > 200
    identified = {event.anonymous_id for event in of_type("customer.identified")}
    assert len(anonymous_first - identified) > 20, "some never say who they are"


def test_orders_mail_and_support_are_of_customers_with_a_name() -> None:
    for event in parsed_events():
        if event.type.startswith(("order.", "email.", "support.")):
            assert event.customer_id


def test_mail_goes_only_to_those_who_agreed() -> None:
    agreed: set[str] = set()
    for event in parsed_events():
        if event.type == "email.subscribed":
            agreed.add(str(event.customer_id))
        elif event.type in {"email.opened", "email.clicked", "email.unsubscribed"}:
            assert event.customer_id in agreed


def test_contacts_are_about_all_topics_and_moods() -> None:
    found = [event for event in of_type("support.contacted") if event.type == "support.contacted"]
    assert {event.topic for event in found} == {"delivery", "pricing", "product", "returns", "account"}
    assert {event.channel for event in found} == {"chat", "email", "phone"}
    moods = [event.sentiment for event in found if event.sentiment is not None]
    assert min(moods) < -0.5
    assert max(moods) > 0.5
    contacts = {event.contact_id for event in found}
    assert len(contacts) == len(found)
    assert {event.contact_id for event in of_type("support.resolved") if event.type == "support.resolved"} <= contacts


def test_kinds_differ_in_what_they_buy_and_fading_customers_fade() -> None:
    half = DEFAULT_START + 60 * DAY
    counted: dict[str, Counter[str]] = {"early": Counter(), "late": Counter()}
    kinds = kinds_by_id()
    for event in of_type("order.placed"):
        counted["early" if event.occurred_at < half else "late"][kinds[str(event.customer_id)]] += 1
    both = counted["early"] + counted["late"]
    people = census(SHOP)
    assert both["browser-only"] == 0
    assert both["one-time"] <= people["one-time"]
    assert both["loyal"] / people["loyal"] > 2 * both["new"] / people["new"]
    assert counted["late"]["fading"] < counted["early"]["fading"] / 3
    assert counted["late"]["loyal"] > counted["early"]["loyal"] * 0.7


def kinds_by_id() -> dict[str, str]:
    drawn = (draw_customer(SHOP, index) for index in range(SHOP.customers))
    return {customer.customer_id: customer.kind.value for customer in drawn}


def test_evenings_are_busier_than_nights() -> None:
    hours = Counter(event.occurred_at // (DAY // 24) % 24 for event in parsed_events())
    assert sum(hours[hour] for hour in (18, 19, 20)) > 4 * sum(hours[hour] for hour in (3, 4, 5))


def test_what_a_customer_does_depends_on_nobody_else() -> None:
    alone = [event for event in events(ShopPlan(1, 30, seed=3)) if str(event["id"]).split("-")[1] == "000000"]
    among = [event for event in events(SMALL) if str(event["id"]).split("-")[1] == "000000"]
    assert alone == among


def test_equal_plans_give_equal_lines_and_other_seeds_other_lines() -> None:
    assert list(lines(SMALL)) == list(lines(SMALL))
    assert list(lines(SMALL)) != list(lines(ShopPlan(40, 30, seed=4)))


def test_two_shops_read_in_turns_do_not_disturb_each_other() -> None:
    first, second = lines(SMALL), lines(SMALL)
    assert all(one == other for one, other in zip(first, second, strict=True))


def test_another_process_with_another_hash_seed_writes_the_same_bytes() -> None:
    program = (
        "import sys\nfrom streams.sources.shop import ShopPlan, lines\n"
        "sys.stdout.buffer.write(b'\\n'.join(lines(ShopPlan(customers=40, days=30, seed=3))))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "99", "TZ": "Asia/Tokyo"}
    written = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True).stdout
    assert sha256(written).digest() == sha256(b"\n".join(lines(SMALL))).digest()


def test_a_large_shop_starts_without_playing_it_to_the_end() -> None:
    assert len(list(islice(events(ShopPlan(2_000, 10_000, seed=1)), 100))) == 100


def test_start_and_currency_are_those_of_the_plan() -> None:
    start = parse_rfc3339("2024-02-28T15:30:00+02:00")
    found = list(events(ShopPlan(60, 20, seed=1, start=start, currency="EUR")))
    assert found
    assert all(start <= parse_rfc3339(str(event["occurred_at"])) < start + 20 * DAY for event in found)
    assert {event["currency"] for event in found if "currency" in event} == {"EUR"}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ShopPlan(0, 1), "customers is 0"),
        (lambda: ShopPlan(1, 0), "days is 0"),
        (lambda: ShopPlan(1, 1_000_000), "must end by 2199"),
        (lambda: ShopPlan(1, 1, seed=-1), "seed is -1"),
        (lambda: ShopPlan(1, 1, duplicates=1.5), "duplicates is 1.5"),
        (lambda: ShopPlan(1, 1, late=-0.1), "late is -0.1"),
        (lambda: ShopPlan(1, 1, broken=float("nan")), "broken is nan"),
        (lambda: ShopPlan(1, 1, currency="gbp"), "currency is 'gbp'"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(make: Callable[[], ShopPlan], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()
