"""The report of the fault suite: what goes into the record is what was played, also when it was played in parts."""

from tests.faults.play import Outcome
from tests.faults.report import as_json, by_kind, read_json, totals
from tests.faults.stage import Injected

KILLED = Outcome(
    "kill",
    7,
    [Injected("kill", 1.0, 2.0), Injected("kill", 3.0, 5.0), Injected("none", 1.0, 1.2)],
    transitions=10,
    longest_gap=1.5,
)
STUCK = Outcome(
    "zombie", 8, [Injected("zombie", 6.0)], transitions=5, skipped=2, differences=3, problems=["not caught up"]
)


def test_each_kind_of_fault_has_its_own_figures_and_none_is_no_fault() -> None:
    assert by_kind([KILLED, STUCK]) == {
        "kill": {
            "injected": 2,
            "lasted_seconds": 3.0,
            "median_catch_up_seconds": 3.5,
            "slowest_catch_up_seconds": 5.0,
            "never_caught_up": 0,
        },
        "zombie": {
            "injected": 1,
            "lasted_seconds": 6.0,
            "median_catch_up_seconds": None,
            "slowest_catch_up_seconds": None,
            "never_caught_up": 1,
        },
    }


def test_the_totals_say_what_was_played_and_what_went_wrong() -> None:
    found = totals([KILLED, STUCK, Outcome("kill", 8)])
    expected = {
        "played": 3,
        "schedules_played": 2,
        "seeds": [7, 8],
        "failed": ["zombie seed 8"],
        "faults_injected": 3,
        "transitions_checked": 15,
        "differences": 3,
        "longest_gap_in_sequences": 2,
        "longest_gap_seconds": 1.5,
    }
    assert {name: found[name] for name in expected} == expected


def test_runs_can_be_joined_from_their_files() -> None:
    assert read_json(as_json([KILLED])) + read_json(as_json([STUCK])) == [KILLED, STUCK]
