"""The topics: what each is for, who writes it, how it is keyed, how long it is kept."""

from typing import Any, NamedTuple

from schemas.deadletters import MAX_INPUT, MAX_LETTER
from schemas.documents.models import DEAD_LETTER, DEFINITIONS_VERSION, PARAMETERS, SEGMENT_CHANGE, type_of
from schemas.events import Catalogue
from schemas.names import (
    COMPACTED,
    DEAD_LETTERS,
    DEFINITIONS,
    INPUTS,
    MODEL_PARAMETERS,
    ORDERS,
    REROUTED,
    SEGMENT_CHANGES,
    SITE_EVENTS,
    STREAMS,
    SUPPORT_CONTACTS,
)
from schemas.wire import MAX_MESSAGE

KEPT: dict[str, Any] = {"cleanup.policy": ["delete"], "retention.ms": -1, "retention.bytes": -1}
"""Of every topic that we create: for good, because the state can be rebuilt from them."""

COMPACT: dict[str, Any] = {"cleanup.policy": ["compact"]}
"""Of a topic of the whole installation."""

RECEIVED = (*INPUTS, *COMPACTED)
SENT = (REROUTED, SEGMENT_CHANGES, DEAD_LETTERS, *COMPACTED)

KEY = (
    "The key is `customer_id` as UTF-8 where it is known, else `anonymous_id`; the partition is Kafka's default for it "
    "(murmur2; in librdkafka `partitioner=murmur2_random`). So everything of a customer is in one shard, in order."
)
NO_KEY = "There is no key; the partition is that of the refused message."
BY_ID = "The key is `id`, and there is one partition."
VERSIONS = (DEFINITIONS_VERSION, PARAMETERS)
"""Messages of the topics of the whole installation."""
REFUSED = (
    "What is not a valid event, lies in the future, names a currency without a rate, or is larger than "
    f"{MAX_MESSAGE // 1024} KiB goes to `{DEAD_LETTERS}`, and nothing else is held up by it."
)
DEDUPLICATION = (
    "`shard` and `sequence` identify a change: within a shard, which is the partition, `sequence` counts up by one, "
    "without gaps. `id` is both, as `shard-sequence`. Delivery is at least once; a subscriber that remembers the "
    "highest sequence of each shard, one integer, and drops what is not higher, takes in every change exactly once."
)
_KEPT = "for good: the state can be rebuilt from it. A shop that keeps less can rebuild less"


class Topic(NamedTuple):
    """One topic, from the classifier's view."""

    purpose: str
    written_by: str
    messages: tuple[str, ...]
    """Names of the messages on it."""
    kept: str = _KEPT
    key: str = KEY
    max_bytes: int | None = None
    """`max.message.bytes` that the topic is created with; None: the broker's own."""

    def configuration(self) -> dict[str, Any]:
        """What the topic is created with on one broker."""
        limit = {} if self.max_bytes is None else {"max.message.bytes": self.max_bytes}
        return (COMPACT if self.key == BY_ID else KEPT) | limit


def _types(name: str) -> tuple[str, ...]:
    return tuple(type_of(model) for model in Catalogue.by_topic[name])


TOPICS: dict[str, Topic] = {
    ORDERS: Topic(
        "What customers bought, changed, cancelled and gave back.", "the shop", _types(ORDERS), max_bytes=MAX_INPUT
    ),
    SITE_EVENTS: Topic(
        "What visitors did on the site, or with our mail.",
        "the shop and the mailer",
        _types(SITE_EVENTS),
        max_bytes=MAX_INPUT,
    ),
    SUPPORT_CONTACTS: Topic(
        "Contacts with support, and how they ended.", "the helpdesk", _types(SUPPORT_CONTACTS), max_bytes=MAX_INPUT
    ),
    REROUTED: Topic(
        "Events that were read in another shard than their customer's, forwarded byte for byte under the right key. "
        "For the classifier only.",
        "the classifier",
        tuple(name for stream in STREAMS for name in _types(stream)),
        kept="as long as the streams: a rebuild reads it with them",
        max_bytes=MAX_INPUT,
    ),
    SEGMENT_CHANGES: Topic(
        "Who entered or left which segment, when and why: one message per customer and segment, in order within a "
        "partition. Nobody else may write here.",
        "the classifier",
        (SEGMENT_CHANGE,),
        kept="for good: a new subscriber can read all of it, or begin at its end",
    ),
    DEAD_LETTERS: Topic(
        "Messages that could not be events of ours, each with the reason, the place and the bytes.",
        "the classifier",
        (DEAD_LETTER,),
        kept="for good, or until somebody has looked: no state comes from it. It holds what producers sent, unredacted",
        key=NO_KEY,
        max_bytes=MAX_LETTER,
    ),
    DEFINITIONS: Topic(
        "Every version of the definitions; the latest is in force. The first worker's own file is the first of them.",
        "`segments apply`, `segments rollback` and the first worker",
        (DEFINITIONS_VERSION,),
        kept="for good: it is compacted by a key that no two messages share",
        key=BY_ID,
    ),
    MODEL_PARAMETERS: Topic(
        "Every version of the parameters of predictions. A version of the definitions says which is in force.",
        "`segments fit --publish`",
        (PARAMETERS,),
        kept="for good: it is compacted by a key that no two messages share",
        key=BY_ID,
    ),
}
"""Every topic, in the order of the flow."""
