"""The benchmark's report: figures stand where they belong, and a goal is met or it is not."""

from dataclasses import replace

import orjson
import pytest

from bench.__main__ import _command
from bench.latency import THROUGH, Latency
from bench.memory import Memory
from bench.report import goals, page, table
from bench.results import Results, spread
from bench.throughput import PEER, WORKER, Speed

OURS = Speed(WORKER, 20_000, 1_000_000, 20_000, 31_000.0, 32_000.0, 1.5, 0.5, 200 << 20, 1 << 20, 300_000, 0)
PEERS = Speed(PEER, 20_000, 30_000, 600, 1_900.0, 2_000.0, 40.0, 6.0, 80 << 20, 1 << 20, 9_000, 0)
LATENCY = Latency(THROUGH, 2_000, 8_000, 0, 4.0, 20.0, 60.0, 80.0)
MEMORY = Memory(100_000, 1_000_000, 650.0, {"profiles": 335.5}, {"profiles": (248.0, 1.0)}, 2.1, 0)


def results(**other: object) -> Results:
    made = Results("python -m bench", "2026-01-31", redis_version="7.0.15", speeds=[OURS, PEERS])
    made.latencies, made.memory = [LATENCY], MEMORY
    for name, value in other.items():
        setattr(made, name, value)
    return made


def test_every_goal_that_was_measured_is_judged() -> None:
    assert [(goal.measured, goal.met) for goal in goals(results())] == [
        (16.0, True),
        (31_000.0, True),
        (4.0, True),
        (20.0, True),
        (650.0, True),
    ]


@pytest.mark.parametrize(
    ("other", "missed"),
    [
        ({"speeds": [replace(OURS, steady_rate=19_000.0), PEERS]}, "times the peer, log of 20,000 customers"),
        ({"speeds": [replace(OURS, rate=29_000.0), PEERS]}, "events/s, log of 20,000 customers"),
        ({"latencies": [replace(LATENCY, p50=10.0)]}, "ms at 2,000/s, p50"),
        ({"latencies": [replace(LATENCY, p99=51.0)]}, "ms at 2,000/s, p99"),
        ({"memory": replace(MEMORY, per_customer=701.0)}, "bytes of Redis per customer"),
    ],
)
def test_a_goal_that_is_missed_is_said_to_be(other: dict[str, object], missed: str) -> None:
    assert [goal.what for goal in goals(results(**other)) if not goal.met] == [missed]


def test_what_was_not_measured_is_not_reported() -> None:
    text = page(results(speeds=[], memory=None))
    assert "## Latency" in text
    assert "## Throughput" not in text
    assert "## Memory" not in text


def test_the_page_has_the_command_the_date_and_the_median_of_several_runs() -> None:
    slower = replace(OURS, rate=30_000.0), replace(PEERS, rate=1_000.0)
    text = page(results(speeds=[OURS, PEERS, *slower]))
    assert "    python -m bench\n" in text
    assert "2026-01-31" in text
    assert "| 20,000 customers, one worker | 1,000,000 | 30,500 (30,000 to 31,000) |" in text


def test_the_ratio_is_of_the_steady_rates_run_by_run() -> None:
    made = results(speeds=[OURS, PEERS, replace(PEERS, steady_rate=1_000.0), OURS])
    assert made.ratios(20_000) == [16.0, 32.0]


def test_json_has_every_figure_and_the_machines_cores() -> None:
    body = orjson.loads(results().as_json())
    assert body["speeds"][0]["steady_rate"] == 32_000.0
    assert body["memory"]["groups"] == {"profiles": 335.5}
    assert int(body["machine"]["cores"]) >= 1


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(("a", "b"), [("x", "1")]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


@pytest.mark.parametrize(("values", "text"), [([1234.0], "1,234"), ([1.0, 3.0, 2.0], "2 (1 to 3)")])
def test_one_value_stands_alone_and_several_with_their_range(values: list[float], text: str) -> None:
    assert spread(values) == text


@pytest.mark.parametrize(
    "arguments", [["all", "--json", "/somewhere/x.json", "--quick"], ["all", "--json=/somewhere/x.json", "--quick"]]
)
def test_the_command_on_the_page_names_no_path_of_this_machine(arguments: list[str]) -> None:
    assert _command(arguments) == "python -m bench all --quick"
