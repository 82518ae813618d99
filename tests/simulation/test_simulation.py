"""Thousands of simulated systems, each with its own bad luck, all of which must end right."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.plan import FAULTS, LOSSES, draw
from tests.simulation.run import run

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "2500"))
"""About a minute of one core."""
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_a_seed_ends_without_a_difference(part: int) -> None:
    happened, transitions = Counter[str](), 0
    for seed in range(part, SEEDS, PARTS):
        outcome = run(draw(seed))
        findings = "\n".join(map(str, outcome.findings[:5]))
        assert not outcome.findings, f"{outcome.replay}\n{findings}"
        happened += outcome.happened
        transitions += outcome.transitions
    if SEEDS >= 100 * PARTS:  # fewer need not have every kind among them
        assert set(FAULTS) <= happened.keys()
    assert transitions > SEEDS / PARTS


@pytest.mark.parametrize("part", range(PARTS))
def test_a_seed_whose_store_forgets_ends_without_a_difference(part: int) -> None:
    for seed in range(part, SEEDS // 5, PARTS):
        outcome = run(draw(seed, FAULTS + LOSSES))
        command = f'{outcome.replay} --faults "{",".join(FAULTS + LOSSES)}"'
        assert not outcome.findings, "\n".join([command, *map(str, outcome.findings[:5])])


@pytest.mark.parametrize("seed", [3, 17, 40])
def test_two_runs_of_a_seed_are_the_same(seed: int) -> None:
    once, again = run(draw(seed), keep_trace=True), run(draw(seed), keep_trace=True)
    assert once.trace == again.trace
    assert once.digest == again.digest


def test_a_seed_is_the_same_in_another_process_with_other_hashes() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulation", "--seed", "40"]
    told = {
        subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": hashes}, capture_output=True, check=True, timeout=60
        ).stdout
        for hashes in ("1", "2")
    }
    assert len(told) == 1
    assert run(draw(40)).digest.encode() in told.pop()
