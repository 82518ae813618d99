"""The worker's promises on a real Kafka and Redis: exact crossings, bad input, crashes, a store set back."""

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from schemas.deadletters import MAX_KEY
from schemas.instants import DAY, MINUTE, SECOND, Instant, parse_rfc3339, rfc3339
from schemas.names import DEAD_LETTERS, ORDERS, SEGMENT_CHANGES, SITE_EVENTS
from streams.clock import wall_clock
from streams.sources.shop import ShopPlan, lines
from streams.state import keys
from streams.state.reader import Reader
from tests.integration.system import PATIENCE, System
from tests.integration.test_same_result import by_the_core_alone, check, fold
from tests.stacks.isolation import FreshStack

pytestmark = pytest.mark.broker


def order(customer: str, at: Instant, number: int = 1, **other: Any) -> bytes:
    """An order of 10.00."""
    event = {
        "id": f"{customer}-{number}",
        "type": "order.placed",
        "version": 1,
        "occurred_at": rfc3339(at),
        "source": "test",
        "customer_id": customer,
        "order_id": f"o-{customer}-{number}",
        "total": 1000,
        "currency": "GBP",
    }
    return orjson.dumps(event | other)


def shop(path: Path, seed: int, customers: int = 120, days: int = 50) -> Instant:
    """A generated shop in a file; the instant of its last event."""
    plan = ShopPlan(customers=customers, days=days, seed=seed, duplicates=0.05, late=0.05, broken=0)
    path.write_bytes(b"\n".join(lines(plan)))
    return by_the_core_alone(path)[1]


async def test_a_crossing_is_emitted_within_a_second_of_its_instant(fresh_stack: FreshStack, tmp_path: Path) -> None:
    rules = tmp_path / "segments.toml"
    rules.write_text('[segments.lapsed]\ntitle = "Lapsed"\nwhen = "since(orders.last_at) >= minutes(0.1)"\n')
    async with System(fresh_stack, definitions=str(rules)) as system:
        system.start_worker()
        await system.wait_owned()
        start = wall_clock()
        system.send_all(ORDERS, {f"c{number}": order(f"c{number}", start + number * 5_000) for number in range(200)})

        async def all_lapsed(reader: Reader) -> bool:
            return (await reader.sizes(["lapsed"]))["lapsed"] == 200

        await system.wait("200 crossings", all_lapsed)
        await system.wait_applied()
        changes = await system.read(SEGMENT_CHANGES)
    assert len(changes) == 200
    for change in changes:
        placed = start + int(str(change["customer_id"])[1:]) * 5_000
        effective = parse_rfc3339(change["effective_at"])
        assert effective == placed + 6 * SECOND
        assert 0 <= parse_rfc3339(change["emitted_at"]) - effective < SECOND
        assert change["cause"]["kind"] == "time"


async def _known(reader: Reader) -> bool:
    return bool(await reader.workers())


async def test_after_a_stop_overdue_crossings_come_in_order_of_their_instants(fresh_stack: FreshStack) -> None:
    start = parse_rfc3339("2026-01-01T00:00:00Z")
    async with System(fresh_stack, partitions=1) as system:
        worker = system.start_worker(clock_at=str(start + DAY))
        orders = {f"c{number}": order(f"c{number}", start + (number * 7919 % 50) * MINUTE) for number in range(50)}
        system.send_all(ORDERS, orders)
        await system.wait_applied()
        assert system.stop_worker(worker) == 0
        system.start_worker(clock_at=str(start + 100 * DAY))
        await system.wait_applied(start + 100 * DAY)
        changes = [change for change in await system.read(SEGMENT_CHANGES) if change["cause"]["kind"] == "time"]
    instants = [parse_rfc3339(change["effective_at"]) for change in changes]
    assert instants == sorted(instants)
    lapsed = [change for change in changes if change["segment"] == "lapsed"]
    assert len(lapsed) == 50
    for change in lapsed:
        number = int(change["customer_id"][1:])
        assert parse_rfc3339(change["effective_at"]) == start + (number * 7919 % 50) * MINUTE + 90 * DAY


async def test_a_stop_in_the_middle_of_a_wave_of_crossings_is_a_clean_one(fresh_stack: FreshStack) -> None:
    start = parse_rfc3339("2026-01-01T00:00:00Z")
    customers = 20_000
    async with System(fresh_stack, partitions=1) as system:
        worker = system.start_worker(clock_at=str(start + DAY))
        system.send_all(ORDERS, {f"c{n}": order(f"c{n}", start + n) for n in range(customers)})
        await system.wait_applied()
        assert system.stop_worker(worker) == 0
        worker = system.start_worker(clock_at=str(start + 100 * DAY))

        async def begun(reader: Reader) -> bool:
            return 0 < (await reader.sizes(["lapsed"]))["lapsed"] < customers

        await system.wait("the wave has begun and is not over", begun)
        assert system.stop_worker(worker) == 0
        system.start_worker(clock_at=str(start + 100 * DAY))
        await system.wait_applied(start + 100 * DAY)
        assert len(fold(await system.read(SEGMENT_CHANGES))["lapsed"]) == customers


async def test_every_kind_of_bad_message_becomes_a_dead_letter_and_its_neighbours_are_processed(
    fresh_stack: FreshStack,
) -> None:
    now = wall_clock() - DAY
    good = orjson.loads(order("x", now))
    bad: dict[str, tuple[bytes, str]] = {
        "not UTF-8": (b'{"type": "\xff\xfe"}', "not_utf8"),
        "not JSON": (b"hello", "not_json"),
        "empty": (b"", "not_json"),
        "a list": (b"[1]", "invalid"),
        "wrong types": (orjson.dumps(good | {"order_id": 5}), "invalid"),
        "unknown type": (orjson.dumps(good | {"type": "order.dreamt"}), "unknown_type"),
        "unknown version": (orjson.dumps(good | {"version": 9}), "unknown_version"),
        "no customer": (orjson.dumps({k: v for k, v in good.items() if k != "customer_id"}), "no_customer"),
        "NaN": (order("x", now).replace(b"1000", b"NaN"), "not_json"),
        "negative money": (orjson.dumps(good | {"total": -5}), "invalid"),
        "fractional money": (orjson.dumps(good | {"total": 10.5}), "invalid"),
        "the far future": (order("x", now + 400 * DAY), "future"),
        "unknown currency": (orjson.dumps(good | {"currency": "XXX"}), "unknown_currency"),
        "10,000 items": (orjson.dumps(good | {"items": [{"product_id": "p"}] * 10_000}), "invalid"),
        "an id of 1 MB": (orjson.dumps(good | {"order_id": "x" * 1_000_000}), "invalid"),
        "another topic's": (orjson.dumps(good | {"type": "page.viewed"}), "wrong_topic"),
    }
    async with System(fresh_stack) as system:
        system.start_worker()
        rows: list[tuple[str, bytes]] = []
        for number, (value, _reason) in enumerate(bad.values()):
            around = (order(f"before{number}", now), value, order(f"after{number}", now))
            rows += [(f"k{number}", message) for message in around]
        system.send_all(ORDERS, rows)
        await system.wait_applied()
        letters = {row["raw_base64"]: row for row in await system.read(DEAD_LETTERS)}
        members = await system.members()
        assert len(letters) == len(bad)
    for name, (value, reason) in bad.items():
        letter = letters[b64encode(value).decode()]
        assert letter["reason"] == reason, name
        assert letter["detail"]
        assert letter["topic"] == ORDERS
        assert letter["complete"]
    assert len(members["first_time_buyer"]) == 2 * len(bad)


async def test_the_largest_messages_are_dead_letters_on_the_topics_that_we_create(fresh_stack: FreshStack) -> None:
    messages = {"k": b"x" * 5_000_000, "k" * 900_000: b"x" * 7_400_000, "k" * 5_000_000: b"x"}
    async with System(fresh_stack, partitions=1) as system:
        system.start_worker()
        system.send_all(SITE_EVENTS, messages)
        system.send(ORDERS, order("c", wall_clock() - DAY), "c")
        await system.wait_applied()
        letters = await system.read(DEAD_LETTERS)
        assert [(letter["reason"], letter["size"]) for letter in letters] == [
            ("too_large", 5_000_000),
            ("too_large", 7_400_000),
            ("not_json", 1),
        ]
        assert [len(b64decode(letter["key_base64"])) for letter in letters] == [1, 900_000, MAX_KEY]
        assert (await system.members())["first_time_buyer"] == ["c"]


async def test_a_killed_worker_loses_and_doubles_nothing(fresh_stack: FreshStack, tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    until = shop(path, seed=21)
    async with System(fresh_stack, clock_at=str(until), batch="50") as system:
        system.start_worker()
        system.publish(path)
        for share in (0.2, 0.5, 0.8):
            await system.wait_share(share)
            system.workers[-1].kill()
            system.start_worker()
        await check(system, path)


async def test_a_worker_that_cannot_go_on_ends(fresh_stack: FreshStack) -> None:
    async with System(fresh_stack, partitions=1) as system:
        worker = system.start_worker()
        await system.wait_owned()
        redis = Redis.from_url(system.redis_url)
        await redis.set(keys.profiles_key(0), "not a hash")
        await redis.aclose()
        system.send(ORDERS, order("c", wall_clock() - DAY), "c")
        assert worker.wait(PATIENCE) == 1


async def test_a_store_that_came_back_older_is_caught_up_again(fresh_stack: FreshStack, tmp_path: Path) -> None:
    early, late, whole = tmp_path / "early.jsonl", tmp_path / "late.jsonl", tmp_path / "whole.jsonl"
    until = shop(whole, seed=22)
    rows = whole.read_bytes().split(b"\n")
    early.write_bytes(b"\n".join(rows[: len(rows) // 2]))
    late.write_bytes(b"\n".join(rows[len(rows) // 2 :]))
    async with System(fresh_stack, clock_at=str(until)) as system:
        system.start_worker()
        redis = Redis.from_url(system.redis_url)
        await system.wait_owned()
        stored = {key: await redis.dump(key) or b"" for key in await redis.keys("*") if key != keys.WORKERS.encode()}
        system.publish(early)
        await system.wait_applied(until)
        await redis.flushdb()
        for key, value in stored.items():
            await redis.restore(key, 0, value)
        system.publish(late)
        await system.wait_applied(until)
        run, _until, _refused = by_the_core_alone(whole)
        assert await system.members() == run.members()
        assert await system.profiles() == {key: customer.profile for key, customer in run.customers.items()}
        await redis.aclose()


async def test_shards_stay_whole_with_three_and_five_workers(fresh_stack: FreshStack) -> None:
    async with System(fresh_stack, partitions=8) as system:
        for workers in (3, 5):
            while len(system.workers) < workers:
                system.start_worker()

            async def shared(reader: Reader, workers: int = workers) -> bool:
                if not await _known(reader):
                    return False
                signs = [sign["shards"] for sign in (await reader.workers()).values() if sign["shards"]]
                return len(signs) == workers and sorted(n for shards in signs for n in shards) == list(range(8))

            await system.wait(f"{workers} workers share 8 shards", shared)
        system.send(ORDERS, order("c", wall_clock() - DAY), "c")
        await system.wait_applied()
        assert (await system.members())["first_time_buyer"] == ["c"]


async def test_a_worker_refuses_bad_definitions_and_topics_that_do_not_fit(
    fresh_stack: FreshStack, tmp_path: Path
) -> None:
    rules = tmp_path / "segments.toml"
    rules.write_text('[segments.vip]\ntitle = "VIP"\nwhen = "orders.cuont >= 3"\n')
    async with System(fresh_stack, definitions=str(rules)) as system:
        assert system.start_worker().wait(60) == 1
    async with System(fresh_stack, partitions=2) as system:
        redis = Redis.from_url(system.redis_url)
        await redis.hset(keys.TOPOLOGY_KEY, mapping={"shards": "3", "layout": "1"})
        await redis.aclose()
        assert system.start_worker().wait(60) == 1
