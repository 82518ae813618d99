"""What `why` says about what may come: it must be what happens, and what it names must be behind the values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import DAY, HOUR
from streams.core.definitions import Segment, compile_definitions
from streams.core.language import outlook as module
from streams.core.language.outlook import outlook
from streams.core.profile import Profile
from streams.core.trace import kept, trace
from tests.oracle import Event
from tests.properties.logs import LAST, SETTINGS, fed, logs, times
from tests.scenarios.events import START, bought, contacted, decoded, refunded, viewed
from tests.scenarios.story import shipped


def rule(text: str) -> Segment:
    """A segment with this rule."""
    return compile_definitions(f"[segments.s]\ntitle = 'S'\nwhen = '{text}'\n").segments[0]


def profile(*events: Event) -> Profile:
    """What some events of Ann's come to."""
    return fed([{**event, "customer_id": "ann"} for event in events], shipped(), START)[0].profile


ONE = (bought(0, "o1", 10_00), viewed(DAY))


@pytest.mark.parametrize(
    ("text", "at", "changes", "turning", "unless", "needs"),
    [
        ("orders.count >= 3", DAY, None, (), (), "orders.count >= 3"),
        ("orders.count >= 1", DAY, None, (), (), "not orders.count >= 1"),
        (
            "since(orders.last_at) >= days(30)",
            DAY,
            30 * DAY,
            ("since(orders.last_at) >= days(30)",),
            ("orders",),
            "since(orders.last_at) >= days(30)",
        ),
        (
            "orders.count >= 1 and since(site.last_at) < days(7)",
            2 * DAY,
            8 * DAY,
            ("since(site.last_at) < days(7)",),
            ("site events",),
            "(not orders.count >= 1 or not since(site.last_at) < days(7))",
        ),
        (
            "orders.count >= 2 and (orders.spend > 50 or since(orders.last_at) >= days(30))",
            DAY,
            None,
            (),
            (),
            "(orders.count >= 2 and (orders.spend > 50 or since(orders.last_at) >= days(30)))",
        ),
        (
            "not (orders.count >= 1 and orders.spend > 5)",
            DAY,
            None,
            (),
            (),
            "(not orders.count >= 1 or not orders.spend > 5)",
        ),
        ("orders.count >= 1 or orders.spend > 5000", DAY, None, (), (), "not orders.count >= 1"),
    ],
)
def test_what_may_come_and_what_it_takes(  # a row of the table
    text: str, at: int, changes: int | None, turning: tuple[str, ...], unless: tuple[str, ...], needs: str
) -> None:
    found = outlook(rule(text).rule, profile(*ONE), START + at)
    assert found.changes_at == (None if changes is None else START + changes)
    assert (found.turning, found.unless, found.needs) == (turning, unless, needs)
    assert found.not_before is None


def test_a_change_that_was_not_found_by_asking_is_said_to_be_no_earlier_than_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segment = rule("count(orders, within=days(30)) * 1 >= 1")
    buyer = profile(*(bought(number * DAY, f"o{number}") for number in range(3)))
    assert outlook(segment.rule, buyer, START + 3 * DAY).changes_at == START + 32 * DAY
    monkeypatch.setattr(module, "LOOKS", 1)
    found = outlook(segment.rule, buyer, START + 3 * DAY)
    assert (found.changes_at, found.not_before) == (None, START + 31 * DAY)


@SETTINGS
@given(logs(), times)
def test_what_is_said_to_come_comes_and_nothing_before_it(log: list[Event], at: int) -> None:
    customer, _ = fed(log, shipped(), START)
    for segment in shipped().segments:
        now = max(START + at, customer.profile.seen_at)
        ahead = outlook(segment.rule, customer.profile, now)
        inside = segment.judge(customer.profile, now)[0]
        assert ahead.not_before is None
        if ahead.changes_at is not None:
            assert segment.judge(customer.profile, ahead.changes_at)[0] is not inside
            assert segment.judge(customer.profile, ahead.changes_at - 1)[0] is inside
            assert ahead.turning
        else:
            assert segment.judge(customer.profile, LAST + 10_000 * DAY)[0] is inside


def test_the_events_behind_a_value_are_those_that_touched_its_facts() -> None:
    events = [
        bought(0, "o1"),
        viewed(HOUR),
        bought(2 * HOUR, "o1"),
        refunded(DAY, 100, "o1", "r1"),
        contacted(2 * DAY, "t1"),
    ]
    mine = [decoded({**event, "customer_id": "ann", "id": f"e{number}"}) for number, event in enumerate(events)]
    made = trace("ann", [*mine, *mine[::-1]], shipped().rates)
    clauses = {clause.text: clause for segment in shipped().segments for clause in segment.rule.clauses}
    assert [row["id"] for row in made.behind(clauses["orders.count == 1"].groups)] == ["e0", "e3"]
    assert [row["id"] for row in made.behind(clauses["support.csat <= 2"].groups)] == ["e4"]
    assert [(row["type"], row["id"]) for row in kept(made.profile, clauses["orders.count == 1"].groups)] == [
        ("order", "o1"),
        ("refund", "r1"),
    ]
    assert [row["id"] for row in kept(made.profile, clauses["support.csat <= 2"].groups)] == ["t1"]
    assert kept(made.profile, clauses["email.subscribed"].groups) == []


@SETTINGS
@given(st.data(), logs())
def test_a_trace_ends_in_the_same_profile_whatever_the_order(data: st.DataObject, log: list[Event]) -> None:
    events = [decoded({**event, "customer_id": "ann"}) for event in log]
    shuffled = data.draw(st.permutations(events))
    assert trace("ann", events, shipped().rates).profile == trace("ann", shuffled, shipped().rates).profile
