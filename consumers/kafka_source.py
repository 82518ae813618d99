"""The change stream in Kafka, read by a consumer group; the group's positions are not Kafka's, but its own."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from consumers.errors import ConsumerError, UnavailableError
from consumers.settings import SubscriberSettings
from consumers.source import Record
from schemas.instants import Instant
from schemas.names import SEGMENT_CHANGES

_MOST = 500
"""Records in one poll."""
_REPLICAS = 3
"""Of the topic of dead letters, where there are so many brokers."""


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """See `consumers.source.Source`."""

    def __init__(self, group: str, settings: SubscriberSettings) -> None:
        """Connects at `start`."""
        self._settings = settings
        self.topic = settings.topic_prefix + SEGMENT_CHANGES
        self._letters = settings.topic_prefix + settings.dead_letters
        servers = settings.kafka_bootstrap_servers
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
        self._assigned: Callable[[Collection[int]], Awaitable[None]] | None = None
        self._revoked: Callable[[Collection[int]], None] | None = None
        self._fault: Exception | None = None

    async def start(
        self, assigned: Callable[[Collection[int]], Awaitable[None]], revoked: Callable[[Collection[int]], None]
    ) -> None:
        """See `Source`."""
        self._assigned, self._revoked = assigned, revoked
        await self._make_topic_of_letters()
        await self._producer.start()
        self._consumer.subscribe([self.topic], listener=self)
        await self._consumer.start()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Seek to the positions. aiokafka only logs what a listener raises, so `poll` raises it."""
        try:
            if self._assigned is not None:
                await self._assigned([partition.partition for partition in assigned])
        except Exception as error:  # noqa: BLE001 # whatever it is, reading must not go on
            self._fault = error

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Other members have them from now on."""
        if self._revoked is not None:
            self._revoked([partition.partition for partition in revoked])

    async def begin(self, shards: Collection[int], since: Instant | None, *, from_committed: bool) -> Mapping[int, int]:
        """See `Source`."""
        partitions = [TopicPartition(self.topic, shard) for shard in shards]
        if not partitions:
            return {}
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        found = {partition.partition: end for partition, end in ends.items()}
        if since is not None:
            times = await self._consumer.offsets_for_times({one: max(0, since // 1_000) for one in partitions})
            found |= {partition.partition: at.offset for partition, at in times.items() if at is not None}
        if from_committed:
            for partition in partitions:
                committed = await self._consumer.committed(partition)
                found |= {} if committed is None else {partition.partition: committed}
        return found

    async def seek(self, offsets: Mapping[int, int]) -> None:
        """See `Source`."""
        for shard, offset in offsets.items():
            self._consumer.seek(TopicPartition(self.topic, shard), offset)

    async def poll(self, seconds: float) -> Mapping[int, Sequence[Record]]:
        """See `Source`."""
        batches = await self._consumer.getmany(timeout_ms=int(seconds * 1_000), max_records=_MOST)
        if self._fault is not None:
            raise ConsumerError(
                f"the places to read {self.topic} from could not be found; start again"
            ) from self._fault
        return {
            partition.partition: [Record(record.offset, record.value or b"") for record in records]
            for partition, records in batches.items()
        }

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """See `Source`."""
        with suppress(KafkaError):
            await self._consumer.commit({TopicPartition(self.topic, shard): at for shard, at in offsets.items()})

    async def send_letter(self, shard: int, letter: bytes) -> None:
        """See `Source`."""
        try:
            await self._producer.send_and_wait(self._letters, letter, key=str(shard).encode())
        except KafkaError as error:
            raise UnavailableError(f"Kafka did not take a letter for {self._letters}: {error}") from error

    async def stop(self) -> None:
        """See `Source`."""
        await self._consumer.stop()
        await self._producer.stop()

    async def _make_topic_of_letters(self) -> None:
        """Many a Kafka makes no topics by itself; this one holds what needs a person, so it is kept."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.kafka_bootstrap_servers)
        await admin.start()
        try:
            if self._letters not in await admin.list_topics():
                replicas = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
                topic = NewTopic(self._letters, 1, replicas, topic_configs={"retention.ms": "-1"})
                answer = await admin.create_topics([topic])
                for _topic, code, *detail in answer.topic_errors:
                    if code and for_code(code) is not TopicAlreadyExistsError:
                        why = f"{for_code(code).__name__} {detail[0] if detail else ''}"
                        raise ConsumerError(f"{self._letters} cannot be made; make it by hand: {why}")
        finally:
            await admin.close()
