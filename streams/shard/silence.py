"""Silence: a shard that makes its state anew, applies what it reads, and says nothing of what subscribers know already.

A shard falls silent when Kafka has changes that its state knows nothing of: Redis came back older than it was, or
empty, or the state was rebuilt beside the live one. What it would say of the records that it reads for a second time
need not be what it said then: their order among the topics may be another. So nothing is said. It is written down what
subscribers were told of whom, the fold of the change stream; and once all that may have been applied before is applied
again, the differences are said, with `cause: rebuild`. Then the shard speaks again.

A crash on the way loses nothing: what was said since then is in the stream, and is folded in by the next owner.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from schemas.instants import Instant
from streams.core.definitions import Definitions
from streams.core.profile import LONG_AGO
from streams.core.rebuild import difference
from streams.core.step import settle
from streams.shard.customers import Entry
from streams.shard.outcome import Outcome
from streams.shard.port import History
from streams.shard.told import Fold, Told, read_told, shown
from streams.state.port import HistoryError, Ownership, Remembered, Store, Stored

log = logging.getLogger(__name__)

_GROUP = 1_000
"""Customers in one call of the store."""


@dataclass(frozen=True)
class Silence:
    """What a silent shard keeps in mind."""

    owned: Ownership
    """The shard as it is now that it is silent."""
    refused: set[tuple[str, int]]
    """(topic, offset) of what is in the dead letters already. A clock or a rate may let it in today, but it is out."""
    settled: dict[str, int]
    """Input topic -> up to where everything that had to be forwarded was."""

    def covers(self, offsets: Mapping[str, int]) -> bool:
        """Whether there is still something to read in silence."""
        return any(offset < self.owned.silent.get(topic, 0) for topic, offset in offsets.items())

    def is_forwarded(self, topic: str, offset: int) -> bool:
        """Whether a record of another shard's customer has been forwarded before."""
        return offset < self.settled.get(topic, 0)


async def listen(shard: int, owned: Ownership, tail: int, store: Store, history: History) -> Silence | None:
    """Find out whether a shard that was just claimed has to be silent, and write down what subscribers know.

    Args:
        shard: its number.
        owned: what the store knows.
        tail: the sequence of the latest change in Kafka.
        store: where the state is.
        history: what Kafka knows.

    Raises:
        HistoryError: records that have to be read again are no longer in Kafka.
    """
    lost = tail > owned.sequence
    if owned.told is None and not lost:
        return None
    bounds = await history.bounds(shard)
    for topic, (first, _end) in bounds.items():
        if owned.offsets[topic] < first:
            raise HistoryError(_gone(shard, topic, first, owned))
    if owned.told is None:
        log.warning("shard %d: Redis knows %d changes, Kafka %d; reading again", shard, owned.sequence, tail)
        await store.speak(shard, owned.epoch, owned.commit)
    written = await _write_down(shard, owned, tail, store, history)
    silent = {topic: max(owned.silent.get(topic, 0), end if lost else 0) for topic, (_first, end) in bounds.items()}
    latest, relayed = max(tail, owned.sequence), max(tail, owned.relayed)
    await store.hush(shard, owned.epoch, latest, relayed, silent, least=written)
    waiting = [row for row in owned.outbox if row.sequence > tail]
    hushed = replace(owned, sequence=latest, relayed=relayed, told=latest, silent=silent, outbox=waiting)
    return Silence(hushed, await history.refused(shard), await history.settled(shard))


def _gone(shard: int, topic: str, first: int, owned: Ownership) -> str:
    state = "is empty" if not any(owned.offsets.values()) else f"has read up to offset {owned.offsets[topic]}"
    return (
        f"the state of shard {shard} in Redis {state}, and '{topic}' begins at offset {first}: the records between are "
        "no longer in Kafka. Bring back a copy of Redis that is younger than the topics' retention, or make the state "
        "of what there is, knowing that customers will lose memberships: segments rebuild --incomplete"
    )


async def _write_down(shard: int, owned: Ownership, tail: int, store: Store, history: History) -> int:
    """Fold what was said since it was last written down, or since the state of the store, into what is known.

    Gives the number of customers that this is about: a store that loses its last writes just now must not go unnoticed.
    """
    after, fold = owned.sequence if owned.told is None else owned.told, Fold()
    async for value in history.changes(shard, after):
        fold.feed(value)
    for row in owned.outbox:
        if row.sequence > max(tail, after):
            fold.feed(row.value)
    for customers in fold.groups(_GROUP):
        before = await _known(shard, customers, owned, store)
        told = {key: fold.after(key, known).stored() for key, known in zip(customers, before, strict=True)}
        await store.remember(shard, owned.epoch, told, over=True)
    return len(fold)


async def _known(shard: int, customers: list[str], owned: Ownership, store: Store) -> list[Told]:
    """What was written down of some customers; else what the read model says."""
    lives = [stored.live for stored in await store.load(shard, customers)]
    if owned.told is None:
        return [shown(live) for live in lives]
    written = await store.recall(shard, customers)
    return [shown(live) if row is None else read_told(row) for row, live in zip(written, lives, strict=True)]


def hold_back(outcome: Outcome, before: Mapping[str, Mapping[str, Instant]], sequence: int) -> dict[str, bytes]:
    """Take back what a batch would say; gives what subscribers know of those that it moved."""
    outcome.outbox.clear()
    outcome.sequence = sequence
    return {customer: Told(dict(before[customer])).stored() for customer in outcome.moved}


async def untold(shard: int, store: Store, size: int) -> AsyncIterator[dict[str, Told]]:
    """Whoever may be otherwise than subscribers know, with what they know; at most `size` at a time."""
    async for page in store.remembered(shard):
        rows = iter(page.items())
        while group := dict(islice(rows, min(size, _GROUP))):
            stored = await store.load(shard, list(group))
            known = {
                customer: _as_known(remembered, row)
                for (customer, remembered), row in zip(group.items(), stored, strict=True)
            }
            other = {key: told for (key, told), row in zip(known.items(), stored, strict=True) if _differs(told, row)}
            if other:
                yield other


def _as_known(remembered: Remembered, stored: Stored) -> Told:
    """What subscribers know of a customer, and how far the clock had come for whoever told them.

    Somebody whom they were told nothing of is as they know them. The state before a rebuild may have looked at a
    customer later than it last said anything.
    """
    told = shown(stored.live) if remembered.told is None else read_told(remembered.told)
    return Told(told.since, max(told.at, shown(remembered.before).at))


def _differs(told: Told, stored: Stored) -> bool:
    """Other memberships; or the clock has come further for whoever told them than it has here."""
    return shown(stored.live).since != told.since or (stored.due is not None and stored.due <= told.at)


def tell(outcome: Outcome, customer: str, entry: Entry, told: Told, definitions: Definitions) -> None:
    """Bring a customer up to when subscribers were told of them, in silence; then say what is otherwise now."""
    crossings = settle(entry.customer, told.at, definitions)
    said = difference(entry.customer, told.since, told.at, definitions)
    outcome.add(customer, said)
    if entry.customer.profile.seen_at > LONG_AGO:
        outcome.touched[customer] = entry
        outcome.moved[customer] |= {crossing.segment.key for crossing in crossings}
    else:
        del outcome.moved[customer]  # no event of theirs is left: there is nothing to store
