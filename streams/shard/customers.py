"""The customers of a shard in the worker's memory: a bounded write-through cache over the store.

Safe because a shard has one writer: what is here is what is stored, or is about to be committed. When a commit is
refused, all of it is thrown away.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from schemas.instants import NEVER, Instant
from streams.core.codec import unpack
from streams.core.definitions import Definitions
from streams.core.profile import LONG_AGO, Profile
from streams.core.step import Customer, newcomer, resume
from streams.state.port import Store, Stored

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Entry:
    """A customer, and what of them is stored for readers and for the clock."""

    customer: Customer
    stored_due: Instant = NEVER
    shown: dict[str, Instant] = field(default_factory=dict)
    """Segment -> `until`, as the read model has it."""


def live_json(entry: Entry, definitions: Definitions) -> bytes:
    """The read model of a customer (`schemas.live`), and the memory of it in `entry.shown`."""
    customer = entry.customer
    untils = {key: customer.untils[definitions.positions[key]] for key in customer.since}
    entry.shown = untils
    rows = {
        key: [since, None if untils[key] >= NEVER else untils[key]] for key, since in sorted(customer.since.items())
    }
    body: dict[str, Any] = {"v": definitions.version, "in": rows}
    if customer.as_of > customer.profile.seen_at:
        body["at"] = customer.as_of
    return _encode(body)


def restore(profile_id: str, stored: Stored, definitions: Definitions) -> Entry:
    """A customer from what the store holds; a newcomer where it holds nothing.

    Raises:
        LayoutError: the profile is of a layout that this version does not know.
    """
    if stored.profile is None:
        return Entry(newcomer(profile_id, definitions))
    since: dict[str, Instant] = {}
    settled_at, shown = LONG_AGO, {}
    if stored.live is not None:
        body = orjson.loads(stored.live)
        since = {key: row[0] for key, row in body["in"].items()}
        shown = {key: NEVER if row[1] is None else row[1] for key, row in body["in"].items()}
        settled_at = body.get("at", LONG_AGO)
    profile: Profile = unpack(profile_id, stored.profile)
    customer = resume(profile, since, settled_at, definitions)
    return Entry(customer, NEVER if stored.due is None else stored.due, shown)


class Customers:
    """The customers of one shard."""

    def __init__(self, shard: int, store: Store, definitions: Definitions, limit: int) -> None:
        """Keep at most about `limit` customers; the least recently touched go first."""
        self._shard = shard
        self._store = store
        self._definitions = definitions
        self._limit = limit
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        """Those in memory, who was touched last at the end."""

    async def fetch(self, ids: Iterable[str], place: tuple[int, str]) -> None:
        """Read those customers that are not in memory yet. `place` and errors: see `Store.load`."""
        missing = [profile_id for profile_id in dict.fromkeys(ids) if profile_id not in self.entries]
        if missing:
            rows = await self._store.load(self._shard, missing, place)
            for profile_id, stored in zip(missing, rows, strict=True):
                self.entries[profile_id] = restore(profile_id, stored, self._definitions)

    def trim(self, touched: Iterable[str]) -> None:
        """Forget those touched longest ago; called after a commit, when all that is here is stored."""
        entries = self.entries
        if len(entries) > self._limit // 2:  # with room enough, nobody asks who was touched when
            for profile_id in touched:
                entries.move_to_end(profile_id)
        while len(entries) > self._limit:
            entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everybody."""
        self.entries.clear()
