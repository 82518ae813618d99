"""Neither the order of arrival, nor copies, nor pauses, nor eviction may matter in the end."""

from hypothesis import example, given
from hypothesis import strategies as st

from schemas.instants import DAY
from streams.core.replay import replay
from streams.core.step import Customer, Transition, apply, settle
from tests.oracle import Event, exact_crossings, members, membership
from tests.properties.logs import LAST, SETTINGS, evicted, fed, in_time, logs, net, times, visible
from tests.scenarios.events import START, bought, decoded, viewed
from tests.scenarios.story import shipped


def row(transition: Transition) -> tuple[int, str, bool]:
    return transition.effective_at, transition.segment.key, transition.entered


@SETTINGS
@given(st.data(), logs())
def test_any_order_and_any_copies_end_in_the_same_profile_and_memberships(
    data: st.DataObject, log: list[Event]
) -> None:
    arrival = data.draw(st.permutations([*log, *data.draw(st.lists(st.sampled_from(log), max_size=6))]))
    as_of = max(decoded(given).occurred_at for given in log) + data.draw(times)
    plain, _ = fed(in_time(log), shipped(), as_of)
    mixed, _ = fed(arrival, shipped(), as_of)
    assert visible(mixed.profile) == visible(plain.profile)
    assert set(mixed.since) == set(plain.since) == membership(log, as_of)


@SETTINGS
@given(st.data(), logs())
def test_storing_and_settling_at_any_time_in_between_changes_nothing_in_the_end(
    data: st.DataObject, log: list[Event]
) -> None:
    """Also where the clock has run ahead of events that are still to come."""

    def between(_number: int, customer: Customer) -> tuple[Customer, list[Transition]]:
        found = settle(customer, START + data.draw(times), shipped()) if data.draw(st.booleans()) else []
        return (evicted(customer, shipped()) if data.draw(st.booleans()) else customer), found

    as_of = START + 900 * DAY
    plain, _ = fed(in_time(log), shipped(), as_of)
    mixed, _ = fed(data.draw(st.permutations(log)), shipped(), as_of, between)
    assert visible(mixed.profile) == visible(plain.profile)
    assert set(mixed.since) == set(plain.since)


@SETTINGS
@given(st.data(), logs(), st.booleans())
def test_a_copy_changes_nothing_at_any_distance(data: st.DataObject, log: list[Event], stored: bool) -> None:  # noqa: FBT001 # drawn by Hypothesis
    customer, _ = fed(data.draw(st.permutations(log)), shipped(), START + 900 * DAY)
    if stored:
        customer = evicted(customer, shipped())
    before = visible(customer.profile), dict(customer.since), customer.as_of
    _, transitions = again(customer, data.draw(st.lists(st.sampled_from(log), min_size=1, max_size=5)))
    assert transitions == []
    assert (visible(customer.profile), customer.since, customer.as_of) == before


def again(customer: Customer, copies: list[Event]) -> tuple[Customer, list[Transition]]:
    """The customer after events that it knows."""
    return customer, [t for copy in copies for t in apply(customer, decoded(copy), shipped())]


@SETTINGS
@given(st.data(), logs())
def test_memberships_are_the_oracles_at_any_instant(data: st.DataObject, log: list[Event]) -> None:
    as_of = START + data.draw(times | st.just(900 * DAY))
    found = replay([decoded(given) for given in data.draw(st.permutations(log))], shipped(), as_of)
    assert found.members() == members(log, as_of)


@SETTINGS
@given(logs(8))
@example([bought(0, "o1"), viewed(30 * DAY), bought(90 * DAY, "o2")])
def test_crossings_are_those_of_the_oracle_each_at_its_own_instant(log: list[Event]) -> None:
    _, transitions = fed(in_time(log), shipped(), LAST)
    expected = {(c.at, c.segment, c.entered) for c in exact_crossings(log, LAST)}
    assert net([row(t) for t in transitions]) == expected
    assert [t.effective_at for t in transitions] == sorted(t.effective_at for t in transitions)


@SETTINGS
@given(st.data(), logs(8))
def test_crossings_do_not_depend_on_how_often_one_looks_nor_on_eviction(data: st.DataObject, log: list[Event]) -> None:
    ordered = in_time(log)
    instants = [decoded(given).occurred_at for given in ordered]

    def between(number: int, customer: Customer) -> tuple[Customer, list[Transition]]:
        found: list[Transition] = []
        looks = data.draw(st.lists(st.integers(instants[max(0, number - 1)], instants[number]), max_size=3))
        for look in sorted(looks):
            found += settle(customer, look, shipped())
            if data.draw(st.booleans()):
                customer = evicted(customer, shipped())
        return customer, found

    _, plain = fed(ordered, shipped(), LAST)
    _, watched = fed(ordered, shipped(), LAST, between)
    assert [row(t) for t in watched] == [row(t) for t in plain]
