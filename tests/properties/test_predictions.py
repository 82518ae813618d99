"""Rules about predictions: against the papers' formulas at any instant, each crossing at its very microsecond."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from schemas.instants import DAY, NEVER, Instant
from streams.core.definitions import Definitions, compile_definitions
from streams.core.language.rule import Rule
from streams.core.profile import Profile
from tests.models import CDNOW, parameters
from tests.oracle import Event, membership
from tests.oracle_predictions import Forecast, Purchase
from tests.properties.logs import FEWER, SETTINGS, SPAN, evicted, fed, in_time, logs, times
from tests.scenarios.events import START, bought, decoded
from tests.scenarios.story import shipped

SHOPS = [CDNOW, parameters(r=0.9, alpha=20, a=0.5, b=1.5, unit="day"), parameters(r=2, alpha=9, a=1.6, b=0.4)]
NEAR = 1e-6
"""Relative: so near a threshold, rounding decides; the crossings are held to the microsecond by the rule itself."""


class Asked(NamedTuple):
    """A comparison as a rule has it, and what the formulas say of its left side."""

    text: str
    symbol: str
    threshold: float
    value: Callable[[Forecast], float]

    @property
    def rule(self) -> str:
        return f"{self.text} {self.symbol} {self.threshold}"

    def holds(self, forecast: Forecast) -> bool | None:
        """The answer; None where it is too near to say."""
        value = self.value(forecast)
        if abs(value - self.threshold) <= NEAR * self.threshold:
            return None
        return (value > self.threshold) == (self.symbol in {">", ">="})


@cache
def compiled(rule: str, shop: int) -> Rule:
    text = f"[segments.s]\ntitle = 's'\nwhen = '{rule}'\n"
    return compile_definitions(text, SHOPS[shop]).segments[0].rule


@cache
def shipped_with(shop: int) -> Definitions:
    """The shipped segments, with parameters."""
    return compile_definitions((Path(__file__).parents[2] / "segments.toml").read_text(encoding="utf-8"), SHOPS[shop])


_symbols = st.sampled_from(["<", "<=", ">", ">="])
_asked = st.one_of(
    st.builds(
        Asked, st.just("predicted.alive"), _symbols, st.sampled_from([0.05, 0.3, 0.5, 0.9]), st.just(Forecast.alive)
    ),
    st.builds(
        Asked,
        st.just("predicted.orders(days(30))"),
        _symbols,
        st.sampled_from([0.01, 0.1, 0.5, 1.5]),
        st.just(lambda forecast: forecast.orders(30 * DAY)),
    ),
    st.builds(
        Asked,
        st.just("predicted.lifetime_value(days(365), discount=0.2)"),
        _symbols,
        st.sampled_from([5.0, 50.0, 200.0]),
        st.just(lambda forecast: forecast.lifetime_value(365 * DAY, 0.2)),
    ),
    st.builds(
        Asked, st.just("predicted.order_value"), _symbols, st.sampled_from([20.0, 40.0]), st.just(Forecast.order_value)
    ),
)
_shops = st.integers(0, len(SHOPS) - 1)
_days = st.lists(st.integers(0, 400), min_size=1, max_size=8)
_waits = st.lists(
    st.builds(lambda base, power: round(base * 2.0**power), st.integers(1, 7), st.integers(0, 52)), max_size=4
)


def profile_of(days: list[int]) -> tuple[Profile, list[Purchase]]:
    """A customer who paid 40.00 on each of some days, and their orders as the oracle takes them."""
    log = [bought(day * DAY + 3_600, f"o{number}", 40_00) for number, day in enumerate(days)]
    customer, _ = fed(in_time(log), compile_definitions("[segments.s]\ntitle = 's'\nwhen = 'True'\n"))
    return customer.profile, [(START + day * DAY + 3_600, 40_00) for day in days]


@SETTINGS
@given(_asked, _shops, _days, _waits)
def test_a_comparison_is_what_the_formulas_say_at_any_instant(
    asked: Asked, shop: int, days: list[int], waits: list[int]
) -> None:
    profile, orders = profile_of(days)
    rule = compiled(asked.rule, shop)
    for wait in waits:
        now = START + max(days) * DAY + 3_600 + wait
        expected = asked.holds(Forecast(orders, now, SHOPS[shop].model_dump()))
        assert expected is None or rule.judge(profile, now)[0] is expected


@SETTINGS
@given(_asked, _shops, _days, _waits)
def test_the_answer_holds_up_to_its_until_and_is_the_other_one_there(
    asked: Asked, shop: int, days: list[int], waits: list[int]
) -> None:
    profile, _ = profile_of(days)
    rule, start = compiled(asked.rule, shop), START + max(days) * DAY + 3_600
    holds, until = rule.judge(profile, start)
    assert until > start
    if until < NEVER:
        assert rule.judge(profile, until - 1) == (holds, until)
        assert rule.judge(profile, until) == (not holds, NEVER)
    for now in (start + wait for wait in waits):
        assert rule.judge(profile, now)[0] is (holds if now < until else not holds)


@FEWER
@given(_shops, logs(10), times)
def test_memberships_are_those_of_the_oracle(shop: int, log: list[Event], later: int) -> None:
    definitions, models = shipped_with(shop), SHOPS[shop].model_dump()
    as_of = max(decoded(event).occurred_at for event in log) + later
    expected = membership(log, as_of, models)
    found, _ = fed(in_time(log), definitions, as_of)
    assert set(found.since) == expected
    again, _ = fed(log, definitions, as_of, lambda _number, customer: (evicted(customer, definitions), []))
    assert set(again.since) == expected


@FEWER
@given(_shops, logs(8))
def test_walking_from_due_time_to_due_time_misses_no_crossing(shop: int, log: list[Event]) -> None:
    definitions, end = shipped_with(shop), START + 2 * SPAN
    _, transitions = fed(in_time(log), definitions, end)
    customer, _ = fed(in_time(log), definitions)
    looks: list[Instant] = sorted({transition.effective_at for transition in transitions})
    for at in (look + beside for look in looks for beside in (-1, 0) if look + beside >= customer.as_of):
        held = dict.fromkeys(definitions.positions, False)
        for transition in transitions:
            if transition.effective_at <= at:
                held[transition.segment.key] = transition.entered
        if at >= max(decoded(event).occurred_at for event in log):
            answers = {one.key: one.judge(customer.profile, at)[0] for one in definitions.segments}
            assert answers == held


def test_without_parameters_nobody_is_in_them() -> None:
    log = [bought(day * DAY, f"o{day}", 90_00) for day in (0, 3, 5, 9)]
    customer, _ = fed(log, shipped(), START + 3 * SPAN)
    assert not {"likely_to_churn", "likely_to_buy", "predicted_high_ltv"} & set(customer.since)
