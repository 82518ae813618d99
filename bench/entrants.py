"""Who takes part in the race on *mini*: one line each, and how its program is started."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench import builds

OURS, OURS_SINGLE = "ours", "ours-one-topic"
_QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


@dataclass(frozen=True)
class Entrant:
    """A peer.

    Attributes:
        name: what `--only` calls it.
        title: what the report calls it.
        durable: what a crash cannot take.
        prepare: the command that runs it, without the task; makes it ready first, and raises
            `builds.UnavailableError` where that is not possible.
        transactions, cache: see `bench.peers.task.Task`.
        in_redis: it keeps its state in Redis.
        slow: it gets the log in small.
    """

    name: str
    title: str
    durable: str
    prepare: Callable[[], list[str]]
    transactions: bool = False
    cache: bool = False
    in_redis: bool = False
    slow: bool = False


def _kafka_streams() -> list[str]:
    return builds.java("kafka_streams", "mini.KafkaStreamsPeer", "-Xmx1g", _QUIET)


def _flink() -> list[str]:
    opened = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("lang", "util", "time")]
    return builds.java("flink", "mini.FlinkPeer", "-Xmx2g", _QUIET, *opened)


def _faust() -> list[str]:
    return [sys.executable, "-m", "bench.peers.faust_mini"]  # of our own requirements


def _streams(name: str, guarantee: str, durable: str, *, transactions: bool, cache: bool) -> Entrant:
    title = f"Kafka Streams 4.1.1, {guarantee}, cache {'on' if cache else 'off'}"
    return Entrant(name, title, durable, _kafka_streams, transactions=transactions, cache=cache)


_CHANGELOG = "changelog, commits each 30 s"
_TRANSACTIONS = "changelog, transactions each 100 ms"

PEERS = (
    _streams("kafka-streams-cache", "at least once", _CHANGELOG, transactions=False, cache=True),
    _streams("kafka-streams", "at least once", _CHANGELOG, transactions=False, cache=False),
    _streams("kafka-streams-eos-cache", "exactly once", _TRANSACTIONS, transactions=True, cache=True),
    _streams("kafka-streams-eos", "exactly once", _TRANSACTIONS, transactions=True, cache=False),
    Entrant("flink", "Flink 2.2.1, at least once", "snapshots each 10 s", _flink),
    Entrant("bytewax", "Bytewax 0.21.1", "snapshots each 10 s", partial(builds.python, "bytewax_mini")),
    Entrant("quix", "Quix Streams 3.28.1", "changelog, commits each 5 s", partial(builds.python, "quix_mini")),
    Entrant("faust-table", "Faust, event by event, table", "changelog, commits each 2.8 s", _faust, slow=True),
    Entrant("faust-redis", "Faust, event by event, Redis", "not tied to offsets", _faust, in_redis=True, slow=True),
)


def peer_called(name: str) -> Entrant:
    """The peer that `--only` calls so."""
    return next(peer for peer in PEERS if peer.name == name)


NAMES = (OURS, OURS_SINGLE, *(peer.name for peer in PEERS))
