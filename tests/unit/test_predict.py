"""The models' formulas: against the papers' figures, their closed forms in scipy, and plain quadrature."""

import math
from itertools import pairwise, product

import pytest

from schemas.errors import ParametersError
from schemas.instants import DAY, NEVER
from schemas.parameters import ModelParameters, read_parameters
from streams.core.definitions import compile_definitions
from streams.core.predict.crossing import first_passed
from streams.core.predict.mixture import expected_orders
from streams.core.predict.predictor import LONGEST, Predictor
from streams.core.predict.purchases import Purchases, purchases_of
from streams.core.profile import Order, Profile
from tests.models import CDNOW, parameters
from tests.oracle_predictions import Forecast

WEEK = 7 * DAY
SHOPS = [
    CDNOW,
    parameters(r=1.5, alpha=10, a=0.1, b=0.8),
    parameters(r=0.05, alpha=0.5, a=3, b=5),
    parameters(r=5, alpha=30, a=0.5, b=400, unit="day"),
    parameters(r=0.3, alpha=4, a=1.3, b=0.6),
]


def bought_on(*days: int, value: int = 2_000) -> Purchases:
    """One order on each of some days."""
    profile = Profile("ann")
    profile.orders.by_id = {f"o{day}": Order(day * DAY, value) for day in days}
    profile.orders.derive()
    found = purchases_of(profile.orders)
    assert found is not None
    return found


def test_the_first_customer_of_the_paper_is_expected_to_buy_1_226_times_in_39_weeks() -> None:
    """Source: Fader, Hardie, Lee, "Implementing the BG/NBD Model … in Excel" (2005): x = 2, t_x = 30.43, T = 38.86."""
    first = Purchases(0, 2, 213 * DAY, 0.0)
    assert Predictor(CDNOW).orders(39 * WEEK)(first, 272 * DAY) == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: f"a={shop.bgnbd.a}")
def test_predictions_are_those_of_the_closed_forms(shop: ModelParameters) -> None:
    predictor, models = Predictor(shop), shop.model_dump()
    for days, later, horizon in product([(0,), (0, 9), (3, 5, 40, 200)], [0, 3, 90, 2_000], [7 * DAY, 365 * DAY]):
        now = (days[-1] + later) * DAY + 7
        forecast = Forecast([(day * DAY + 5, 2_000) for day in days], now, models)
        purchases = bought_on(*days)
        assert predictor.alive(purchases, now) == pytest.approx(forecast.alive(), rel=1e-12)
        assert predictor.orders(horizon)(purchases, now) == pytest.approx(forecast.orders(horizon), rel=1e-7)
        assert predictor.order_value(purchases) == pytest.approx(100 * forecast.order_value(), rel=1e-12)
        worth = predictor.lifetime_value(horizon, 0.15)(purchases, now)
        assert worth == pytest.approx(100 * forecast.lifetime_value(horizon, 0.15), rel=1e-7)


def test_the_integral_has_no_hole_at_a_1_and_does_not_overflow_for_who_buys_often() -> None:
    beside = [expected_orders(1 + off, 3.4, 1.2, 0.7) for off in (-1e-6, 0.0, 1e-6)]
    assert beside[1] == pytest.approx((beside[0] + beside[2]) / 2, rel=1e-9)
    assert 1_000 < expected_orders(0.793, 152.4, 150.2, 118.0) < 1_500


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: f"a={shop.bgnbd.a}")
def test_nothing_rises_while_a_customer_only_waits(shop: ModelParameters) -> None:
    predictor = Predictor(shop)
    worth, orders = predictor.lifetime_value(365 * DAY, 0.1), predictor.orders(30 * DAY)
    for purchases in (bought_on(0), bought_on(0, 1), bought_on(0, 20, 30, 31)):
        moments = [31 * DAY + round(1.3**step) for step in range(120)]
        for value in (predictor.alive, orders, worth):
            found = [value(purchases, now) or 0.0 for now in moments]
            assert all(later <= earlier * (1 + 1e-12) for earlier, later in pairwise(found))


def test_a_day_counts_once_with_all_its_orders_less_what_came_back_of_them() -> None:
    profile = Profile("ann")
    profile.orders.by_id = {
        "a": Order(DAY + 5, 1_000),
        "b": Order(3 * DAY, 2_000),
        "c": Order(4 * DAY - 1, 500),
        "d": Order(9 * DAY, 4_000),
        "gone": Order(20 * DAY, 100, cancelled=True),
    }
    profile.orders.refunds = {"r": (0, 700, "d"), "credit note": (0, 50, "")}
    profile.orders.derive()
    assert purchases_of(profile.orders) == Purchases(DAY, 2, 8 * DAY, (2_500 + 3_300) / 2)
    profile.orders.add_counting(30 * DAY, "a", 0)
    found = purchases_of(profile.orders)
    assert found is not None
    assert found.recency == 29 * DAY
    assert purchases_of(Profile("nobody").orders) is None


def test_an_order_value_without_an_expectation_is_missing() -> None:
    predictor = Predictor(parameters(q=0.8))
    assert predictor.order_value(bought_on(0)) is None
    assert predictor.lifetime_value(DAY, 0.0)(bought_on(0), DAY) is None
    assert predictor.order_value(bought_on(0, 1)) is not None


def test_somebody_a_million_times_too_old_is_simply_gone() -> None:
    assert Predictor(parameters(r=300, alpha=1e-9)).alive(Purchases(0, 500, 0, 0.0), LONGEST) == 0.0


@pytest.mark.parametrize("flip", [-5, 0, 1, 12_345_678_901_234])
@pytest.mark.parametrize("guess", [-10_000, 0, 2, 10**13])
def test_a_crossing_is_found_from_any_guess(flip: int, guess: int) -> None:
    looks = []

    def passed(at: int) -> bool:
        looks.append(at)
        return at >= flip

    assert first_passed(passed, guess) == flip
    assert len(looks) < 120


def test_what_never_passes_is_given_up_after_centuries() -> None:
    assert first_passed(lambda _at: False, 5) == NEVER


@pytest.mark.parametrize("probability", [0.05, 0.3, 0.7])
def test_the_formula_solved_for_time_says_when_alive_falls_so_far(probability: float) -> None:
    predictor, purchases = Predictor(CDNOW), bought_on(0, 30, 45)
    at = predictor.death(purchases, probability)
    assert at is not None
    assert predictor.alive(purchases, at) == pytest.approx(probability, rel=1e-9)
    assert predictor.death(bought_on(0), probability) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "Invalid JSON"),
        (b"{}", "fitted_at: Field required"),
        (CDNOW.model_dump_json().replace("0.243", "-1").encode(), "bgnbd.r"),
        (CDNOW.model_dump_json().replace("0.243", "NaN").encode(), "finite"),
        (CDNOW.model_dump_json().replace('"week"', '"fortnight"').encode(), "unit"),
    ],
)
def test_what_are_no_parameters_is_refused_with_the_place(text: bytes, words: str) -> None:
    with pytest.raises(ParametersError, match=f"^models.json holds no model parameters: .*{words}"):
        read_parameters(text, "models.json")


def test_parameters_are_read_as_they_were_written() -> None:
    assert read_parameters(CDNOW.model_dump_json(), "x") == CDNOW
    assert math.isclose(CDNOW.bgnbd.r, 0.243)


def test_before_the_first_purchase_a_crossing_is_looked_for_all_the_same() -> None:
    definitions = compile_definitions(
        "[segments.s]\ntitle = 's'\nwhen = 'predicted.orders(days(30)) > 0.1'\n", parameters(alpha=1e-3)
    )
    profile = Profile("ann")
    profile.orders.by_id = {"o": Order(50 * DAY, 100)}
    profile.orders.derive()
    holds, until = definitions.segments[0].judge(profile, 0)
    assert holds
    assert definitions.segments[0].judge(profile, until) == (False, NEVER)
