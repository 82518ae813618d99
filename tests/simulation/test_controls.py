"""The simulator must fail when it should: each safeguard that is taken away is missed."""

from collections.abc import Callable

import pytest

from tests.simulation.controls import CONTROLS, first_that_catches
from tests.simulation.plan import draw
from tests.simulation.run import run


@pytest.mark.parametrize("name", CONTROLS)
def test_a_safeguard_that_is_missing_is_noticed(name: str, record_property: Callable[[str, object], None]) -> None:
    outcome = first_that_catches(CONTROLS[name])
    assert outcome is not None, f"no seed notices: {name}"
    record_property("first seed", outcome.seed)
    assert run(draw(outcome.seed, CONTROLS[name].faults)).findings == []
