"""Every Redis key of the classifier. All keys of a shard carry its tag, so they live on one node of a cluster."""

from schemas.names import TOPOLOGY_KEY, live_key, members_key

LAYOUT = 1
"""Version of this arrangement of keys."""

WORKERS = "segments:workers"
"""Hash: worker -> JSON of what it owns and when it was last alive."""


def meta_key(shard: int) -> str:
    """Hash: epoch, commit, sequence, relayed, and `offset:<topic>` for each input."""
    return f"{{{shard}}}:meta"


def profiles_key(shard: int) -> str:
    """Hash: customer -> packed profile (`streams.core.codec`)."""
    return f"{{{shard}}}:profiles"


def due_key(shard: int) -> str:
    """Sorted set: customer -> when to look at them again, at the latest."""
    return f"{{{shard}}}:due"


def outbox_key(shard: int) -> str:
    """Stream: transitions not known to be in Kafka, an entry a commit; its id is `<sequence of the last>-0`."""
    return f"{{{shard}}}:outbox"


__all__ = [
    "LAYOUT",
    "TOPOLOGY_KEY",
    "WORKERS",
    "due_key",
    "live_key",
    "members_key",
    "meta_key",
    "outbox_key",
    "profiles_key",
]
