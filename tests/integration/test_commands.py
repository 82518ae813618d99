"""The commands that look at a running system, on a real one."""

from pathlib import Path

import orjson
import pytest

from schemas.instants import DAY, parse_rfc3339, rfc3339
from tests.integration.system import System
from tests.integration.test_worker import order
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker

START = parse_rfc3339("2026-01-01T00:00:00Z")


async def test_a_running_system_can_be_looked_at(fresh_stack: FreshStack, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    rows = [order("ann", START, 1), order("ann", START + DAY, 2), order("bob", START + 2 * DAY, 1)]
    events.write_bytes(b"\n".join(rows))
    async with System(fresh_stack, clock_at=str(START + 95 * DAY)) as system:
        assert system.run("health").returncode == 1
        topics = orjson.loads(system.run("topics", "--json").stdout)
        assert topics["partitions"] == 4
        assert len(topics["topics"]) == 6
        system.start_worker()
        await system.wait_owned()
        health = orjson.loads(system.run("health", "--json").stdout)
        assert (health["ok"], health["shards"], health["unowned"]) == (True, 4, [])
        published = system.run("publish", str(events), "--rate", "500", "--json")
        assert orjson.loads(published.stdout)["sent"] == {"orders": 3}
        await system.wait_applied(START + 95 * DAY)

        members = orjson.loads(system.run("members", "lapsed", "--json").stdout)
        assert members == [
            {"customer": "ann", "since": rfc3339(START + 91 * DAY)},
            {"customer": "bob", "since": rfc3339(START + 92 * DAY)},
        ]
        unknown = system.run("members", "lapst")
        assert unknown.returncode == 1
        assert b"did you mean 'lapsed'?" in unknown.stderr

        shown = orjson.loads(system.run("show", "ann", "--json").stdout)
        assert (shown["orders"], shown["spend"]) == (2, "20.00 GBP")
        assert {row["segment"] for row in shown["segments"]} == {"repeat_buyer", "lapsed", "churn_risk"}
        assert system.run("show", "nobody").returncode == 1

        why = orjson.loads(system.run("why", "bob", "at_risk_loyal", "--json").stdout)
        assert not why["member"]
        assert [(row["clause"], row["value"], row["holds"]) for row in why["clauses"]] == [
            ("orders.count >= 4", 1, False),
            ("since(orders.last_at) >= days(120)", "93d", False),
        ]
        lapsed = system.run("why", "ann", "lapsed").stdout.decode()
        assert "ann is in lapsed" in lapsed
        assert "94d" in lapsed

        watched = system.run("watch", "--segment", "lapsed", "--from-start", "--count", "2", "--json").stdout
        assert {orjson.loads(line)["customer_id"] for line in watched.splitlines()} == {"ann", "bob"}
        assert system.run("watch", "--seconds", "0.5").returncode == 0


async def test_a_system_that_is_not_there_is_named_in_one_line(fresh_stack: FreshStack) -> None:
    system = System(fresh_stack)
    system.environment["REDIS_URL"] = "redis://127.0.0.1:1/0"
    result = system.run("members", "vip")
    assert result.returncode == 3
    assert b"REDIS_URL" in result.stderr
    assert b"Traceback" not in result.stderr
