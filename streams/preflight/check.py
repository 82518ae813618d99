"""The look before the start: what was found is told, and what breaks the promise refused."""

import asyncio
import logging
from collections.abc import Collection

from redis.asyncio import Redis

from schemas.names import COMPACTED
from streams.preflight.facts import redis_facts, topic_facts
from streams.preflight.rules import COMPACTED_RULES, KEPT_RULES, REDIS_RULES, SAFETY_RULES, Finding, Hazard, examine

log = logging.getLogger(__name__)


class UnsafeError(Exception):
    """Settings of Redis or Kafka that break what this program promises, and that nobody has accepted."""


async def look(redis: Redis, bootstrap: str, prefix: str) -> list[Finding]:
    """All settings that are not as they must be.

    Raises:
        RedisError, KafkaError: one of both cannot be reached.
    """
    of_redis, of_topics, of_compacted = await asyncio.gather(
        redis_facts(redis), topic_facts(bootstrap, prefix), topic_facts(bootstrap, prefix, COMPACTED)
    )
    return [
        *examine(REDIS_RULES, of_redis),
        *examine(KEPT_RULES, of_topics),
        *examine(COMPACTED_RULES, of_compacted),
        *examine(SAFETY_RULES, {**of_topics, **of_compacted}),
    ]


def refuse_unsafe(findings: list[Finding], accepted: Collection[Hazard]) -> None:
    """Tell of what was found.

    Raises:
        UnsafeError: a setting breaks the promise, and is not accepted.
    """
    refused = [finding for finding in findings if finding.is_refused(accepted)]
    for finding in findings:
        if finding not in refused:
            hazard = finding.rule.hazard
            log.warning("%s%s", f"accepted, {hazard}: " if finding.value is not None and hazard else "", finding)
    if refused:
        raise UnsafeError(refusal(refused))


def refusal(refused: list[Finding]) -> str:
    """What to tell whoever started a worker."""
    names = sorted({str(finding.rule.hazard) for finding in refused})
    return "\n".join(
        [
            "settings break what this program promises (docs/guarantees.md):",
            *(f"- {finding.rule.hazard}: {finding}" for finding in refused),
            f"Mend them, or accept each by its name: SEGMENTS_ALLOW_UNSAFE={','.join(names)}",
        ]
    )
