"""The synthetic shop: late, repeated and broken lines are what they say, at the stated rates."""

from collections import Counter
from functools import cache
from typing import Annotated

import orjson
import pytest
from pydantic import Field, TypeAdapter, ValidationError

from schemas.errors import Reason, UndecodableError
from schemas.events import AnyEvent
from schemas.instants import DAY, MINUTE, parse_rfc3339
from schemas.wire import decode
from streams.sources.shop import Line, Mark, ShopPlan, events, lines, marked_lines
from streams.sources.shop_breakage import BREAKAGES, break_line
from streams.sources.shop_plan import Part

ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="type")])
SHOP = ShopPlan(customers=200, days=90, seed=11, duplicates=0.03, late=0.05, broken=0.02)
SENSIBLE = parse_rfc3339("2199-01-01T00:00:00Z")


@cache
def shop_lines() -> tuple[Line, ...]:
    return tuple(marked_lines(SHOP))


@cache
def clean() -> tuple[bytes, ...]:
    return tuple(orjson.dumps(event) for event in events(SHOP))


def marked(*marks: Mark) -> list[Line]:
    return [line for line in shop_lines() if line.mark in marks]


def test_lines_are_the_marked_lines() -> None:
    assert list(lines(SHOP)) == [line.raw for line in shop_lines()]


def test_no_line_is_empty_or_has_a_line_end_in_it() -> None:
    assert all(line.raw.strip() and b"\n" not in line.raw and b"\r" not in line.raw for line in shop_lines())


def test_every_clean_event_comes_exactly_once_apart_from_its_duplicates() -> None:
    assert sorted(line.raw for line in marked(Mark.CLEAN, Mark.LATE)) == sorted(clean())


def test_lines_that_are_not_late_come_in_order_of_time() -> None:
    kept = [line.raw for line in marked(Mark.CLEAN)]
    late = {line.raw for line in marked(Mark.LATE)}
    assert kept == [raw for raw in clean() if raw not in late]


@pytest.mark.parametrize(
    ("mark", "rate"), [(Mark.DUPLICATE, SHOP.duplicates), (Mark.LATE, SHOP.late), (Mark.BROKEN, SHOP.broken)]
)
def test_the_stated_rates_hold(mark: Mark, rate: float) -> None:
    assert len(marked(mark)) == pytest.approx(rate * len(clean()), rel=0.15)


@pytest.mark.parametrize("seed", range(3))
def test_the_default_rates_hold(seed: int) -> None:
    counted = Counter(line.mark for line in marked_lines(ShopPlan(300, 90, seed=seed)))
    known = counted[Mark.CLEAN] + counted[Mark.LATE]
    assert counted[Mark.DUPLICATE] / known == pytest.approx(0.01, rel=0.25)
    assert counted[Mark.LATE] / known == pytest.approx(0.01, rel=0.25)
    assert counted[Mark.BROKEN] / known == pytest.approx(0.001, rel=0.6)


def test_late_lines_come_after_a_younger_one_by_minutes_to_days() -> None:
    newest = 0
    delays: list[int] = []
    for line in shop_lines():
        if line.mark is Mark.LATE:
            assert line.instant < newest
            delays.append(newest - line.instant)
        elif line.mark is Mark.CLEAN:
            assert line.instant >= newest
            newest = max(newest, line.instant)
    assert min(delays) < 10 * MINUTE
    assert DAY < max(delays) < 4 * DAY


def test_duplicates_repeat_an_earlier_line_byte_for_byte_near_and_far() -> None:
    places: dict[bytes, int] = {}
    distances: list[int] = []
    for place, line in enumerate(shop_lines()):
        if line.mark is Mark.DUPLICATE:
            distances.append(place - places[line.raw])
        else:
            places[line.raw] = place
    assert min(distances) == 1
    assert max(distances) > 1_000
    assert 0.3 < sum(distance == 1 for distance in distances) / len(distances) < 0.6


def test_broken_lines_are_of_every_reason_and_of_many_forms() -> None:
    broken = marked(Mark.BROKEN)
    assert {line.reason for line in broken} == {reason for reason, _ in BREAKAGES}
    assert len({line.raw for line in broken}) > len(broken) / 2


def test_every_broken_line_is_refused_for_its_reason() -> None:
    for line in marked(Mark.BROKEN):
        if line.reason is Reason.FUTURE:
            # The schema knows no clock: the classifier compares it with the allowed skew.
            assert decode(line.raw).occurred_at > SENSIBLE
            continue
        with pytest.raises(UndecodableError) as refused:
            decode(line.raw)
        assert refused.value.reason is line.reason


def test_only_a_missing_customer_and_a_far_future_pass_the_schema() -> None:
    for line in marked(Mark.BROKEN):
        if line.reason is Reason.NO_CUSTOMER:
            event = ADAPTER.validate_json(line.raw)
            assert event.customer_id is None
            assert event.anonymous_id is None
        elif line.reason is not Reason.FUTURE:
            with pytest.raises(ValidationError):
                ADAPTER.validate_json(line.raw)


@pytest.mark.parametrize("way", range(len(BREAKAGES)), ids=[way.__name__.strip("_") for _, way in BREAKAGES])
def test_each_way_to_break_a_line_is_refused_whatever_the_line(way: int) -> None:
    rng = SHOP.stream(Part.BROKEN)
    one_of_each = {line.type: line.raw for line in marked(Mark.CLEAN)}
    for good in list(one_of_each.values()) * 10:
        reason, raw = break_line(rng, good, way)
        assert b"\n" not in raw
        if reason is Reason.FUTURE:
            assert decode(raw).occurred_at > SENSIBLE
            continue
        with pytest.raises(UndecodableError) as refused:
            decode(raw)
        assert refused.value.reason is reason, raw


def test_without_faults_the_lines_are_the_clean_events() -> None:
    plan = ShopPlan(60, 30, seed=2, duplicates=0, late=0, broken=0)
    assert list(lines(plan)) == [orjson.dumps(event) for event in events(plan)]


def test_faults_do_not_change_what_happens() -> None:
    calm, wild = (ShopPlan(60, 30, seed=2, duplicates=rate, late=rate, broken=rate) for rate in (0, 1))
    assert list(events(calm)) == list(events(wild))
    counted = Counter(line.mark for line in marked_lines(wild))
    known = counted[Mark.CLEAN] + counted[Mark.LATE]
    assert known == counted[Mark.DUPLICATE] == counted[Mark.BROKEN] == len(list(events(calm)))
    assert counted[Mark.LATE] > known / 2
