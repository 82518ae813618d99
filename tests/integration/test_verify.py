"""`segments verify` on a real Kafka and Redis: nothing to find in a sound system, and every kind of damage found."""

from pathlib import Path

import orjson
import pytest

from streams.settings import Settings
from streams.sources.shop import ShopPlan, lines
from streams.verify.report import Report
from streams.verify.verify import verify
from tests.integration.system import System
from tests.integration.test_same_result import by_the_core_alone
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker


def settings_of(system: System) -> Settings:
    """The settings that the workers of a system have."""
    given = {key.removeprefix("SEGMENTS_").lower(): value for key, value in system.environment.items()}
    return Settings.model_validate({name: given[name] for name in Settings.model_fields if name in given})


async def sound(system: System, sample: int | None = None) -> Report:
    """The report on a system in which nothing may differ."""
    report = await verify(settings_of(system), sample)
    assert report.ok, "\n".join(report.lines())
    return report


async def test_a_shop_of_three_workers_is_sound_while_they_run_and_after_they_stopped(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    path = tmp_path / "shop.jsonl"
    plan = ShopPlan(customers=150, days=60, seed=4, duplicates=0.05, late=0.05, broken=0)
    path.write_bytes(b"\n".join(lines(plan)))
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b"not JSON\n" * 7)
    _run, until, _refused = by_the_core_alone(path)
    async with System(fresh_stack, clock_at=str(until), batch="50") as system:
        workers = [system.start_worker() for _ in range(3)]
        await system.wait_owned()
        system.publish(broken)
        system.publish_badly_keyed(path)
        await system.wait_share(0.3)
        during = await sound(system)
        assert during.checks["inputs"].checked > 0
        await system.wait_applied(until)
        for worker in workers:
            assert system.stop_worker(worker) == 0
        report = await sound(system)
        assert report.figures["dead letters"] == 7
        assert report.figures["forwarded"] > 100
        assert {name for name, check in report.checks.items() if not check.checked} == set()
        result = system.run("verify", "--json", "--sample", "20")
        assert result.returncode == 0, result.stderr.decode()
        assert orjson.loads(result.stdout)["checks"]["memberships"]["checked"] == 20
