"""The benchmark's own parts: the load is what it says, probes tell their age, percentiles and checks count right."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from bench import pacing
from bench.checking import differences, expected, in_sample
from bench.disturbed import Wave, shoppers
from bench.latency import percentile
from bench.load import MIX, LoadPlan, generate
from bench.pacing import Pace
from bench.peers.faust_event_by_event import freeze, thaw
from bench.throughput import Contest
from schemas.instants import DAY, parse_rfc3339
from schemas.wire import decode, route
from streams.core.replay import replay
from tests.integration.system import definitions

UNTIL = parse_rfc3339("2026-03-01T00:00:00Z")
ABANDONER = "cart_abandoner"
PLAN = LoadPlan(events=4_000, customers=80, until=UNTIL)
PACE = Pace(kafka="", prefix="", rate=100, seconds=2.5, probe_every=5, customers=10, first_new=1_000)


def test_every_generated_event_is_valid_on_its_own_topic_and_keyed_by_its_customer() -> None:
    for message in generate(PLAN):
        assert route(message.value) == (message.topic, message.key)


def test_events_are_in_order_evenly_spaced_and_none_is_later_than_the_plans_end() -> None:
    instants = [decode(message.value).occurred_at for message in generate(PLAN)]
    assert len(instants) == PLAN.events
    assert {later - earlier for earlier, later in pairwise(instants)} == {60 * DAY // 4_000}
    assert instants[-1] == UNTIL
    assert instants[0] >= UNTIL - 60 * DAY


def test_ids_of_events_are_all_different() -> None:
    assert len({decode(message.value).id for message in generate(PLAN)}) == PLAN.events


def test_the_mix_is_a_tenth_orders_and_a_twentieth_contacts() -> None:
    topics = Counter(message.topic for message in generate(PLAN))
    assert sum(share for _maker, share in MIX) == 100
    assert topics["orders"] / PLAN.events == pytest.approx(0.10, abs=0.02)
    assert topics["support-contacts"] / PLAN.events == pytest.approx(0.05, abs=0.02)


def test_the_same_plan_makes_the_same_events_and_another_seed_makes_others() -> None:
    assert list(generate(PLAN)) == list(generate(PLAN))
    assert list(generate(PLAN)) != list(generate(LoadPlan(4_000, 80, UNTIL, seed=2)))


def test_an_exact_plan_gives_every_customer_equally_many_events() -> None:
    counts = Counter(message.key for message in generate(LoadPlan(800, 80, UNTIL, exact=True)))
    assert set(counts.values()) == {10}
    assert len(counts) == 80


def test_the_peers_log_has_as_many_events_for_each_customer_over_as_long_a_time() -> None:
    small = Contest(LoadPlan(1_000_000, 20_000, UNTIL), peer_events=30_000, check_one_in=1, repeats=1).peer_plan
    assert (small.events, small.customers) == (30_000, 600)
    assert (small.span, small.until) == (60 * DAY, UNTIL)


def test_a_probe_tells_when_it_was_sent_and_makes_a_new_customer_a_first_time_buyer() -> None:
    at = 1_700_000_000_123_456_789
    event = decode(pacing.probe(at, "c1").value)
    assert pacing.sent_at(event.id) == at
    run = replay([event], definitions())
    assert "first_time_buyer" in [transition.segment.key for _who, transition in run.transitions]


@pytest.mark.parametrize("seconds", [2.5, 2.51, 2.54])
def test_a_pace_says_how_many_probes_it_sends_also_where_its_events_are_no_multiple(seconds: float) -> None:
    pace = Pace("", "", 100, seconds, 5, 10, 1_000)
    sent = [pacing.message(pace, number, Random(1)) for number in range(pace.events)]  # noqa: S311
    assert sum(pacing.sent_at(decode(message.value).id) is not None for message in sent) == pace.probes


def test_a_waves_customers_abandon_their_carts_at_one_and_the_same_instant() -> None:
    events = [decode(message.value) for message in shoppers(20, UNTIL)]
    assert not [who for who, t in replay(events, definitions(), UNTIL - 1).transitions if t.segment.key == ABANDONER]
    crossings = [t for _who, t in replay(events, definitions(), UNTIL).transitions if t.segment.key == ABANDONER]
    assert [crossing.effective_at for crossing in crossings] == [UNTIL] * 20


def test_a_wave_counts_its_crossings_and_nothing_else() -> None:
    wave = Wave(UNTIL)
    for number, (segment, kind) in enumerate([(ABANDONER, "time"), (ABANDONER, "event"), ("lapsed", "time")]):
        wave.heard({"segment": segment, "cause": {"kind": kind}}, 100 + number)
    assert (wave.seen, wave.last) == (1, 100)


@pytest.mark.parametrize("event_id", ["e1", "", None])
def test_an_event_that_is_no_probe_has_no_sending_time(event_id: str | None) -> None:
    assert pacing.sent_at(event_id) is None


def test_a_pace_sends_as_many_probes_as_it_says_each_of_a_customer_of_its_own() -> None:
    events = [decode(pacing.message(PACE, number, Random(1)).value) for number in range(PACE.events)]  # noqa: S311
    probes = [event for event in events if pacing.sent_at(event.id) is not None]
    assert len(probes) == PACE.probes == 50
    assert len({event.customer_id for event in probes}) == 50
    assert len({event.id for event in events}) == PACE.events == 250


@pytest.mark.parametrize(
    ("values", "share", "expected_value"),
    [([7], 0.5, 7), ([4, 1, 3, 2], 0.5, 2), (list(range(1, 101)), 0.99, 99), (list(range(1, 1_001)), 0.999, 999)],
)
def test_a_percentile_is_the_smallest_value_that_the_share_does_not_exceed(
    values: list[int], share: float, expected_value: int
) -> None:
    assert percentile(values, share) == expected_value


def test_the_expected_members_of_a_sample_are_those_of_all_without_the_others() -> None:
    everybody, some = expected(generate(PLAN), UNTIL), expected(generate(PLAN), UNTIL, one_in=4)
    assert some == {key: [who for who in ids if in_sample(who, 4)] for key, ids in everybody.items()}
    assert sum(map(len, everybody.values())) > sum(map(len, some.values())) > 0


def test_differences_count_memberships_that_are_missing_or_too_many() -> None:
    assert differences({"vip": ["a", "b"], "lapsed": []}, {"vip": ["b", "c"], "lapsed": ["a"]}) == 3


def test_the_peers_stored_customer_comes_back_as_it_was() -> None:
    run = replay([decode(message.value) for message in generate(PLAN)], definitions())
    for name, customer in run.customers.items():
        assert thaw(name, freeze(customer)) == customer
