"""One customer's past, as Kafka has it: the events of theirs in the inputs, and the changes that were told of them."""

from collections.abc import AsyncIterator

from schemas.errors import UndecodableError
from schemas.events import AnyEvent
from schemas.instants import Instant
from schemas.names import ANONYMOUS, INPUTS, SEGMENT_CHANGES
from schemas.transitions import SegmentChange
from schemas.wire import decode
from streams.core.admission import profile_id_of
from streams.kafka.history import KafkaHistory
from streams.kafka.reading import TopicReader
from streams.settings import Settings


async def events_of(settings: Settings, profile_id: str, shard: int, until: Instant) -> list[AnyEvent]:
    """The events of a customer up to an instant, as they lie in the inputs of their shard: in no order, and repeated.

    Raises:
        KafkaError: Kafka cannot be reached.
    """
    kafka, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
    refused = await KafkaHistory(kafka, prefix, settings.group).refused(shard)
    needle, found = profile_id.removeprefix(ANONYMOUS).encode(), list[AnyEvent]()
    async with TopicReader(kafka, prefix) as reader:
        for (topic, _shard), (start, end) in (await reader.spans(INPUTS, [shard])).items():
            async for run in reader.records(topic, shard, start, end):
                for record in run:
                    value = record.value or b""
                    # Most records are of others, and need not be decoded to see that; an escaped id does not show.
                    if (needle not in value and b"\\" not in value) or (topic, record.offset) in refused:
                        continue
                    event = _event(value, topic)
                    if event is not None and profile_id_of(event) == profile_id and event.occurred_at <= until:
                        found.append(event)
    return found


def _event(value: bytes, topic: str) -> AnyEvent | None:
    try:
        return decode(value, topic)
    except UndecodableError:
        return None


async def changes_of(settings: Settings, profile_id: str, shard: int) -> AsyncIterator[SegmentChange]:
    """All that was told of a customer, each change once, in order.

    Raises:
        KafkaError: Kafka cannot be reached.
    """
    key, last = profile_id.removeprefix(ANONYMOUS).encode(), 0
    async with TopicReader(settings.kafka_bootstrap_servers, settings.topic_prefix) as reader:
        ((start, end),) = (await reader.spans([SEGMENT_CHANGES], [shard])).values()
        async for run in reader.records(SEGMENT_CHANGES, shard, start, end):
            for record in run:
                if record.key != key:
                    continue
                change = SegmentChange.model_validate_json(record.value)
                who = change.customer_id or f"{ANONYMOUS}{change.anonymous_id}"
                if who == profile_id and change.sequence > last:
                    last = change.sequence
                    yield change
