"""Discovery: known groups are found again, rules do what is said of them, and refusals."""

from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from schemas.instants import DAY, HOUR, MINUTE, Instant, parse_rfc3339, rfc3339
from schemas.wire import decode
from streams.cli.main import app
from streams.core.admission import profile_id_of
from streams.core.advance import advance
from streams.core.definitions import Definitions, compile_definitions
from streams.core.errors import Fault, RuleError
from streams.core.language.parse import parse_rule
from streams.core.language.rule import Rule
from streams.core.language.terms import Kind
from streams.core.profile import Order, Profile
from streams.core.replay import replay
from streams.discover.candidates import candidates
from streams.discover.clustering import cluster
from streams.discover.errors import TooLittleError
from streams.discover.features import features
from streams.discover.population import LEAST_CUSTOMERS, Population, population_of
from streams.discover.tree import Box, Gap, boxes_of
from streams.discover.wording import roundest, rule_of
from streams.settings import Settings
from streams.sources.files import open_events
from streams.sources.importing import FormatName, import_events
from streams.sources.shop import ShopPlan, lines
from tests.groups import NOW, SIZES, events_of, order, written


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["discover", *map(str, arguments)])


def shipped() -> str:
    return Settings().definitions_path().read_text()


def profiles_of(path: Path, definitions: Definitions) -> list[Profile]:
    made: dict[str, Profile] = {}
    for line in open_events(path):
        one = decode(line)
        profile_id = profile_id_of(one)
        advance(made.setdefault(profile_id, Profile(profile_id)), one, definitions.rates)
    return list(made.values())


@cache
def population(path: Path) -> Population:
    return population_of(profiles_of(path, compile_definitions(shipped())), NOW, "GBP")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic shop, where groups pass into one another and much is missing."""
    path = tmp_path_factory.mktemp("discover") / "shop.jsonl"
    plan = ShopPlan(customers=300, days=120, seed=7, start=NOW - 120 * DAY, broken=0)
    path.write_bytes(b"\n".join(lines(plan)))
    return path


def counted_by_the_core(
    events: Path, definitions: Path, until: Instant, members: Path
) -> dict[str, tuple[float, float]]:
    """(precision, recall) of each candidate, by a replay of the log with the file that was written."""
    judged = replay(map(decode, open_events(events)), compile_definitions(definitions.read_text()), until).members()
    return {
        key: (len(inside & {*judged[key]}) / len(judged[key]), len(inside & {*judged[key]}) / len(inside))
        for key, inside in ((key, {*ids}) for key, ids in orjson.loads(members.read_bytes()).items())
    }


def no_other(key: str) -> Rule:
    raise RuleError(Fault(0, key))


def test_known_groups_are_found_again_each_with_a_rule_that_the_core_agrees_with(tmp_path: Path) -> None:
    events = written(events_of(1, SIZES), tmp_path / "events.jsonl")
    out, members, plot = tmp_path / "found.toml", tmp_path / "members.json", tmp_path / "found.svg"
    result = run(events, "--as-of", rfc3339(NOW), "--json", "--out", out, "--members", members, "--plot", plot)
    assert result.exit_code == 0, result.output
    found = orjson.loads(result.stdout)
    assert (found["customers"], found["as_of"], found["weak"]) == (270, rfc3339(NOW), False)
    assert max(found["silhouettes"], key=lambda count: found["silhouettes"][count]) == "3"
    assert [one["size"] for one in found["clusters"]] == [120, 90, 60]
    groups = [{customer[:-3] for customer in ids} for ids in orjson.loads(members.read_bytes()).values()]
    assert groups == [{"regular"}, {"gone"}, {"reader"}]
    counted = counted_by_the_core(events, out, NOW, members)
    assert {one["key"]: (one["precision"], one["recall"]) for one in found["clusters"]} == counted
    assert all(pair == (1.0, 1.0) for pair in counted.values())
    assert plot.read_text().lstrip().startswith("<?xml")
    apart = {one["key"]: one["apart"] for one in found["clusters"]}
    assert {*apart["discovered_1"]} & {"orders.count", "orders.spend", "count(orders, within=days(90))"}
    assert {*apart["discovered_3"]} & {"orders.count", "since(site.last_at)", "count(visits, within=days(30))"}
    traits = {trait["feature"]: trait for trait in found["clusters"][0]["traits"]}
    assert traits["orders.count"]["effect"] > 1
    assert 6 <= traits["orders.count"]["inside"] <= 10
    assert traits["orders.count"]["outside"] == 1


def test_what_is_written_is_the_definitions_as_they_were_and_candidates_that_check_takes(tmp_path: Path) -> None:
    events = written(events_of(2, SIZES), tmp_path / "events.jsonl")
    out = tmp_path / "found.toml"
    assert run(events, "--out", out).exit_code == 0
    assert out.read_text().startswith(shipped().rstrip("\n"))
    checked = CliRunner().invoke(app, ["check", str(out), "--json"])
    assert checked.exit_code == 0, checked.output
    before = compile_definitions(shipped()).positions
    assert orjson.loads(checked.stdout)["segments"].keys() - before.keys() == {f"discovered_{n}" for n in (1, 2, 3)}


def test_keys_that_are_taken_stay_whose_they_are() -> None:
    found = population_of(known_people(), NOW, "GBP")
    made = candidates(found, cluster(found.scaled, 0), 0, {"discovered_1", "discovered_3"})
    assert [one.key for one in made] == ["discovered_2", "discovered_4", "discovered_5"]


def known_people() -> list[Profile]:
    rates = compile_definitions(shipped()).rates
    made: dict[str, Profile] = {}
    for one in events_of(3, SIZES):
        profile = made.setdefault(one["customer_id"], Profile(one["customer_id"]))
        advance(profile, decode(orjson.dumps(one)), rates)
    return list(made.values())


@pytest.mark.parametrize("clusters", [2, 4, 7])
def test_figures_of_a_shop_whose_groups_overlap_are_those_of_a_replay(
    shop: Path, tmp_path: Path, clusters: int
) -> None:
    out, members = tmp_path / "found.toml", tmp_path / "members.json"
    until = ["--as-of", rfc3339(NOW)]
    result = run(shop, *until, "--clusters", clusters, "--json", "--out", out, "--members", members)
    assert result.exit_code == 0, result.output
    found = orjson.loads(result.stdout)["clusters"]
    assert len(found) == clusters
    counted = counted_by_the_core(shop, out, NOW, members)
    assert {one["key"]: (one["precision"], one["recall"]) for one in found} == counted
    assert min(recall for _precision, recall in counted.values()) < 1
    assert all(precision > 0.5 and recall > 0.5 for precision, recall in counted.values()), counted


@pytest.mark.parametrize("seed", range(6))
def test_a_rule_holds_for_those_who_are_in_its_boxes_whatever_is_missing(shop: Path, seed: int) -> None:
    people = population(shop)
    dice = np.random.default_rng(seed)
    column = int(dice.integers(len(people.features)))
    values = people.values[:, column]
    inside = np.isnan(values) if np.isnan(values).any() and seed % 2 else values > np.nanmedian(values)
    inside = (inside | (dice.random(len(inside)) < 0.1)) & (dice.random(len(inside)) < 0.9)
    boxes = boxes_of(people.values, inside, seed)
    rule = parse_rule(rule_of(boxes, people), no_other, "GBP")
    expected = np.any([box.customers for box in boxes], axis=0)
    judged = [rule.judge(profile, max(NOW, profile.seen_at))[0] for profile in people.profiles]
    assert judged == expected.tolist()
    assert 0 < sum(judged) < len(judged)


def test_who_never_rated_is_told_by_a_rule_that_asks_whether_there_is_a_value() -> None:
    people = known_people()
    for n, profile in enumerate(people):
        if n % 2:
            profile.support.csat, profile.support.csat_at = 1 + n % 5, NOW - n * DAY
    found = population_of(people, NOW, "GBP")
    inside = np.array([profile.support.csat is None for profile in found.profiles])
    assert rule_of(boxes_of(found.values, inside, 0), found) in {
        "not is_set(support.csat)",
        "not is_set(since(support.csat_at))",
    }


def test_equal_seeds_find_the_same_to_the_byte_in_whatever_order_events_come(shop: Path, tmp_path: Path) -> None:
    rows = list(open_events(shop))
    np.random.default_rng(1).shuffle(rows)
    other = tmp_path / "shuffled.jsonl"
    other.write_bytes(b"\n".join(rows))
    seen = []
    for number, path in enumerate((shop, other)):
        out, plot = tmp_path / f"{number}.toml", tmp_path / f"{number}.svg"
        result = run(path, "--as-of", rfc3339(NOW), "--seed", 5, "--json", "--out", out, "--plot", plot)
        assert result.exit_code == 0, result.output
        seen.append((result.stdout, out.read_bytes(), plot.read_bytes()))
    assert seen[0] == seen[1]


def test_what_came_after_the_instant_has_not_happened(tmp_path: Path) -> None:
    events = events_of(4, SIZES)
    early = written(events, tmp_path / "early.jsonl")
    later = [order(f"gone{n:03}", 99, NOW + DAY, 10_000_00) for n in range(90)]
    late = written([*events, *later, order("new", 0, NOW + DAY, 5)], tmp_path / "late.jsonl")
    results = [run(path, "--as-of", rfc3339(NOW), "--json") for path in (early, late)]
    assert results[0].exit_code == 0, results[0].output
    assert results[0].stdout == results[1].stdout


def test_too_little_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    few = written(events_of(5, {"gone": LEAST_CUSTOMERS - 1}), tmp_path / "few.jsonl")
    result = run(few, "--out", tmp_path / "found.toml", "--plot", tmp_path / "found.svg")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{LEAST_CUSTOMERS - 1} customers; at least {LEAST_CUSTOMERS} are needed" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["few.jsonl"]
    alike = [order(f"c{n}", 0, NOW, 500) for n in range(150)]
    result = run(written(alike, tmp_path / "alike.jsonl"))
    assert result.exit_code == 1
    assert "150 customers, alike in all that rules can ask" in result.stderr
    twins = [order(f"c{n}", 0, NOW, 500 + n % 2) for n in range(150)]
    assert run(written(twins, tmp_path / "twins.jsonl"), "--json").exit_code == 0
    result = run(tmp_path / "twins.jsonl", "--clusters", 3)
    assert result.exit_code == 1
    assert "2 different customers, and 3 clusters were asked for" in result.stderr
    with pytest.raises(TooLittleError, match="0 customers"):
        population_of([], NOW, "GBP")


def test_clusters_without_any_structure_are_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(8).normal(size=(400, 6))
    assert cluster(noise, 0).is_weak
    apart = noise + 20 * (np.arange(400) % 5)[:, None]
    found = cluster(apart, 0)
    assert (found.count, found.is_weak) == (5, False)
    path = written(events_of(6, SIZES), tmp_path / "events.jsonl")
    assert "hardly stand apart" not in run(path).output
    monkeypatch.setattr("streams.discover.clustering._WEAK", 1.0)
    assert "hardly stand apart" in run(path).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.jsonl", "--plot", "found.txt"], "must end in one of"),
        (["--as-of", "2026-01-01T00:00:00Z"], "stored profiles are of now"),
        (["nothing.jsonl", "--out", "-", "--members", "-"], "only one of --out and --members"),
    ],
)
def test_usage_that_cannot_be_is_refused_before_anything_is_read(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())


def test_without_its_extra_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.cli.discovering.find_spec", lambda name: None if name == "sklearn" else name)
    result = run("events.jsonl")
    assert result.exit_code == 1
    assert result.stderr == "discovery needs scikit-learn; install the extra: pip install 'live-segments[discover]'\n"


def test_every_feature_is_a_term_that_rules_may_compare() -> None:
    texts = {feature.text: feature.kind for feature in features()}
    assert texts["orders.spend"] is Kind.MONEY
    assert texts["since(orders.last_at)"] is Kind.DURATION
    assert texts["email.subscribed"] is Kind.TRUTH
    assert texts["count(visits, within=days(30))"] is Kind.NUMBER
    assert texts["mean(contacts.sentiment, last=10, within=days(90))"] is Kind.NUMBER
    assert len(texts) == len(features())


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ("3", "4", "4"),
        ("49.90", "125", "100"),
        ("49.90", "99", "70"),
        ("120", "450", "300"),
        ("-0.51", "-0.29", "-0.4"),
        ("-5", "300", "0"),
        ("0", "1", "1"),
        ("1.004", "1.005", "1.005"),
    ],
)
def test_a_threshold_is_as_round_as_the_gap_allows(low: str, high: str, expected: str) -> None:
    assert roundest(Decimal(low), Decimal(high)) == Decimal(expected)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
@example(28_006_219_078, 1)
def test_a_threshold_of_money_divides_what_its_gap_divides(low: int, gap: int) -> None:
    assert divides("orders.spend", low, low + gap) == [False, True]


@given(st.integers(0, 4_000 * DAY) | st.integers(0, 3 * HOUR), st.integers(0, 90 * DAY) | st.integers(0, 3 * HOUR))
def test_a_threshold_of_time_divides_what_its_gap_divides(low: int, gap: int) -> None:
    (feature,) = [one for one in _COLUMNS if one.text == "since(orders.last_at)"]
    step = DAY if low >= 2 * DAY else HOUR if low >= 2 * HOUR else MINUTE
    assert feature.value(ordered(low), NOW) == low - low % step
    assert divides("since(orders.last_at)", low, low + step + gap) == [False, True]


def ordered(age: int, total: int = 1) -> Profile:
    """Somebody who placed one order so long ago."""
    profile = Profile(f"{age}")
    profile.orders.by_id = {"o": Order(NOW - age, total)}
    profile.orders.derive()
    return profile


_COLUMNS = features()


def divides(text: str, low: int, high: int) -> list[bool]:
    """How the rule above a gap judges two customers at its two sides."""
    (feature,) = [one for one in _COLUMNS if one.text == text]
    people = [ordered(0, value) if feature.kind is Kind.MONEY else ordered(value) for value in (low, high)]
    values = np.array([[feature.value(profile, NOW)] for profile in people], dtype=np.float64)
    both = Population(NOW, "GBP", people, [feature], values, values)
    box = Box(above={0: Gap(float(values[0, 0]), float(values[1, 0]))}, customers=np.array([False, True]))
    rule = parse_rule(rule_of([box], both), no_other, "GBP")
    return [rule.judge(profile, NOW)[0] for profile in people]


@pytest.mark.data
@pytest.mark.parametrize(
    ("form", "name", "until"),
    [
        (FormatName.CDNOW, "cdnow_sample.txt.gz", "1998-06-30T00:00:00Z"),
        (FormatName.ONLINE_RETAIL, "online_retail_to_2011-05.csv.gz", "2011-05-31T00:00:00Z"),
    ],
)
def test_the_customers_of_real_shops_fall_into_groups_that_rules_tell_apart(
    shared_data: Path, tmp_path: Path, form: FormatName, name: str, until: str
) -> None:
    events, out, members = tmp_path / "events.jsonl", tmp_path / "found.toml", tmp_path / "members.json"
    with events.open("wb") as sink:
        import_events(form, shared_data / name, sink)
    result = run(events, "--as-of", until, "--json", "--out", out, "--members", members)
    assert result.exit_code == 0, result.output
    found = orjson.loads(result.stdout)
    assert not found["weak"]
    counted = counted_by_the_core(events, out, parse_rfc3339(until), members)
    assert {one["key"]: (one["precision"], one["recall"]) for one in found["clusters"]} == counted
    assert all(precision > 0.85 and recall > 0.85 for precision, recall in counted.values()), counted
