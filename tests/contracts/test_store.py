"""What every store promises (`streams.state.port`): in memory, on the embedded Redis, and on a real one."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from streams.stacks.embedded import embedded_redis
from streams.state.judging import BEGINNING, Judging
from streams.state.memory import MemoryStore
from streams.state.port import Commit, FencedError, Outgoing, Ownership, StaleError, Store, Stored, TopologyError
from streams.state.redis_store import RedisStore
from tests.stacks.isolation import FreshStack


@pytest.fixture(scope="session")
def small_redis() -> Iterator[str]:
    """The URL of an embedded Redis."""
    with embedded_redis() as url:
        yield url


@pytest.fixture(params=["memory", "embedded", pytest.param("real", marks=pytest.mark.broker)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryStore()
        return
    if request.param == "embedded":
        url = request.getfixturevalue("small_redis")
    else:
        fresh: FreshStack = request.getfixturevalue("fresh_stack")
        url = fresh.stack.redis_url
    redis = Redis.from_url(url)
    await redis.flushdb()
    yield RedisStore(redis)
    await redis.aclose()


def commit(owned: Ownership, number: int = 1, previous: str | None = None) -> Commit:
    """A commit that an owner might make."""
    return Commit(owned.epoch, owned.commit if previous is None else previous, f"{owned.epoch}:{number}")


def outgoing(*sequences: int) -> list[Outgoing]:
    """Transitions for the outbox."""
    return [Outgoing(number, b"key", b"\x00value %d" % number) for number in sequences]


async def test_a_shard_that_was_never_owned_starts_at_the_beginning(store: Store) -> None:
    owned = await store.claim(3)
    assert owned.epoch > 0
    assert set(owned.offsets.values()) == {0}
    assert (owned.sequence, owned.relayed, owned.outbox) == (0, 0, [])


async def test_everything_in_a_commit_is_there_after_it(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    first.offsets = {"orders": (0, 7)}
    first.sequence = (0, 2)
    first.outbox = outgoing(1, 2)
    first.profiles = {"a": b"\x93\x01\xff", "b": b""}
    first.lives = {"a": b"{}"}
    first.dues = {"a": 1_795_000_000_123_456, "b": 5}
    await store.commit(0, first)
    assert await store.load(0, ["b", "nobody", "a"]) == [
        Stored(b"", None, 5),
        Stored(),
        Stored(b"\x93\x01\xff", b"{}", 1_795_000_000_123_456),
    ]
    again = await store.claim(0)
    assert again.epoch > owned.epoch
    assert again.offsets["orders"] == 7
    assert again.offsets["site-events"] == 0
    assert (again.sequence, again.outbox) == (2, outgoing(1, 2))


async def test_an_earlier_owner_is_fenced_and_writes_nothing(store: Store) -> None:
    zombie = await store.claim(0)
    await store.claim(0)
    late = commit(zombie)
    late.profiles = {"a": b"x"}
    with pytest.raises(FencedError):
        await store.commit(0, late)
    assert await store.load(0, ["a"]) == [Stored()]


async def test_a_commit_sent_twice_counts_once(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    first.offsets, first.sequence, first.outbox = {"orders": (0, 5)}, (0, 1), outgoing(1)
    await store.commit(0, first)
    await store.commit(0, first)
    again = await store.claim(0)
    assert (again.offsets["orders"], again.sequence, again.outbox) == (5, 1, outgoing(1))


@pytest.mark.parametrize(
    ("previous", "offsets", "sequence"),
    [("another", {}, (1, 1)), (None, {"orders": (4, 9)}, (1, 1)), (None, {}, (0, 1))],
    ids=["another commit", "other offsets", "another sequence"],
)
async def test_a_commit_that_starts_from_another_state_is_refused(
    store: Store, previous: str | None, offsets: dict[str, tuple[int, int]], sequence: tuple[int, int]
) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    first.offsets, first.sequence, first.outbox = {"orders": (0, 5)}, (0, 1), outgoing(1)
    await store.commit(0, first)
    second = commit(owned, 2, previous or first.mark)
    second.offsets, second.sequence, second.profiles = offsets, sequence, {"a": b"x"}
    with pytest.raises(StaleError):
        await store.commit(0, second)
    assert await store.load(0, ["a"]) == [Stored()]


async def test_customers_are_read_only_of_the_state_that_their_reader_is_at(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    first.profiles = {"a": b"x"}
    await store.commit(0, first)
    assert await store.load(0, ["a", "b"], (owned.epoch, first.mark)) == [Stored(b"x"), Stored()]
    with pytest.raises(StaleError):
        await store.load(0, ["a"], (owned.epoch, "another"))
    with pytest.raises(StaleError):
        await store.load(1, ["a"], (owned.epoch, first.mark))  # as if it had been emptied
    later = await store.claim(0)
    with pytest.raises(FencedError):
        await store.load(0, ["a"], (owned.epoch, first.mark))
    assert await store.load(0, ["a"], (later.epoch, first.mark)) == [Stored(b"x")]


async def test_what_was_relayed_leaves_the_outbox(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    first.sequence, first.outbox = (0, 3), outgoing(1, 2, 3)
    await store.commit(0, first)
    second = commit(owned, 2, first.mark)
    second.sequence, second.relayed = (3, 3), 2
    await store.commit(0, second)
    again = await store.claim(0)
    assert (again.relayed, again.outbox) == (2, outgoing(3))


async def test_due_times_come_earliest_first_and_can_be_taken_out(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    first.dues = {"late": 30, "early": 10, "middle": 20, "gone": 5}
    await store.commit(0, first)
    second = commit(owned, 2, first.mark)
    second.dues = {"gone": None, "late": 15}
    await store.commit(0, second)
    assert await store.due(0, 20, 10) == [("early", 10), ("late", 15), ("middle", 20)]
    assert await store.due(0, 19, 1) == [("early", 10)]
    assert await store.due(0, 9, 10) == []


async def test_a_batch_of_thousands_goes_in_one_commit(store: Store) -> None:
    owned = await store.claim(0)
    large = commit(owned)
    ids = [f"customer-{number}" for number in range(9_000)]
    large.profiles = {key: key.encode() for key in ids}
    large.dues = dict.fromkeys(ids, 1)
    large.entered = {"vip": ids}
    large.sequence, large.outbox = (0, 5_000), outgoing(*range(1, 5_001))
    await store.commit(0, large)
    small = commit(owned, 2, large.mark)
    small.sequence, small.relayed = (5_000, 5_000), 5_000
    small.exited = {"vip": ids}
    await store.commit(0, small)
    assert [row.profile for row in await store.load(0, ids)] == [key.encode() for key in ids]
    assert (await store.claim(0)).outbox == []


async def test_shards_are_apart(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    first.profiles, first.offsets = {"a": b"x"}, {"orders": (0, 5)}
    await store.commit(0, first)
    assert await store.load(1, ["a"]) == [Stored()]
    assert (await store.claim(1)).offsets["orders"] == 0


async def test_the_number_of_shards_is_written_once_and_checked_ever_after(store: Store) -> None:
    await store.topology(4)
    await store.topology(4)
    with pytest.raises(TopologyError, match="8"):
        await store.topology(8)


async def test_a_check_says_who_owns_a_shard_and_whether_it_is_where_it_was_left(store: Store) -> None:
    owned = await store.claim(0)
    await store.check(0, owned.epoch, "")
    with pytest.raises(StaleError):
        await store.check(0, owned.epoch, "another")
    with pytest.raises(StaleError):
        await store.check(0, owned.epoch + 1, "")
    first = commit(owned)
    await store.commit(0, first)
    await store.check(0, owned.epoch, first.mark)
    await store.claim(0)
    with pytest.raises(FencedError):
        await store.check(0, owned.epoch, first.mark)


async def test_an_owner_whose_claim_was_lost_is_not_fenced_but_stale(store: Store) -> None:
    owned = await store.claim(0)
    with pytest.raises(StaleError):
        await store.commit(0, Commit(owned.epoch + 1, "", "lost:1"))
    with pytest.raises(StaleError):
        await store.speak(0, owned.epoch + 1, "")


async def test_a_silent_shard_stays_silent_for_its_next_owner_until_it_speaks(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    first.sequence, first.outbox = (0, 3), outgoing(1, 2, 3)
    await store.commit(0, first)
    await store.remember(0, owned.epoch, {"a": b"\x00old", "b": b"b"}, over=True)
    await store.remember(0, owned.epoch, {"a": b"new", "c": b"c"}, over=True)
    await store.remember(0, owned.epoch, {"a": b"too late", "d": b"d"}, over=False)
    await store.hush(0, owned.epoch, 7, 2, {"orders": 40, "site-events": 5})
    again = await store.claim(0)
    assert (again.told, again.sequence, again.relayed, again.outbox) == (7, 7, 2, outgoing(3))
    assert again.silent == {"orders": 40, "site-events": 5}
    assert await store.recall(0, ["a", "nobody", "d"]) == [b"new", None, b"d"]
    told: dict[str, bytes | None] = {}
    async for group in store.remembered(0):
        told |= {key: row.told for key, row in group.items()}
    assert told == {"a": b"new", "b": b"b", "c": b"c", "d": b"d"}
    with pytest.raises(FencedError):
        await store.speak(0, owned.epoch, first.mark)
    with pytest.raises(StaleError):
        await store.speak(0, again.epoch, "lost:1")
    await store.speak(0, again.epoch, first.mark)
    last = await store.claim(0)
    assert (last.told, last.silent, last.sequence) == (None, {}, 7)
    assert await store.recall(0, ["a"]) == [None]


async def test_a_shard_is_not_silent_on_the_ground_of_what_the_store_has_lost_meanwhile(store: Store) -> None:
    owned = await store.claim(0)
    await store.remember(0, owned.epoch, {"a": b"a"}, over=True)
    with pytest.raises(StaleError):
        await store.hush(0, owned.epoch, 7, 2, {}, least=2)
    assert (await store.claim(0)).told is None


async def test_a_commit_that_takes_the_shard_for_silent_or_not_is_refused_where_it_is_otherwise(store: Store) -> None:
    """Neither falling silent nor speaking changes the mark: a store that lost one of them shows only here."""
    owned = await store.claim(0)
    with pytest.raises(StaleError):
        await store.commit(0, replace(commit(owned), silent=True))
    await store.hush(0, owned.epoch, 7, 7, {})
    with pytest.raises(StaleError):
        await store.commit(0, replace(commit(owned), sequence=(7, 7)))
    await store.commit(0, replace(commit(owned), sequence=(7, 7), silent=True))


async def test_what_was_told_of_thousands_comes_back_whole(store: Store) -> None:
    owned = await store.claim(0)
    written = {f"customer-{number}": b"%d" % number for number in range(5_000)}
    await store.remember(0, owned.epoch, written, over=False)
    told: dict[str, bytes | None] = {}
    async for group in store.remembered(0):
        told |= {key: row.told for key, row in group.items()}
    assert told == written


async def visited(store: Store, cursor: str = BEGINNING, count: int = 100) -> list[str]:
    """Everybody in the pages from a cursor on."""
    found: list[str] = []
    page = await store.page(0, cursor, count)
    found += page.ids
    while page.cursor is not None:
        page = await store.page(0, page.cursor, count)
        assert not page.is_first
        found += page.ids
    return found


async def test_pages_visit_everybody_who_was_there_all_the_time(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    ids = {f"customer-{number}" for number in range(3_000)}
    first.profiles = dict.fromkeys(ids, b"x")
    await store.commit(0, first)
    page = await store.page(0, BEGINNING, 100)
    assert page.is_first
    assert page.cursor is not None
    second = commit(owned, 2, first.mark)
    second.profiles = {f"later-{number}": b"x" for number in range(3_000)}
    await store.commit(0, second)
    later = await visited(store, page.cursor)
    assert ids <= {*page.ids, *later}
    assert set(await visited(store)) == ids | second.profiles.keys()


async def test_a_page_is_of_the_state_that_it_is_asked_of(store: Store) -> None:
    owned = await store.claim(0)
    first = commit(owned)
    await store.commit(0, first)
    assert (await store.page(0, BEGINNING, 5, (owned.epoch, first.mark))).ids == []
    with pytest.raises(StaleError):
        await store.page(0, BEGINNING, 5, (owned.epoch, "another"))
    await store.claim(0)
    with pytest.raises(FencedError):
        await store.page(0, BEGINNING, 5, (owned.epoch, first.mark))


async def test_nobody_is_on_one_empty_page(store: Store) -> None:
    page = await store.page(0, BEGINNING, 100)
    assert (page.ids, page.cursor, page.is_first) == ([], None, True)


async def test_a_shard_remembers_by_which_definitions_it_judges_and_how_far_its_sweep_is(store: Store) -> None:
    owned = await store.claim(0)
    assert owned.judging == Judging()
    first = commit(owned)
    first.judging = Judging(3, 1_795_000_000_123_456, "somewhere", 40)
    await store.commit(0, first)
    second = commit(owned, 2, first.mark)
    await store.commit(0, second)
    again = await store.claim(0)
    assert again.judging == first.judging
    third = commit(again, 1, second.mark)
    third.judging = Judging(3, 1_795_000_000_123_456, None, 50)
    await store.commit(0, third)
    assert (await store.claim(0)).judging == third.judging


async def test_a_commit_that_is_refused_leaves_the_definitions_as_they_were(store: Store) -> None:
    zombie = await store.claim(0)
    await store.claim(0)
    late = commit(zombie)
    late.judging = Judging(2, 5, BEGINNING)
    with pytest.raises(FencedError):
        await store.commit(0, late)
    assert (await store.claim(0)).judging == Judging()


async def test_a_cursor_of_a_redis_that_was_started_since_begins_anew(small_redis: str) -> None:
    redis = Redis.from_url(small_redis)
    await redis.flushdb()
    store = RedisStore(redis)
    first = commit(await store.claim(0))
    first.profiles = {f"customer-{number}": b"x" for number in range(3_000)}
    await store.commit(0, first)
    page = await store.page(0, f"{'0' * 40}:1024", 100)
    assert page.is_first
    assert page.cursor is not None
    assert {*page.ids, *await visited(store, page.cursor)} == first.profiles.keys()
    await redis.aclose()
