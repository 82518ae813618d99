"""Topics: created where they are missing, checked where they are there."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.deadletters import MAX_INPUT, MAX_LETTER
from schemas.names import COMPACTED, DEAD_LETTERS, INPUTS, TOPICS
from streams.kafka.errors import TopicsError

_FOREVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""Kafka is the truth that state can be rebuilt from; a shop that keeps less sets less on the topics, and accepts it."""
_MIN_INSYNC = 2
"""Copies of what is acknowledged, where there are as many."""
_LARGEST = {**dict.fromkeys(INPUTS, MAX_INPUT), DEAD_LETTERS: MAX_LETTER}


def configuration(name: str, replication: int = 1) -> dict[str, str]:
    """What a topic of so many replicas is created with."""
    largest = {"max.message.bytes": str(_LARGEST[name])} if name in _LARGEST else {}
    insync = {"min.insync.replicas": str(_MIN_INSYNC)} if replication >= _MIN_INSYNC else {}
    kept = {"cleanup.policy": "compact"} if name in COMPACTED else _FOREVER
    return kept | largest | insync


async def ensure_topics(bootstrap: str, prefix: str, partitions: int, replication: int) -> int:
    """Create the topics that are missing; the number of partitions that all of them have.

    Args:
        bootstrap: bootstrap servers.
        prefix: put before every name.
        partitions: of topics that are created, if none of ours is there yet.
        replication: replicas of topics that are created; 0 is three, or as many as there are brokers.

    Raises:
        TopicsError: the topics do not all have the same number of partitions.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        present = await _present(admin, prefix)
        wanted = next(iter(present.values()), partitions)
        counts = {**dict.fromkeys(TOPICS, wanted), **dict.fromkeys(COMPACTED, 1)}
        known = set(await admin.list_topics())
        missing = {topic: count for topic, count in counts.items() if prefix + topic not in known}
        if missing:
            brokers = (await admin.describe_cluster())["brokers"]
            await _create(admin, prefix, missing, replication or min(3, len(brokers)))
            present |= {topic: count for topic, count in missing.items() if topic in TOPICS}
    finally:
        await admin.close()
    if len(set(present.values())) > 1:
        found = ", ".join(f"{prefix}{name}: {count}" for name, count in sorted(present.items()))
        raise TopicsError(f"all topics need the same number of partitions; found {found}")
    return wanted


async def _present(admin: AIOKafkaAdminClient, prefix: str) -> dict[str, int]:
    known = set(await admin.list_topics())
    names = [prefix + name for name in TOPICS if prefix + name in known]
    if not names:
        return {}
    described = await admin.describe_topics(names)
    return {row["topic"].removeprefix(prefix): len(row["partitions"]) for row in described}


async def _create(admin: AIOKafkaAdminClient, prefix: str, counts: dict[str, int], replication: int) -> None:
    topics = [
        NewTopic(prefix + name, partitions, replication, topic_configs=configuration(name, replication))
        for name, partitions in counts.items()
    ]
    response = await admin.create_topics(topics)
    for name, code, *detail in response.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise TopicsError(f"cannot create topic '{name}': {for_code(code).__name__} {detail[0] if detail else ''}")
