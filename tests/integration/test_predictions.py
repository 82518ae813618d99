"""Predictions on a real system: fitted on its own profiles, published, taken up while it runs, alike by every road."""

from pathlib import Path

import orjson
import pytest

from schemas.errors import UndecodableError
from schemas.instants import Instant, rfc3339
from schemas.names import SEGMENT_CHANGES
from schemas.parameters import read_parameters
from schemas.wire import decode
from streams.clock import wall_clock
from streams.core.admission import admit
from streams.core.definitions import compile_definitions
from streams.core.replay import replay
from streams.settings import Settings
from streams.sources.files import open_events
from streams.sources.shop import ShopPlan, lines
from streams.state.reader import Reader
from tests.integration.system import System
from tests.integration.test_same_result import by_the_core_alone, fold
from tests.integration.test_verify import sound
from tests.oracle import PREDICTED
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker


def by_the_core(path: Path, models: Path, until: Instant) -> dict[str, list[str]]:
    """Who is in each segment by the core alone, with the parameters of a file."""
    text = Settings().definitions_path().read_text()
    definitions, events = compile_definitions(text, read_parameters(models.read_bytes(), "file")), []
    for line in open_events(path):
        try:
            event = decode(line)
            admit(event, wall_clock(), definitions.rates)
        except UndecodableError:
            continue
        events.append(event)
    return replay(events, definitions, until).members()


async def swept(system: System, version: int) -> None:
    """Wait until everybody is judged by a version of the definitions."""

    async def ready(reader: Reader) -> bool:
        judging = (await reader.judging()).values()
        return all(one.version == version and one.sweep is None for one in judging)

    await system.wait(f"everybody judged by version {version}", ready)


async def test_parameters_are_fitted_published_taken_up_and_judge_alike_by_every_road(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path, models, members = tmp_path / "shop.jsonl", tmp_path / "models.json", tmp_path / "members.json"
    path.write_bytes(b"\n".join(lines(ShopPlan(customers=250, days=200, seed=4))))
    _run, until, _refused = by_the_core_alone(path)
    async with System(fresh_stack, clock_at=str(until)) as system:
        system.start_worker()
        await system.wait_owned()
        refused = system.run("fit", "--publish")
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert b"too little to fit to: 0 customers have bought" in refused.stderr
        system.publish(path)
        await system.wait_applied(until)
        before = await system.members()
        assert not any(before[key] for key in PREDICTED)
        somebody = before["repeat_buyer"][0]
        why = orjson.loads(system.run("why", somebody, "likely_to_churn", "--json").stdout)
        assert (why["member"], why["model_version"], why["clauses"][1]["value"]) == (False, None, None)
        assert "no model parameters are published" in why["notes"][0]

        fitted = system.run("fit", "--publish", "--unit", "day", "--json", "--plot", str(tmp_path / "fit.png"))
        assert fitted.returncode == 0, fitted.stderr.decode()
        assert orjson.loads(fitted.stdout)["version"] == 1
        assert system.run("models", "--out", str(models)).returncode == 0
        await swept(system, 2)
        await system.wait_applied(until)
        expected = by_the_core(path, models, until)
        assert all(expected[key] for key in ("likely_to_churn", "predicted_high_ltv"))
        assert await system.members() == expected
        changes = await system.read(SEGMENT_CHANGES)
        assert fold(changes) == expected
        refit = [change for change in changes if change["cause"]["kind"] == "model"]
        assert {(change["segment"] in PREDICTED, change["model_version"]) for change in refit} == {(True, 1)}
        assert len(refit) == sum(len(expected[key]) for key in PREDICTED)

        arguments = ("--models", str(models), "--members", str(members), "--as-of", rfc3339(until))
        assert system.run("classify", str(path), *arguments).returncode == 0
        assert orjson.loads(members.read_bytes()) == expected
        why = orjson.loads(system.run("why", somebody, "likely_to_churn", "--json").stdout)
        assert why["clauses"][1]["value"] is not None
        assert why["notes"] == ["predictions by version 1 of the model parameters"]
        await sound(system)

        assert system.run("rebuild", "--shard", "0").returncode == 0
        await system.wait_applied(until)
        assert await system.members() == expected
        back = orjson.loads(system.run("rollback", "--json").stdout)
        assert (back["version"], back["published"]) == (3, True)
        await swept(system, 3)
        after = await system.members()
        assert not any(after[key] for key in PREDICTED)
        await sound(system)
