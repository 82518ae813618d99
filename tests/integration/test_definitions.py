"""Definitions that are changed while a real system runs: preview, apply, sweep, rollback; and why, then and now."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from consumers.subscription import ChangeStream
from schemas.instants import DAY, parse_rfc3339, rfc3339
from schemas.names import ORDERS, SEGMENT_CHANGES
from schemas.transitions import CauseKind
from streams.state.reader import Reader
from streams.verify.verify import verify
from tests.integration.system import System
from tests.integration.test_verify import settings_of, sound
from tests.integration.test_worker import order
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker

START = parse_rfc3339("2026-01-01T00:00:00Z")
OLD = """
[segments.buyer]
title = "Buyer"
when = "orders.count >= 1"
[segments.loyal]
title = "Loyal"
when = "orders.count >= 3"
[segments.away]
title = "Away"
when = "since(orders.last_at) >= days(90)"
"""
NEW = """
[segments.loyal]
title = "Loyal"
when = "orders.count >= 2"
[segments.away]
title = "Away"
when = "since(orders.last_at) >= days(60)"
[segments.fresh]
title = "Fresh"
when = "orders.count == 1"
"""


def said(system: System, *arguments: str, code: int = 0) -> Any:
    """What a command says as JSON."""
    done = system.run(*arguments, "--json")
    assert done.returncode == code, done.stderr.decode()
    return orjson.loads(done.stdout) if done.stdout else done.stderr.decode()


async def members(system: System, *segments: str) -> dict[str, int]:
    """Sizes by the sets of members."""
    found: dict[str, int] = {}

    async def look(reader: Reader) -> bool:
        found.update(await reader.sizes(list(segments)))
        return True

    await system.wait("sizes", look)
    return found


def shop(system: System, customers: int) -> None:
    """Customer n orders n % 4 times, a day apart."""
    for number in range(4):
        system.send_all(
            ORDERS,
            {f"c{n}": order(f"c{n}", START + number * DAY, number) for n in range(customers) if n % 4 > number},
        )


async def test_definitions_are_changed_without_a_stop_and_taken_back(fresh_stack: FreshStack, tmp_path: Path) -> None:
    old, new, other = (tmp_path / f"{name}.toml" for name in ("old", "new", "other"))
    old.write_text(OLD)
    new.write_text(NEW)
    other.write_text(OLD + '[segments.odd]\ntitle = "Odd"\nwhen = "orders.count == 7"\n')
    customers = 400
    async with System(fresh_stack, clock_at=str(START + 70 * DAY), definitions=str(old)) as system:
        system.start_worker()
        await system.wait_owned()
        system.start_worker(definitions=str(other))
        shop(system, customers)
        await system.wait_applied(START + 70 * DAY)
        assert await members(system, "buyer", "loyal", "odd") == {"buyer": 300, "loyal": 100, "odd": 0}

        seen = said(system, "preview", str(new), "--examples", "1")
        assert (seen["in_force"], seen["customers"]) == (1, 300)
        rows = {key: (row["edit"], row["now"], row["then"]) for key, row in seen["segments"].items()}
        assert rows == {
            "buyer": ("removed", 300, 0),
            "loyal": ("changed", 100, 200),
            "away": ("changed", 0, 300),
            "fresh": ("new", 0, 100),
        }
        assert seen["segments"]["loyal"]["joining"] == {"count": 100, "examples": ["c10"]}
        before = await system.read(SEGMENT_CHANGES)
        assert {change["definitions_version"] for change in before} == {1}

        applied = said(system, "apply", str(new))
        assert (applied["version"], applied["published"], applied["swept"], applied["shards"]) == (2, True, 4, 4)
        assert not said(system, "apply", str(new))["published"]
        assert await members(system, "buyer", "loyal", "away", "fresh") == {
            "buyer": 0,
            "loyal": 200,
            "away": 300,
            "fresh": 100,
        }
        await system.wait_applied(START + 70 * DAY)
        changes = (await system.read(SEGMENT_CHANGES))[len(before) :]
        edited = [change for change in await system.read(SEGMENT_CHANGES) if change["cause"]["kind"] == "definition"]
        assert len(edited) == len(changes) == 300 + 100 + 300 + 100
        assert {change["effective_at"] for change in edited} == {rfc3339(START + 70 * DAY)}
        assert {change["definitions_version"] for change in edited} == {2}
        await sound(system)

        async with ChangeStream(system.kafka, system.prefix, from_start=True, without=[CauseKind.DEFINITION]) as stream:
            heard = [change.cause.kind async for change in _first(stream, len(before))]
        assert heard == [CauseKind.EVENT] * len(before)

        back = said(system, "rollback")
        assert (back["version"], back["swept"]) == (3, 4)
        assert await members(system, "buyer", "loyal", "away", "fresh") == {
            "buyer": 300,
            "loyal": 100,
            "away": 0,
            "fresh": 0,
        }
        versions = said(system, "versions")
        assert [(row["version"], row["origin"], row["restores"]) for row in versions["versions"]] == [
            (1, "start", None),
            (2, "apply", None),
            (3, "rollback", 1),
        ]
        assert system.run("versions", "--show", "2").stdout.decode() == NEW
        assert b"there is no version 9" in system.run("rollback", "9").stderr
        await sound(system)
        rebuilt = system.run("rebuild", "--json")
        assert rebuilt.returncode == 0, rebuilt.stderr.decode()
        await sound(system)
        assert "rebuild" not in {change["cause"]["kind"] for change in await system.read(SEGMENT_CHANGES)}


async def _first(stream: ChangeStream, count: int) -> Any:
    async for change in stream:
        yield change
        count -= 1
        if not count:
            return


async def test_a_sweep_survives_the_death_of_its_worker_and_what_comes_in_is_judged_at_once(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text(OLD)
    new.write_text(NEW)
    customers = 8_000
    async with System(fresh_stack, clock_at=str(START + 70 * DAY), definitions=str(old), partitions=1) as system:
        system.start_worker()
        shop(system, customers)
        await system.wait_applied(START + 70 * DAY)
        assert not said(system, "apply", str(new), "--no-wait")["swept"]

        async def half(reader: Reader) -> bool:
            judging = (await reader.judging())[0]
            return judging.version == 2 and judging.sweep is not None and judging.swept >= 500

        await system.wait("the sweep has begun", half)
        system.workers[0].kill()
        await sound(system)  # each by the version that judged them
        system.send_all(ORDERS, {"newcomer": order("newcomer", START + 69 * DAY)})
        system.start_worker()

        async def swept(reader: Reader) -> bool:
            return (await reader.judging())[0].sweep is None

        await system.wait("the next owner has swept the rest", swept)
        assert said(system, "versions")["latest"]["judged"] == 6_001
        await system.wait_applied(START + 70 * DAY)
        assert await members(system, "buyer", "loyal", "away", "fresh") == {
            "buyer": 0,
            "loyal": 4_000,
            "away": 6_000,
            "fresh": 2_001,
        }
        await sound(system)
        edited = [change for change in await system.read(SEGMENT_CHANGES) if change["cause"]["kind"] == "definition"]
        assert len(edited) == 6_000 + 2_000 + 6_000 + 2_000
        (fresh,) = [row for row in await system.read(SEGMENT_CHANGES) if row["customer_id"] == "newcomer"]
        assert (fresh["segment"], fresh["cause"]["kind"], fresh["definitions_version"]) == ("fresh", "event", 2)


async def test_what_may_not_be_applied_is_refused_in_one_line(fresh_stack: FreshStack, tmp_path: Path) -> None:
    bad, dear, good = (tmp_path / f"{name}.toml" for name in ("bad", "dear", "good"))
    bad.write_text(OLD.replace("orders.count", "orders.cuont"))
    dear.write_text('[currency]\nbase = "EUR"\n' + NEW)
    good.write_text(NEW)
    async with System(fresh_stack, definitions=str(good)) as system:
        first = said(system, "apply", str(good))
        assert (first["version"], first["published"], first["workers"]) == (1, True, 0)
        for command in ("apply", "preview"):
            refused = system.run(command, str(bad))
            assert refused.returncode == 1
            assert b"did you mean 'orders.count'?" in refused.stderr
        assert "the base currency would be EUR, not GBP" in said(system, "apply", str(dear), code=1)
        assert "to go back to; there are: 1" in said(system, "rollback", code=1)
        accepted = said(system, "apply", str(dear), "--currency")
        assert (accepted["version"], accepted["swept"]) == (2, 0)
        system.start_worker()
        await system.wait_owned()
        assert [row["version"] for row in said(system, "versions")["versions"]] == [1, 2]


async def test_why_answers_for_now_and_for_then_and_history_tells_how_it_came(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text(OLD)
    new.write_text(NEW)
    async with System(fresh_stack, clock_at=str(START + 50 * DAY), definitions=str(old)) as system:
        system.start_worker()
        await system.wait_owned()
        for number in range(3):
            system.send_all(ORDERS, {"ann": order("ann", START + number * DAY, number)})
        await system.wait_applied(START + 50 * DAY)

        now = said(system, "why", "ann", "away")
        assert (now["member"], now["changes_at"], now["unless"]) == (False, rfc3339(START + 92 * DAY), ["orders"])
        assert now["definitions_version"] == 1
        assert [event["id"] for event in now["clauses"][0]["events"]] == ["o-ann-0", "o-ann-1", "o-ann-2"]

        then = said(system, "why", "ann", "loyal", "--at", rfc3339(START + DAY))
        assert (then["member"], then["events_from"], then["needs"]) == (False, "kafka", "orders.count >= 3")
        assert then["clauses"][0]["value"] == 2
        assert [event["id"] for event in then["clauses"][0]["events"]] == ["ann-0", "ann-1"]
        later = said(system, "why", "ann", "loyal", "--at", rfc3339(START + 2 * DAY))
        assert later["member"]
        named = said(system, "why", "ann", "loyal", "--events")
        assert [event["id"] for event in named["clauses"][0]["events"]] == ["ann-0", "ann-1", "ann-2"]

        said(system, "apply", str(new))
        await system.wait_applied(START + 50 * DAY)
        assert said(system, "why", "ann", "away")["changes_at"] == rfc3339(START + 62 * DAY)
        gone = system.run("why", "ann", "buyer")
        assert gone.returncode == 1
        assert b"unknown segment 'buyer'" in gone.stderr
        assert said(system, "why", "ann", "buyer", "--at", rfc3339(START + DAY))["definitions_version"] == 1

        lines = system.run("history", "ann", "--json").stdout.splitlines()
        told = [orjson.loads(line) for line in lines]
        assert [(row["type"][8:], row["segment"], row["cause"]["kind"]) for row in told] == [
            ("entered", "buyer", "event"),
            ("entered", "loyal", "event"),
            ("exited", "buyer", "definition"),
        ]
        assert len(system.run("history", "ann", "--limit", "1").stdout.splitlines()) == 1
        assert system.run("history", "nobody").returncode == 1
        report = await verify(settings_of(system))
        assert report.ok, "\n".join(report.lines())
