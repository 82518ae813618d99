"""The read model: who a customer is right now, as readers find it in Redis (`schemas.names.live_key`).

The stored JSON is small on purpose, one per customer who is in any segment:
`{"v": definitions version, "in": {segment: [since, until]}, "at": as of}`, instants in microseconds, `until` null when
open, `at` only where time alone has moved the customer since their last event.
"""

import orjson
from pydantic import BaseModel, ConfigDict

from schemas.fields import Id, When
from schemas.instants import Instant


class Membership(BaseModel):
    """One segment of a customer."""

    model_config = ConfigDict(frozen=True)

    segment: Id
    since: When
    until: When | None = None
    """It holds at least until then if nothing else happens; null: until further notice."""


class Live(BaseModel):
    """A customer's segments right now."""

    model_config = ConfigDict(frozen=True)

    customer: Id
    definitions_version: int
    segments: list[Membership]


def read_live(customer: str, stored: bytes | None) -> Live:
    """The read model of a customer from what Redis holds; nobody is in no segment.

    >>> read_live("c1", b'{"v": 1, "in": {"vip": [1000000, null]}}').segments[0].segment
    'vip'
    """
    if stored is None:
        return Live(customer=customer, definitions_version=0, segments=[])
    body = orjson.loads(stored)
    rows: dict[str, tuple[Instant, Instant | None]] = body["in"]
    segments = [Membership(segment=key, since=since, until=until) for key, (since, until) in sorted(rows.items())]
    return Live(customer=customer, definitions_version=body["v"], segments=segments)
