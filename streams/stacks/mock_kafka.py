"""librdkafka's mock cluster: a broker that speaks Kafka's protocol inside this process, without a JVM.

`confluent-kafka` carries librdkafka but hands out no way to create a topic in the mock cluster with a partition count
of one's own (an automatic one has 4), so this calls the C functions of the library that `confluent-kafka` has loaded.

What aiokafka can do with it: produce (idempotent, acks=all, compressed, with headers, in transactions), fetch, seek,
ask for beginning and end offsets, and be the one member of a group (a static one too) that commits offsets.

What it cannot do:
- create or delete topics, list groups: it has no controller. An unknown topic asked for appears with 4 partitions;
- have a second member in a group (InvalidRequestError), or join again within about 9 s of the last member's leaving;
- look up offsets by time (always None), hide aborted records, tell a producer the timestamp (always 1234);
- keep more than about 5 MB a partition: the oldest records go without a word, so a producer paces itself on the lag.
"""

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from confluent_kafka import cimpl

from streams.stacks import StackError

_PRODUCER = 0
_CONF_OK = 0
_ERROR_SIZE = 512


@contextmanager
def mock_kafka(topics: Iterable[str], partitions: int) -> Iterator[str]:
    """A mock cluster of one broker that has these topics; yields its bootstrap servers.

    Raises:
        StackError: librdkafka refused to make the cluster or a topic.
    """
    library = _library()
    client = _client(library)
    try:
        cluster = library.rd_kafka_handle_mock_cluster(client)
        # As it stands, the first member of a group would wait 3 s for others; a second one fails anyway.
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
        for topic in topics:
            error = library.rd_kafka_mock_topic_create(cluster, topic.encode(), partitions, 1)
            if error:
                raise StackError(f"the mock cluster refused topic {topic} with {partitions} partitions: error {error}")
        yield library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    finally:
        library.rd_kafka_destroy(client)


def _library() -> ctypes.CDLL:
    # Symbols of an extension module's dependencies are found through the module itself, whatever their file is called.
    library = ctypes.CDLL(cimpl.__file__)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[type | None, list[type]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_handle_mock_cluster": (pointer, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _client(library: ctypes.CDLL) -> int:
    """The client handle that owns the cluster; librdkafka takes the configuration over."""
    fault = ctypes.create_string_buffer(_ERROR_SIZE)
    configuration = library.rd_kafka_conf_new()
    # Log level 2 (critical): the cluster would announce itself on standard error.
    for name, value in ((b"test.mock.num.brokers", b"1"), (b"log_level", b"2")):
        if library.rd_kafka_conf_set(configuration, name, value, fault, _ERROR_SIZE) != _CONF_OK:
            raise StackError(f"librdkafka refused {name.decode()}: {fault.value.decode()}")
    client: int | None = library.rd_kafka_new(_PRODUCER, configuration, fault, _ERROR_SIZE)
    if client is None:
        raise StackError(f"librdkafka started no mock cluster: {fault.value.decode()}")
    return client
