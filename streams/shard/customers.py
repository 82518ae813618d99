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
from streams.core.cutover import unjudged
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
    since, shown, settled_at = _standing(stored)
    profile: Profile = unpack(profile_id, stored.profile)
    customer = resume(profile, since, settled_at, definitions)
    return Entry(customer, NEVER if stored.due is None else stored.due, shown)


def restore_unjudged(profile_id: str, stored: Stored, at: Instant, definitions: Definitions) -> Entry:
    """A customer whose memberships are those of an earlier version; see `streams.core.cutover`.

    Raises:
        LayoutError: the profile is of a layout that this version does not know.
    """
    since, shown, settled_at = _standing(stored)
    customer = unjudged(unpack(profile_id, stored.profile or b""), since, settled_at, at, definitions)
    return Entry(customer, NEVER if stored.due is None else stored.due, shown)


def _standing(stored: Stored) -> tuple[dict[str, Instant], dict[str, Instant], Instant]:
    """What the read model says: memberships with since, with until, and the instant up to which they were settled."""
    if stored.live is None:
        return {}, {}, LONG_AGO
    body = orjson.loads(stored.live)
    since = {key: row[0] for key, row in body["in"].items()}
    shown = {key: NEVER if row[1] is None else row[1] for key, row in body["in"].items()}
    return since, shown, body.get("at", LONG_AGO)


def judged_by(live: bytes | None) -> int:
    """The version of the definitions that a read model is of; 0: there is no read model."""
    version: int = 0 if live is None else orjson.loads(live)["v"]
    return version


class Customers:
    """The customers of one shard."""

    def __init__(self, shard: int, store: Store, definitions: Definitions, limit: int) -> None:
        """Keep at most about `limit` customers; the least recently touched go first."""
        self._shard = shard
        self._store = store
        self._definitions = definitions
        self._cut_over: Instant | None = None
        self._limit = limit
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        """Those in memory, who was touched last at the end."""
        self.unjudged: list[str] = []
        """Those of them who were fetched since, and are as an earlier version left them."""
        self.unmarked: list[str] = []
        """Those of them who were fetched since, and are new: the sweep must be able to tell."""

    def judge_by(self, definitions: Definitions, cut_over: Instant | None) -> None:
        """Judge by a version from now on; everybody is forgotten.

        Args:
            definitions: that version.
            cut_over: when it took over from the one before; None: all who are stored were judged by it.
        """
        self.clear()
        self._definitions, self._cut_over = definitions, cut_over

    def end_sweep(self) -> None:
        """All who are stored have been judged by the version in force."""
        self._cut_over = None

    async def fetch(self, ids: Iterable[str], place: tuple[int, str]) -> None:
        """Read those customers that are not in memory yet. `place` and errors: see `Store.load`."""
        missing = [profile_id for profile_id in dict.fromkeys(ids) if profile_id not in self.entries]
        if missing:
            rows = await self._store.load(self._shard, missing, place)
            for profile_id, stored in zip(missing, rows, strict=True):
                entry = None if self._cut_over is None else self._as_left(profile_id, stored)
                self.entries[profile_id] = entry or restore(profile_id, stored, self._definitions)

    def _as_left(self, profile_id: str, stored: Stored) -> Entry | None:
        """While a sweep is under way: a customer as an earlier version left them; None: they are not."""
        if stored.profile is None:
            self.unmarked.append(profile_id)
            return None
        entry = self._unjudged(profile_id, stored)
        if entry is not None:
            self.unjudged.append(profile_id)
        return entry

    def _unjudged(self, profile_id: str, stored: Stored) -> Entry | None:
        if self._cut_over is None or judged_by(stored.live) == self._definitions.version:
            return None
        return restore_unjudged(profile_id, stored, self._cut_over, self._definitions)

    async def left_behind(self, ids: Iterable[str], place: tuple[int, str]) -> list[tuple[str, Entry, bool]]:
        """Those who are as an earlier version left them, and whether readers are shown anything of them.

        They are not kept in memory; who is there has been judged by the version in force. `place`: see `Store.load`.
        """
        missing = [profile_id for profile_id in ids if profile_id not in self.entries]
        found = []
        rows = await self._store.load(self._shard, missing, place)
        for profile_id, stored in zip(missing, rows, strict=True):
            entry = None if stored.profile is None else self._unjudged(profile_id, stored)
            if entry is not None:
                found.append((profile_id, entry, stored.live is not None))
        return found

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
        self.unjudged.clear()
        self.unmarked.clear()
