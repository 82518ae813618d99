"""What subscribers were told of a customer: the fold of the change stream, in the form that a silent shard keeps."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.instants import Instant, parse_rfc3339
from schemas.names import ANONYMOUS
from streams.core.profile import LONG_AGO


@dataclass(slots=True)
class Told:
    """One customer, as subscribers know them."""

    since: dict[str, Instant] = field(default_factory=dict)
    """Segment -> when it was entered."""
    at: Instant = LONG_AGO
    """Whoever said so had settled the customer at least up to then."""

    def stored(self) -> bytes:
        """As it is written down."""
        return orjson.dumps({"in": self.since, "at": self.at})


def read_told(stored: bytes) -> Told:
    """What was written down."""
    body = orjson.loads(stored)
    return Told(body["in"], body["at"])


def shown(live: bytes | None) -> Told:
    """What the read model says, which is what subscribers know while a shard speaks."""
    if live is None:
        return Told()
    body = orjson.loads(live)
    return Told({key: row[0] for key, row in body["in"].items()}, body.get("at", LONG_AGO))


@dataclass(slots=True)
class _Latest:
    memberships: list[str] = field(default_factory=list)
    entered: dict[str, Instant] = field(default_factory=dict)
    at: Instant = LONG_AGO


class Fold:
    """Changes, added up by customer. A change names all memberships after it, so it may start anywhere."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._customers: dict[str, _Latest] = {}

    def __len__(self) -> int:
        """How many customers there are changes of."""
        return len(self._customers)

    def feed(self, value: bytes) -> None:
        """One change, in the order of their sequences."""
        body: dict[str, Any] = orjson.loads(value)
        customer = body["customer_id"] or f"{ANONYMOUS}{body['anonymous_id']}"
        latest = self._customers.setdefault(customer, _Latest())
        latest.memberships = body["memberships"]
        latest.at = max(latest.at, parse_rfc3339(body.get("judged_at") or body["effective_at"]))
        if body["type"] == "segment.entered":
            latest.entered[body["segment"]] = parse_rfc3339(body["effective_at"])

    def groups(self, size: int) -> Iterator[list[str]]:
        """The customers, so many at a time."""
        customers = list(self._customers)
        return (customers[first : first + size] for first in range(0, len(customers), size))

    def after(self, customer: str, before: Told) -> Told:
        """What is known of a customer, given what was known before the changes."""
        latest = self._customers[customer]
        known = before.since | latest.entered
        return Told({key: known.get(key, latest.at) for key in latest.memberships}, max(before.at, latest.at))
