"""The job as a plain Faust program: one event after the other, the customer in a table with a changelog, or in Redis.

An agent, `async for event in stream`, each change sent with `topic.send`. Every setting is Faust's default or better;
uvloop as everywhere. With Redis the customer is read and written around each event, and nothing ties the two together
with the events' offsets.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import faust
import orjson
import uvloop
from redis.asyncio import Redis

from bench.peers.customer import Customer, apply, newcomer
from bench.peers.task import Marks, Task, given

_PARTITIONS = 4

Handle = Callable[[str, dict[str, Any]], Awaitable[list[dict[str, Any]]]]
"""Applies an event of a customer; the changes."""


def program(task: Task) -> faust.App:
    """The app."""
    app = faust.App(
        task.group,
        broker=f"kafka://{task.kafka}",
        store="memory://",
        datadir=task.directory,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_partitions=_PARTITIONS,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
    )
    handle = _in_redis(task) if task.redis else _in_table(app)
    marks = Marks(task.events)
    changes = app.topic(task.target, key_serializer="raw", value_serializer="json")

    async def classify(stream: Any) -> None:
        events: AsyncIterator[tuple[bytes, dict[str, Any]]] = stream.items()
        async for key, event in events:
            marks.begin()
            for change in await handle(key.decode(), event):
                await changes.send(key=key, value=change)
            marks.handled()

    app.agent(app.topic(task.source, key_serializer="raw", value_serializer="json"), name="classify")(classify)
    return app


def _in_table(app: faust.App) -> Handle:
    customers = app.Table("customers", default=newcomer, partitions=_PARTITIONS)

    async def handle(customer_id: str, event: dict[str, Any]) -> list[dict[str, Any]]:
        customer: Customer = customers[customer_id]
        changes = apply(customer, event)
        customers[customer_id] = customer
        return changes

    return handle


def _in_redis(task: Task) -> Handle:
    redis = Redis.from_url(task.redis)

    async def handle(customer_id: str, event: dict[str, Any]) -> list[dict[str, Any]]:
        stored: Any = await redis.hget("customers", customer_id)
        customer: Customer = orjson.loads(stored) if stored else newcomer()
        changes = apply(customer, event)
        written: Any = redis.hset("customers", customer_id, orjson.dumps(customer).decode())
        await written
        return changes

    return handle


async def _run(task: Task) -> None:
    app = program(task)
    await app.start()
    await app.wait(asyncio.Event())  # until it crashes, or the harness ends the process


def main() -> None:
    """Run it until it is ended."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(given()))


if __name__ == "__main__":
    main()
