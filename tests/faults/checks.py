"""Whether a schedule ended right: the ledger, Redis and the read model against an oracle over what Kafka holds."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from redis import Redis

from schemas.names import DEAD_LETTERS, STREAMS, live_key, members_key
from tests import oracle
from tests.faults.ledger import Members, read_all
from tests.faults.plan import Message

SEGMENTS = [sys.executable, "-c", "from streams.cli.main import run; run()"]
"""The program, from the sources that the workers run from."""
_SHOWN = 3
_PATIENCE = 120.0
_TAIL = 600

Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True)
class Published:
    """What Kafka holds of a schedule's load.

    Attributes:
        events: those that are not dead letters.
        faults: what must not be: messages missing or too many, dead letters of good events, poison without one.
    """

    events: list[oracle.Event]
    faults: list[str]


def published(bootstrap: str, prefix: str, partitions: int, planned: Sequence[Message]) -> Published:
    """Read the input topics and the dead letters back, and compare them with what was to be sent."""
    names = [prefix + topic for topic in (*STREAMS, DEAD_LETTERS)]
    inputs: dict[Place, bytes] = {}
    letters: dict[Place, str] = {}
    for topic, partition, offset, value in read_all(bootstrap, names, partitions):
        if topic == prefix + DEAD_LETTERS:
            letter = orjson.loads(value)
            letters[letter["topic"], letter["partition"], letter["offset"]] = letter["reason"]
        else:
            inputs[topic.removeprefix(prefix), partition, offset] = value
    poison = {message.value for message in planned if not message.is_event}
    faults = []
    lost, added = _unlike(Counter(message.value for message in planned), Counter(inputs.values()))
    if lost or added:
        faults.append(f"Kafka lacks {lost} messages of the load, and has {added} that are not of it")
    silent = [place for place, value in inputs.items() if value in poison and place not in letters]
    refused = [place for place in letters if inputs.get(place) not in poison]
    if silent:
        faults.append(f"{len(silent)} messages that are no events have no dead letter, for instance {silent[0]}")
    if refused:
        faults.append(f"{len(refused)} dead letters of good events: {Counter(letters[place] for place in refused)}")
    events = [orjson.loads(value) for place, value in inputs.items() if value not in poison and place not in letters]
    return Published(events, faults)


def _unlike(planned: "Counter[bytes]", found: "Counter[bytes]") -> tuple[int, int]:
    return (planned - found).total(), (found - planned).total()


def expected(events: list[oracle.Event], as_of: int) -> Members:
    """Who is in each segment, by the oracle."""
    return {segment: set(ids) for segment, ids in oracle.members(events, as_of).items()}


def by_members(redis: Redis, partitions: int) -> Members:
    """Who is in each segment, by Redis' members sets."""
    found: Members = {}
    for segment in oracle.SEGMENTS:
        sets = [cast("set[bytes]", redis.smembers(members_key(shard, segment))) for shard in range(partitions)]
        found[segment] = {customer.decode() for members in sets for customer in members}
    return found


def by_live(redis: Redis, partitions: int) -> Members:
    """Who is in each segment, by the read model."""
    found: Members = {segment: set() for segment in oracle.SEGMENTS}
    for shard in range(partitions):
        rows = cast("dict[bytes, Any]", redis.hgetall(live_key(shard)))
        for customer, live in rows.items():
            for segment in orjson.loads(live)["in"]:
                found.setdefault(segment, set()).add(customer.decode())
    return found


def by_verify(environment: dict[str, str]) -> list[str]:
    """What `segments verify` finds wrong."""
    done = subprocess.run(
        [*SEGMENTS, "verify", "--json"],
        env=os.environ | environment,
        capture_output=True,
        timeout=_PATIENCE,
        check=False,
    )
    try:
        checks = orjson.loads(done.stdout)["checks"]
    except (orjson.JSONDecodeError, KeyError):
        return [f"segments verify ended with {done.returncode}: {done.stderr.decode()[-_TAIL:]}"]
    wrong = [
        f"segments verify: {name}: {check['differing']} differ" for name, check in checks.items() if not check["ok"]
    ]
    firsts = [(name, check["differences"][:_SHOWN]) for name, check in checks.items()]
    return wrong + [f"segments verify: {name}: {first}"[:_TAIL] for name, found in firsts for first in found]


def differences(name: str, right: Members, found: Members) -> tuple[int, list[str]]:
    """How many memberships one has and the other has not, and the first few customers in words."""
    said: list[str] = []
    count = 0
    for segment in sorted(right.keys() | found.keys()):
        for customer in sorted(right.get(segment, set()) ^ found.get(segment, set())):
            count += 1
            if count <= _SHOWN:
                verb = "lacks" if customer in right.get(segment, set()) else "has"
                said.append(f"{name} {verb} {customer} in {segment}")
    return count, [*said, f"{name}: {count} differences"] if count else []
