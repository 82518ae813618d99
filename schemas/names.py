"""Topics, and the Redis keys that readers outside the classifier may use. One place for every shared name."""

ORDERS = "orders"
SITE_EVENTS = "site-events"
SUPPORT_CONTACTS = "support-contacts"
REROUTED = "rerouted"
SEGMENT_CHANGES = "segment-changes"
DEAD_LETTERS = "dead-letters"

STREAMS = (ORDERS, SITE_EVENTS, SUPPORT_CONTACTS)
"""Topics that producers write to."""
INPUTS = (*STREAMS, REROUTED)
"""Topics that the classifier reads. A shard is partition p of all of them."""
TOPICS = (*INPUTS, SEGMENT_CHANGES, DEAD_LETTERS)
"""Every topic of customers; all have the same number of partitions."""
DEFINITIONS = "definitions"
MODEL_PARAMETERS = "model-parameters"
COMPACTED = (DEFINITIONS, MODEL_PARAMETERS)
"""Topics of the whole installation, of one partition; Kafka keeps the latest message of each key."""

ANONYMOUS = "anonymous:"
"""Prefix of the profile id of a visitor who is known by an anonymous id only."""

TOPOLOGY_KEY = "segments:topology"
"""Redis hash: how many shards there are (`shards`), and since which layout version (`layout`)."""


def live_key(shard: int) -> str:
    """Redis hash of a shard's read model: profile id -> JSON of `schemas.live.Live`."""
    return f"{{{shard}}}:live"


def members_key(shard: int, segment: str) -> str:
    """Redis set of a segment's members in a shard; since when each is one stands in the read model."""
    return f"{{{shard}}}:members:{segment}"
