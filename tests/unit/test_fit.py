"""Fitting: the published parameters of the CDNOW sample, simulated shops, and refusals."""

from math import gamma, log
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner, Result

from schemas.instants import DAY, parse_rfc3339, rfc3339
from streams.cli.main import app
from streams.core.predict.predictor import Predictor
from streams.core.profile import Order, Profile
from streams.fit.errors import ConvergenceError, TooLittleError
from streams.fit.fitting import LEAST_BUYERS, LEAST_REPEATERS, fit
from streams.fit.likelihood import bgnbd, gamma_gamma
from streams.fit.report import report_on
from streams.fit.sample import Sample
from streams.sources.importing import FormatName, import_events

END = 300 * DAY
TRUE = (0.9, 20.0, 0.7, 2.5)
"""r, alpha, a, b, of a simulated shop; the unit is a day."""


def customer(number: int, *orders: tuple[int, int]) -> Profile:
    """Somebody with orders at (instant, minor units)."""
    profile = Profile(f"c{number}")
    profile.orders.by_id = {f"o{n}": Order(at, total) for n, (at, total) in enumerate(orders)}
    profile.orders.derive()
    return profile


def shop(buyers: int, seed: int, end: int = END) -> list[Profile]:
    """Customers who behave as BG/NBD and Gamma-Gamma say: p 5, q 4, v 30."""
    dice = np.random.default_rng(seed)
    r, alpha, a, b = TRUE
    profiles = []
    for number in range(buyers):
        rate, dropout, level = dice.gamma(r) / alpha, dice.beta(a, b), dice.gamma(4.0) / 30.0
        at, orders = dice.uniform(0, 60) * DAY, []
        while at < end:
            orders.append((int(at), max(1, round(100 * dice.gamma(5.0) / level))))
            if dice.random() < dropout and len(orders) > 1:
                break
            at += dice.exponential(1 / rate) * DAY
        profiles.append(customer(number, *orders))
    return profiles


def sample(profiles: list[Profile], as_of: int) -> Sample:
    taken = Sample(as_of)
    for profile in profiles:
        taken.add(profile)
        taken.hold_out(profile)
    return taken


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["fit", *arguments])


def lines(profiles: list[Profile], path: Path) -> str:
    """A file of those customers' orders."""
    rows = [
        {
            "id": f"{profile.id}-{key}",
            "type": "order.placed",
            "version": 1,
            "occurred_at": rfc3339(order.placed_at or 0),
            "source": "test",
            "customer_id": profile.id,
            "order_id": f"{profile.id}-{key}",
            "total": order.total,
            "currency": "GBP",
        }
        for profile in profiles
        for key, order in profile.orders.by_id.items()
    ]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return str(path)


def beta(one: float, two: float) -> float:
    return gamma(one) * gamma(two) / gamma(one + two)


def test_the_likelihoods_are_those_of_the_papers_in_plain_arithmetic() -> None:
    r, alpha, a, b, x, recency, age = 0.4, 5.0, 0.8, 2.5, 3.0, 20.0, 30.0
    shared = gamma(r + x) * alpha**r / gamma(r)
    living = beta(a, b + x) / beta(a, b) * shared / (alpha + age) ** (r + x)
    gone = beta(a + 1, b + x - 1) / beta(a, b) * shared / (alpha + recency) ** (r + x)
    columns = [np.array([value]) for value in (x, recency, age)]
    assert bgnbd((r, alpha, a, b), *columns)[0] == pytest.approx(log(living + gone))
    p, q, v, mean = 5.0, 4.0, 3.0, 6.0
    density = gamma(p * x + q) / gamma(p * x) / gamma(q) * v**q * mean ** (p * x - 1) * x ** (p * x)
    density /= (v + x * mean) ** (p * x + q)
    assert gamma_gamma((p, q, v), np.array([x]), np.array([mean]))[0] == pytest.approx(log(density))


def test_the_parameters_of_a_simulated_shop_are_found_again_and_its_holdout_is_foretold() -> None:
    profiles = shop(4_000, seed=1, end=2 * END)
    taken = sample(profiles, END)
    found = fit(taken, "day", "GBP", 5)
    model, money = found.bgnbd, found.gamma_gamma
    assert (model.r, model.alpha) == pytest.approx(TRUE[:2], rel=0.1)
    assert model.a / (model.a + model.b) == pytest.approx(TRUE[2] / (TRUE[2] + TRUE[3]), rel=0.1)
    assert money.p * money.v / (money.q - 1) == pytest.approx(5 * 30 / 3, rel=0.05)
    assert (found.customers, found.fitted_at, found.as_of, found.unit) == (4_000, 5, END, "day")
    report = report_on(found, taken)
    actual, expected = report.held_out
    assert actual == sum(len(buyer.later) for buyer in taken.buyers.values()) > 1_000
    assert expected == pytest.approx(actual, rel=0.1)
    assert report.tracking.actual[-1] == actual + sum(len(buyer.repeats) for buyer in taken.buyers.values())
    assert sum(group.buyers for group in report.groups) == 4_000


@pytest.mark.data
def test_the_published_parameters_of_cdnow_come_out(shared_data: Path, tmp_path: Path) -> None:
    events = tmp_path / "cdnow.jsonl"
    with events.open("wb") as sink:
        import_events(FormatName.CDNOW, shared_data / "cdnow_sample.txt.gz", sink)
    result = run(str(events), "--as-of", "1997-09-30T00:00:00Z", "--unit", "week", "--json")
    assert result.exit_code == 0, result.output
    found = orjson.loads(result.stdout)
    assert set(found) == {"customers", "bgnbd", "gamma_gamma"}
    assert found["customers"] == 2_357
    assert {name: float(f"{value:.5g}") for name, value in found["bgnbd"].items()}["log_likelihood"] == -9582.4
    for name, published in {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}.items():
        assert found["bgnbd"][name] == pytest.approx(published, abs=0.0005), name
    for name, published in {"p": 6.25, "q": 3.74, "v": 15.44}.items():
        assert found["gamma_gamma"][name] == pytest.approx(published, abs=0.005), name


def test_a_file_and_its_profiles_give_the_same_parameters_and_a_picture(tmp_path: Path) -> None:
    profiles, as_of = shop(600, seed=3), 250 * DAY
    events = lines(profiles, tmp_path / "events.jsonl")
    out, plot = tmp_path / "models.json", tmp_path / "fit.svg"
    result = run(events, "--as-of", rfc3339(as_of), "--unit", "day", "--out", str(out), "--plot", str(plot))
    assert result.exit_code == 0, result.output
    assert "holdout of 49 days" in result.stdout
    assert plot.read_text().lstrip().startswith("<?xml")
    written = orjson.loads(out.read_bytes())
    expected = fit(sample(profiles, as_of), "day", "GBP", 0).model_dump(mode="json")
    assert written["bgnbd"] == expected["bgnbd"]
    assert written["gamma_gamma"] == expected["gamma_gamma"]
    assert (written["version"], written["as_of"], written["currency"]) == (0, rfc3339(as_of), "GBP")


def test_too_little_is_refused_with_what_there_is_and_what_it_takes(tmp_path: Path) -> None:
    few = shop(LEAST_BUYERS - 1, seed=5)
    with pytest.raises(TooLittleError, match=f"{LEAST_BUYERS - 1} customers have bought"):
        fit(sample(few, END), "week", "GBP", 0)
    once = [customer(number, (DAY, 500)) for number in range(500)]
    with pytest.raises(TooLittleError, match="0 of them on more than one day"):
        fit(sample(once, END), "week", "GBP", 0)
    free = shop(300, seed=6)
    for profile in free:
        for key, order in profile.orders.by_id.items():
            order.total = order.total if key == "o0" else 0
    with pytest.raises(TooLittleError, match=f"0 customers paid something .* at least {LEAST_REPEATERS}"):
        fit(sample(free, END), "week", "GBP", 0)
    result = run(lines(few, tmp_path / "few.jsonl"), "--as-of", rfc3339(END), "--out", str(tmp_path / "models.json"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert not (tmp_path / "models.json").exists()


def test_a_shop_where_nobody_stops_is_fitted_and_said_to_be_one() -> None:
    dice = np.random.default_rng(9)
    steady = [
        customer(n, *((int(day * DAY), 900 + n) for day in range(n % 9, 120, int(dice.integers(4, 9)))))
        for n in range(150)
    ]
    taken = sample(steady, 120 * DAY)
    found = fit(taken, "week", "GBP", 0)
    assert report_on(found, taken).nobody_stops
    assert Predictor(found).alive(taken.buyers["c0"].purchases, 130 * DAY) > 0.99
    assert found.gamma_gamma.p * found.gamma_gamma.v / (found.gamma_gamma.q - 1) == pytest.approx(9.75, rel=0.02)


def test_what_no_parameters_can_explain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.fit.fitting.bgnbd", lambda _given, x, *_rest: np.full_like(x, np.nan))
    with pytest.raises(ConvergenceError, match="BG/NBD does not fit"):
        fit(sample(shop(300, seed=2), END), "week", "GBP", 0)


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    result = run(str(tmp_path / "nothing.jsonl"), "--plot", "fit.txt")
    assert result.exit_code == 2
    assert "must end in one of" in result.output


def test_without_its_extra_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.cli.fitting.find_spec", lambda name: None if name == "scipy" else name)
    result = run("events.jsonl")
    assert result.exit_code == 1
    assert result.stderr == "fitting needs scipy; install the extra: pip install 'live-segments[fit]'\n"


def test_what_came_later_is_no_part_of_the_sample() -> None:
    taken = sample([customer(1, (DAY, 100), (5 * DAY, 100), (9 * DAY, 100)), customer(2, (9 * DAY, 100))], 5 * DAY + 7)
    assert taken.buyers.keys() == {"c1"}
    assert (taken.buyers["c1"].purchases.repeats, taken.buyers["c1"].later) == (1, (9 * DAY,))
    assert (taken.holdout, taken.age(taken.buyers["c1"])) == (4 * DAY, 4 * DAY)
    assert parse_rfc3339("1970-01-06T00:00:00Z") == taken.today
