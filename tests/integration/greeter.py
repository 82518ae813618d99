"""A subscriber to be killed: appends each change's id to a list in Redis, with its position in the same transaction."""

import asyncio
import os
import signal
import sys

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from consumers.positions_redis import RedisPositions
from consumers.settings import SubscriberSettings
from consumers.subscribe import subscribe
from schemas.transitions import SegmentChange


async def main(group: str) -> None:
    async def greet(change: SegmentChange, pipeline: Pipeline) -> None:
        if change.customer_id == "cannot be greeted":
            raise ArithmeticError("and never will be")
        pipeline.rpush("greeted", change.id)

    async with Redis.from_url(os.environ["REDIS_URL"]) as redis:
        settings = SubscriberSettings(first_wait=0.001)
        subscription = subscribe(group, segments={"vip"}, since=0, settings=settings, positions=RedisPositions(redis))
        await subscription.run(greet, stop_on={signal.SIGTERM})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
