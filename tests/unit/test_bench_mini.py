"""The race on mini: what must come out, what came out, who is right, and what is said of it."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import orjson
import pytest

from bench import mini
from bench.chart import Bar, bars
from bench.load import LoadPlan, Message, cart_add, contact, generate, order, page_view
from bench.mini import Flip, right_flips
from bench.outputs import hear
from bench.peers.customer import apply, newcomer
from bench.peers.task import Mark, Task, marks_in
from bench.race import OUR_SINGLE_TITLE, OUR_TITLE, Lap, Race, _tried
from bench.report import goals, page, sections
from bench.report_race import race_goals, race_text, shortly
from bench.results import Results
from bench.system import BenchError
from bench.throughput import PEER, WORKER, Speed
from schemas.instants import MINUTE, parse_rfc3339
from schemas.wire import decode
from streams.core.definitions import compile_definitions
from streams.core.replay import replay
from streams.core.step import Transition

UNTIL = parse_rfc3339("2026-03-01T00:00:00Z")
PLAN = LoadPlan(events=6_000, customers=90, until=UNTIL, mix=mini.MIX)
LAP = Lap(
    who=OUR_TITLE,
    events=1_000_000,
    customers=20_000,
    rate=80_000.0,
    rate_from_start=70_000.0,
    steady_rate=100_000.0,
    steady_cpu=0.8,
    steady_redis_cpu=0.2,
    cpu=0.9,
    peak_bytes=300 << 20,
    redis_bytes=20 << 20,
    flips=200_000,
    right_flips=200_000,
    late=0,
    astray=0,
    misplaced=0,
)
EXACTLY_ONCE = replace(LAP, who="Kafka Streams 4.1.1, exactly once, cache off", steady_rate=40_000.0, steady_cpu=2.5)
AT_LEAST_ONCE = replace(LAP, who="Kafka Streams 4.1.1, at least once, cache on", steady_rate=80_000.0, steady_cpu=1.4)


def into(segment: str, event_id: str) -> Flip:
    return Flip(segment, entered=True, event_id=event_id)


def out_of(segment: str, event_id: str) -> Flip:
    return Flip(segment, entered=False, event_id=event_id)


def at(number: int) -> int:
    return UNTIL + number * MINUTE


def ours(messages: list[Message]) -> dict[str, list[Flip]]:
    """What the classifier's own core says."""
    run = replay([decode(message.value) for message in messages], compile_definitions(mini.DEFINITIONS.read_text()))
    found: dict[str, list[Flip]] = {}
    for customer, transition in run.transitions:
        found.setdefault(customer, []).append(flip(transition))
    return found


def flip(transition: Transition) -> Flip:
    assert transition.event is not None
    return Flip(transition.segment.key, transition.entered, transition.event.id)


def test_a_customers_first_three_orders_and_two_carts_make_the_changes_that_one_would_expect() -> None:
    log = [
        cart_add("e1", at(1), "c1", 7),
        cart_add("e2", at(2), "c1", 8),
        order("e3", at(3), "c1", 20_000, 7),
        page_view("e4", at(4), "c1", 7),
        contact("e5", at(5), "c1", 1),
        order("e6", at(6), "c1", 20_000, 7),
        cart_add("e7", at(7), "c1", 7),
        order("e8", at(8), "c1", 20_000, 7),
    ]
    assert right_flips(log) == {
        "c1": [
            into("cart_open", "e1"),
            into("first_time", "e3"),
            out_of("cart_open", "e3"),
            out_of("first_time", "e6"),
            into("repeat", "e6"),
            into("cart_open", "e7"),
            into("vip", "e8"),
            out_of("cart_open", "e8"),
        ]
    }


def test_the_oracle_the_classifier_and_the_python_peers_agree_on_a_generated_log() -> None:
    messages = list(generate(PLAN))
    right = right_flips(messages)
    assert mini.count(right) > PLAN.events // 10
    assert ours(messages) == right
    customers = {f"c{number:09d}": newcomer() for number in range(PLAN.customers)}
    told = [orjson.dumps(row) for m in messages for row in apply(customers[m.key], orjson.loads(m.value))]
    assert hear(told).flips == right


def test_the_log_has_as_many_orders_contacts_and_additions_as_it_says() -> None:
    kinds = [orjson.loads(message.value)["type"] for message in generate(PLAN)]
    for kind, share in (("order.placed", 0.1), ("support.contacted", 0.05), ("cart.item_added", 0.2125)):
        assert kinds.count(kind) / PLAN.events == pytest.approx(share, abs=0.02)


def test_changes_of_ours_name_their_event_in_the_cause() -> None:
    change = b'{"type":"segment.exited","segment":"vip","customer_id":"c1","cause":{"kind":"event","event_id":"e9"}}'
    assert hear([change]).flips == {"c1": [out_of("vip", "e9")]}


def test_changes_that_a_late_event_made_are_counted() -> None:
    body = '{"type":"segment.entered","segment":"vip","customer_id":"c1","cause":{"kind":"%s","event_id":"e9"}}'
    assert hear((body % kind).encode() for kind in ("event", "late_event", "late_event")).late == 2


def test_the_shipped_definitions_are_measured_by_exactly_once_on_mini_too() -> None:
    full = Speed(WORKER, 20_000, 1_000_000, 20_000, 31_000.0, 32_000.0, 1.5, 0.5, 1, 1, 1, 0)
    peer = replace(full, who=PEER, steady_rate=1_000.0)
    made = Results("python -m bench", "2026-01-31", laps=[EXACTLY_ONCE], speeds=[full, peer])
    assert goals(made)[-1][2:] == (0.8, 2, False)


def test_goals_take_the_worse_of_our_rows() -> None:
    worse = replace(LAP, who=OUR_SINGLE_TITLE, steady_rate=60_000.0)
    assert next(goal.measured for goal in race_goals([LAP, worse, EXACTLY_ONCE])) == 1.5


def test_the_last_change_of_each_segment_decides_who_is_in_it() -> None:
    flips = {"c1": [into("vip", "a"), out_of("vip", "b"), into("repeat", "b")]}
    assert mini.members(flips) == {"first_time": set(), "repeat": {"c1"}, "vip": set(), "cart_open": set()}


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"c1": [into("vip", "a")], "c2": [into("vip", "b")]},
        {"c1": [into("repeat", "a"), into("vip", "a")]},
        {"c1": [into("vip", "a"), into("repeat", "a"), into("repeat", "a")]},
    ],
    ids=["missing", "too many and one short", "another order", "told twice"],
)
def test_a_customer_whose_changes_are_not_the_right_ones_in_order_is_astray(found: dict[str, list[Flip]]) -> None:
    right = {"c1": [into("vip", "a"), into("repeat", "a")]}
    assert mini.astray(right, right) == 0
    assert mini.astray(right, found) == len({"c1"} | found.keys())


def test_memberships_that_are_missing_or_too_many_are_misplaced() -> None:
    nobody: dict[str, set[str]] = {name: set() for name in mini.SEGMENTS}
    assert mini.misplaced(nobody | {"vip": {"a", "b"}}, nobody | {"vip": {"b"}, "repeat": {"c"}}) == 2


def test_marks_are_found_among_other_lines_and_half_a_line_is_none() -> None:
    log = "warning\nMARK 0 12.5 0.25\nMARKED\nMARK 500 13.5 1.250\nMARK 10"
    assert marks_in(log) == [Mark(0, 12.5, 0.25), Mark(500, 13.5, 1.25)]


def test_a_task_is_json_that_makes_the_same_task_again() -> None:
    task = Task("k", "in", "out", "g", 10, "dir", transactions=True)
    assert Task(**orjson.loads(task.as_json())) == task


def test_a_small_log_has_as_many_events_for_each_customer() -> None:
    plan = Race(1_000_000, 20_000, 30_000, UNTIL, 1).plan(30_000)
    assert (plan.events, plan.customers, plan.until) == (30_000, 600, UNTIL)


def test_a_peer_whose_run_fails_is_left_out_with_the_reason_but_ours_must_not_fail() -> None:
    def fail() -> Lap:
        raise BenchError("out of memory")

    entered = Race(1_000, 20, 100, UNTIL, 1)
    assert list(_tried(entered, "Flink", fail)) == []
    assert entered.skipped == {"Flink": "a run failed: out of memory"}
    with pytest.raises(BenchError):
        list(_tried(entered, OUR_TITLE, fail))


def test_the_instants_of_a_plan_are_those_of_its_events() -> None:
    assert list(PLAN.instants()) == [decode(message.value).occurred_at for message in generate(PLAN)]


def test_goals_compare_medians_with_the_best_of_the_peers() -> None:
    slower = replace(EXACTLY_ONCE, who="Kafka Streams 4.1.1, exactly once, cache on", steady_rate=30_000.0)
    judged = {goal.what: (goal.measured, goal.met) for goal in race_goals([LAP, EXACTLY_ONCE, slower, AT_LEAST_ONCE])}
    assert judged == {
        "times Kafka Streams exactly once, steady": (2.5, True),
        "times Kafka Streams at least once with its cache, steady": (1.25, False),
        "of Kafka Streams' least CPU, worker and Redis together": (pytest.approx(1.0 / 1.6), True),
    }


def test_without_ours_or_without_peers_there_is_nothing_to_judge() -> None:
    assert list(race_goals([EXACTLY_ONCE])) == list(race_goals([LAP])) == []


def test_the_section_has_a_row_for_each_program_fastest_first_and_says_who_was_left_out() -> None:
    text = race_text([EXACTLY_ONCE, LAP, replace(LAP, steady_rate=110_000.0)], {"Flink": "no Maven"})
    rows = [line for line in text.splitlines() if line.startswith(("| one", "| Kafka"))]
    assert rows[0].startswith("| one worker of ours, three topics | 1,000,000 | 105,000 (100,000 to 110,000) |")
    assert rows[1].startswith("| Kafka Streams 4.1.1, exactly once, cache off |")
    assert "- Flink: no Maven" in text


def test_a_reason_names_no_address_and_no_path_of_this_machine() -> None:
    said = "mvn failed: could not transfer a:b:1 from https://registry.example/m2/ into /home/ann/.m2/x\nmore"
    assert shortly(said) == "mvn failed: could not transfer a:b:1 from … into …"
    assert shortly("not on the PATH: java, mvn") == "not on the PATH: java, mvn"


def test_the_race_stands_first_on_the_page() -> None:
    made = Results("python -m bench peers", "2026-01-31", laps=[LAP])
    assert page(sections(made)).index("## Mini: ours and the peers") < 500


def test_a_chart_has_a_bar_for_each_row_as_long_as_its_median() -> None:
    drawing = ET.fromstring(bars("a & b", [Bar("slow", [10.0]), Bar("fast", [30.0, 40.0, 20.0], ours=True)]))  # noqa: S314 # our own
    rectangles = drawing.findall("{http://www.w3.org/2000/svg}rect")[1:]
    widths = [float(one.attrib["width"]) for one in rectangles]
    assert widths[0] == pytest.approx(3 * widths[1], abs=0.2)
    assert "a & b" in "".join(drawing.itertext())
