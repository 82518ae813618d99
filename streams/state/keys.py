"""Every Redis key of the classifier. All keys of a shard carry its tag, so they live on one node of a cluster."""

from dataclasses import dataclass

from schemas.names import TOPOLOGY_KEY, live_key, members_key

LAYOUT = 1
"""Version of this arrangement of keys."""

WORKERS = "segments:workers"
"""Hash: worker -> JSON of what it owns and when it was last alive."""


def meta_key(shard: int) -> str:
    """Hash: epoch, commit, sequence, relayed, `offset:<topic>` for each input, and `streams.state.judging.Judging`.

    Of a silent shard (`streams.shard.silence`) also `told` and `silent:<topic>`; of one that is being rebuilt, `token`.
    """
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


def told_key(shard: int) -> str:
    """Hash, of a silent shard: customer -> what subscribers were told (`streams.shard.told`)."""
    return f"{{{shard}}}:told"


def before_key(shard: int) -> str:
    """Hash, of a silent shard that was rebuilt: the read model of the state that it replaced."""
    return f"{{{shard}}}:before"


@dataclass(frozen=True)
class Keys:
    """The keys of all shards; those of another space hold a state that is being made beside the live one."""

    space: str = ""

    def meta(self, shard: int) -> str:
        """See `meta_key`."""
        return self._in_space(meta_key(shard))

    def profiles(self, shard: int) -> str:
        """See `profiles_key`."""
        return self._in_space(profiles_key(shard))

    def live(self, shard: int) -> str:
        """See `schemas.names.live_key`."""
        return self._in_space(live_key(shard))

    def due(self, shard: int) -> str:
        """See `due_key`."""
        return self._in_space(due_key(shard))

    def outbox(self, shard: int) -> str:
        """See `outbox_key`."""
        return self._in_space(outbox_key(shard))

    def told(self, shard: int) -> str:
        """See `told_key`."""
        return self._in_space(told_key(shard))

    def before(self, shard: int) -> str:
        """See `before_key`."""
        return self._in_space(before_key(shard))

    def members(self, shard: int, segment: str) -> str:
        """See `schemas.names.members_key`."""
        return self._in_space(members_key(shard, segment))

    def _in_space(self, key: str) -> str:
        """The tag stays in front: both spaces of a shard live on one node."""
        return key.replace("}:", "}:" + self.space, 1)


REBUILD = Keys("rebuild:")
"""The space of a rebuild."""

__all__ = [
    "LAYOUT",
    "REBUILD",
    "TOPOLOGY_KEY",
    "WORKERS",
    "Keys",
    "before_key",
    "due_key",
    "live_key",
    "members_key",
    "meta_key",
    "outbox_key",
    "profiles_key",
    "told_key",
]
