"""`until`: always later than now, never later than the real flip; so each crossing is found at its very instant."""

from bisect import bisect_right
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import DAY, NEVER, Instant
from streams.core.advance import advance
from streams.core.definitions import Definitions
from streams.core.profile import Profile
from tests.oracle import Event
from tests.properties.logs import FEWER, LAST, SETTINGS, fed, in_time, logs, net, times
from tests.properties.rules import DURATIONS, definition_sets
from tests.scenarios.events import decoded
from tests.scenarios.story import shipped

_AGES = (*DURATIONS.values(), *(days * DAY for days in (120, 180, 365)))


def looks(events: Sequence[Event]) -> list[Instant]:
    """Every instant at which an answer may flip, and the microseconds beside it."""
    flips = {decoded(given).occurred_at + age for given in events for age in (0, *_AGES)}
    return sorted({at + beside for at in flips for beside in (-1, 0, 1, 2)})


def profile_at(events: Sequence[Event], now: Instant, definitions: Definitions) -> Profile:
    """What is known of the customer at an instant."""
    profile = Profile("ann")
    for event in map(decoded, events):
        if event.occurred_at <= now:
            advance(profile, event, definitions.rates)
    return profile


def check_untils(definitions: Definitions, log: list[Event], later: Sequence[int]) -> None:
    """Walk through time from the last event on, and hold each answer against those at all instants up to its until."""
    start = max(decoded(given).occurred_at for given in log)
    profile = profile_at(log, start, definitions)
    moments = [at for at in looks(log) if at >= start]
    for segment in definitions.segments:
        answers = [segment.judge(profile, at)[0] for at in moments]
        for now in [start, *(start + more for more in later), *moments[::7]]:
            holds, until = segment.judge(profile, now)
            assert until > now
            first = bisect_right(moments, now)
            last = len(moments) if until == NEVER else bisect_right(moments, until - 1)
            assert all(answer is holds for answer in answers[first:last]), (segment.when, now, until)


@SETTINGS
@given(logs(10), st.lists(times, max_size=3))
def test_the_until_of_a_shipped_rule_is_never_later_than_the_flip(log: list[Event], later: list[int]) -> None:
    check_untils(shipped(), log, later)


@FEWER
@given(definition_sets(), logs(8), st.lists(times, max_size=3))
def test_the_until_of_any_rule_is_never_later_than_the_flip(
    definitions: Definitions, log: list[Event], later: list[int]
) -> None:
    check_untils(definitions, log, later)


@FEWER
@given(definition_sets(), logs(6))
def test_the_crossings_of_any_rule_are_those_that_brute_force_finds(definitions: Definitions, log: list[Event]) -> None:
    """Brute force: at every instant that could matter, the profile from scratch and each rule anew."""
    ordered = in_time(log)
    _, transitions = fed(ordered, definitions, LAST)
    expected: list[tuple[Instant, str, bool]] = []
    before = dict.fromkeys((segment.key for segment in definitions.segments), False)
    for now in looks(log):
        if now < decoded(ordered[0]).occurred_at or now > LAST:
            continue
        profile = profile_at(ordered, now, definitions)
        for segment in definitions.segments:
            holds = segment.judge(profile, now)[0]
            if holds is not before[segment.key]:
                expected.append((now, segment.key, holds))
            before[segment.key] = holds
    found = [(t.effective_at, t.segment.key, t.entered) for t in transitions]
    assert net(found) == set(expected), [segment.when for segment in definitions.segments]


@FEWER
@given(st.data(), definition_sets(), logs(8))
def test_any_rule_gives_the_same_memberships_in_any_order_of_arrival(
    data: st.DataObject, definitions: Definitions, log: list[Event]
) -> None:
    as_of = max(decoded(given).occurred_at for given in log) + data.draw(times)
    plain, _ = fed(in_time(log), definitions, as_of)
    mixed, _ = fed(data.draw(st.permutations([*log, *log[:3]])), definitions, as_of)
    assert set(mixed.since) == set(plain.since), [segment.when for segment in definitions.segments]


def test_no_shipped_rule_holds_for_nobody() -> None:
    assert [segment.key for segment in shipped().segments if segment.judge(Profile("ann"), 0)[0]] == []
