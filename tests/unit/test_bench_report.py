"""The benchmark's report: figures stand where they belong, and a goal is met or it is not."""

from dataclasses import replace

import orjson
import pytest

from bench.__main__ import _command
from bench.latency import FLOOR, THROUGH, Latency
from bench.memory import Memory
from bench.profiling import OTHER, Profile, shares, stage_of, titled
from bench.report import goals, page, sections, sections_of
from bench.results import Results
from bench.soak import Soak
from bench.tables import spread, table
from bench.throughput import PEER, WORKER, Speed

OURS = Speed(WORKER, 20_000, 1_000_000, 20_000, 31_000.0, 32_000.0, 1.5, 0.5, 200 << 20, 1 << 20, 300_000, 0)
PEERS = Speed(PEER, 20_000, 30_000, 600, 1_900.0, 2_000.0, 40.0, 6.0, 80 << 20, 1 << 20, 9_000, 0)
LATENCY = Latency(THROUGH, 2_000, 8_000, 0, p50=3.5, p99=12.0, p999=50.0, worst=80.0)
PLAIN = Latency(FLOOR, 2_000, 8_000, 0, p50=0.5, p99=2.0, p999=8.0, worst=9.0)
WAVE = Latency("the classifier, during a wave of 50,000 crossings", 2_000, 900, 0, 20.0, 120.0, 140.0, 150.0)
MEMORY = Memory(
    customers=1_000_000,
    events=10_000_000,
    per_customer=450.0,
    groups={"profiles": 335.5},
    values={"profiles": (248.0, 1.0)},
    memberships=2.1,
    waiting=0,
    whole=460_000_000,
    resident=480_000_000,
    worker_peak=900 << 20,
)
SOAK = Soak(2_000, 400_000, 20_000, 60.0, [100 << 20, *[200 << 20] * 59], 7_200_000, 7_200_000)


def results(**other: object) -> Results:
    made = Results("python -m bench", "2026-01-31", redis_version="7.0.15", speeds=[OURS, PEERS])
    made.latencies, made.memory, made.soak = [PLAIN, LATENCY, WAVE], MEMORY, SOAK
    for name, value in other.items():
        setattr(made, name, value)
    return made


def test_every_goal_that_was_measured_is_judged() -> None:
    assert [(goal.measured, goal.met) for goal in goals(results())] == [
        (16.0, True),
        (31_000.0, True),
        (3.0, True),
        (10.0, True),
        (50.0, True),
        (120.0, True),
        (450.0, True),
        (460.0, True),
        (1.0, True),
    ]


@pytest.mark.parametrize(
    ("other", "missed"),
    [
        ({"speeds": [replace(OURS, steady_rate=19_000.0), PEERS]}, "times the peer, log of 20,000 customers"),
        ({"speeds": [replace(OURS, rate=29_000.0), PEERS]}, "events/s, log of 20,000 customers"),
        ({"latencies": [PLAIN, replace(LATENCY, p50=3.6)]}, "ms above the floor at 2,000/s, p50"),
        ({"latencies": [PLAIN, replace(LATENCY, p99=12.1)]}, "ms above the floor at 2,000/s, p99"),
        ({"latencies": [replace(LATENCY, p999=60.0)]}, "ms at 2,000/s, p99.9"),
        ({"latencies": [replace(WAVE, p99=150.0)]}, "ms during a wave of 50,000 crossings, p99"),
        ({"memory": replace(MEMORY, per_customer=501.0)}, "bytes of Redis per customer"),
        ({"memory": replace(MEMORY, whole=601_000_000)}, "MB of Redis for 1,000,000 customers"),
        ({"soak": replace(SOAK, samples=list(range(100, 160)))}, "resident in the last quarter, of the second"),
    ],
)
def test_a_goal_that_is_missed_is_said_to_be(other: dict[str, object], missed: str) -> None:
    assert [goal.what for goal in goals(results(**other)) if not goal.met] == [missed]


def test_what_was_not_measured_is_not_reported() -> None:
    text = page(sections(results(speeds=[], memory=None)))
    assert "## Latency" in text
    assert "## Full" not in text
    assert "## Memory" not in text


def test_the_page_has_the_command_the_date_and_the_median_of_several_runs() -> None:
    slower = replace(OURS, rate=30_000.0), replace(PEERS, rate=1_000.0)
    text = page(sections(results(speeds=[OURS, PEERS, *slower])))
    assert "    python -m bench\n" in text
    assert "2026-01-31" in text
    assert "| 20,000 customers, one worker | 1,000,000 | 30,500 (30,000 to 31,000) |" in text


def test_a_section_that_was_not_measured_anew_stays_as_it_was_and_where_it_was() -> None:
    before = page(sections(results()))
    faster = replace(OURS, rate=90_000.0)
    after = page(sections(results(speeds=[faster, PEERS], latencies=[], memory=None)), before)
    old, new = sections_of(before), sections_of(after)
    assert list(new) == list(old)
    assert {title for title in new if new[title] != old[title]} == {"Full: the shipped definitions"}
    assert "90,000" in after


def test_the_ratio_is_of_the_steady_rates_run_by_run() -> None:
    made = results(speeds=[OURS, PEERS, replace(PEERS, steady_rate=1_000.0), OURS])
    assert made.ratios(20_000) == [16.0, 32.0]


def test_json_has_every_figure_and_the_machines_cores() -> None:
    body = orjson.loads(results().as_json())
    assert body["speeds"][0]["steady_rate"] == 32_000.0
    assert body["memory"]["groups"] == {"profiles": 335.5}
    assert int(body["machine"]["cores"]) >= 1


@pytest.mark.parametrize(
    ("stack", "stage"),
    [
        (["run (streams/run.py:70)", "process (streams/shard/shard.py:9)", "decode (schemas/wire.py:4)"], "decode"),
        (["process (streams/shard/shard.py:9)", "dumps (json/encoder.py:1)"], "shard"),
        (["commit (streams/state/redis_store.py:9)", "send (redis/asyncio/connection.py:4)"], "commit"),
        (["send_changes (streams/kafka/sink.py:80)", "append (aiokafka/producer/message.py:4)"], "relay"),
        (["_fetch (aiokafka/consumer/fetcher.py:4)"], "reading"),
        (["main (somewhere.py:1)"], OTHER),
        ([], OTHER),
    ],
)
def test_a_sample_counts_for_the_innermost_function_that_belongs_to_a_stage(stack: list[str], stage: str) -> None:
    assert stage_of(stack) == stage


def test_shares_are_of_all_samples_the_largest_first() -> None:
    folded = ["a (x.py:1);decode (schemas/wire.py:2) 30", "a (x.py:1) 10", ""]
    assert shares(folded) == (40, {"decode": 0.75, OTHER: 0.25})


def test_a_flame_graphs_title_is_ours() -> None:
    svg = '<svg><text id="title" x="1">py-spy record --output /somewhere/x.svg</text><text x="2">frame</text></svg>'
    assert titled(svg, "mini") == '<svg><text id="title" x="1">mini</text><text x="2">frame</text></svg>'


def test_a_soak_and_a_profile_have_sections_of_their_own() -> None:
    text = page(sections(results(profile=Profile(40, {"decode": 0.75}, 30_000.0))))
    assert "## A long run" in text
    assert "100, 200, 200" in text
    assert "| decode | 75.0 % |" in text


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
