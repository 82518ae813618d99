"""Reads the settings that `streams.preflight.rules` is about; judges nothing."""

import time
from collections.abc import Collection
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from schemas.names import TOPICS
from streams.preflight.rules import CLOCK, REDIS_RULES, REPLICATION, TOPIC_RULES, Values

_INFO = {"appendonly": ("aof_enabled", {"0": "no", "1": "yes"}), "maxmemory-policy": ("maxmemory_policy", None)}
"""Where INFO says the same as CONFIG, which a managed Redis often forbids."""


async def redis_facts(redis: Redis) -> dict[str, Values]:
    """The settings of a Redis.

    Raises:
        RedisError: it cannot be reached.
    """
    names = [rule.setting for rule in REDIS_RULES if rule.setting != CLOCK]
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.config_get(name)
    configured = await pipeline.execute(raise_on_error=False)
    values: dict[str, str | None] = {
        name: None if isinstance(found, Exception) else found.get(name)
        for name, found in zip(names, configured, strict=True)
    }
    info = await _info(redis)
    for name, (field, words) in _INFO.items():
        if values[name] is None and field in info:
            values[name] = words.get(info[field], info[field]) if words else info[field]
    values[CLOCK] = await _clock(redis)
    return {"Redis": values}


async def _info(redis: Redis) -> dict[str, str]:
    try:
        return {name: str(value) for name, value in (await redis.info()).items()}
    except ResponseError:
        return {}


async def _clock(redis: Redis) -> str | None:
    """How far our clock is ahead of Redis', in seconds; the time of the round trip is given to it."""
    before = time.time()
    try:
        seconds, microseconds = await redis.time()
    except ResponseError:
        return None
    theirs, after = seconds + microseconds / 1_000_000, time.time()
    ahead = max(0.0, before - theirs) + min(0.0, after - theirs)
    return f"{ahead:+.1f} s"


async def topic_facts(bootstrap: str, prefix: str, topics: Collection[str] = TOPICS) -> dict[str, Values]:
    """The settings of those of some topics that there are.

    Raises:
        KafkaError: Kafka cannot be reached.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        names = [prefix + name for name in topics if prefix + name in known]
        described = await admin.describe_topics(names) if names else []
        configured = await _configured(admin, names)
    finally:
        await admin.close()
    copies = {row["topic"]: min((len(part["replicas"]) for part in row["partitions"]), default=0) for row in described}
    return {f"topic {name}": {**configured.get(name, {}), REPLICATION: str(copies[name])} for name in names}


async def _configured(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Topic -> setting -> value; nothing of what Kafka does not tell."""
    settings = dict.fromkeys(rule.setting for rule in TOPIC_RULES if rule.setting != REPLICATION)
    try:
        answers: list[Any] = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, settings) for name in names]
        )
    except KafkaError:  # a broker that does not know the request, or forbids it
        return {}
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for code, _message, _kind, name, entries in answer.resources
        if code == 0
    }
