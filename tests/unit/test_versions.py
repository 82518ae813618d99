"""The versions of the definitions: which counts, who publishes the first, and what a program does not understand."""

import asyncio
import logging

import pytest

from schemas.errors import DefinitionsError
from schemas.parameters import ModelParameters
from streams.core.library import Library
from streams.models import Models
from streams.state.port import VersionError
from streams.versions import Versions
from tests.models import CDNOW, parameters
from tests.simulation.editions import SHOPS, Parameters, Reading, Topic, published

OLD = "[segments.vip]\ntitle = 'VIP'\nwhen = 'orders.count >= 3'\n"
NEW = OLD.replace("3", "2")
BAD = OLD.replace("orders.count", "orders.dreamt")


class Empty(Topic):
    """A topic that nothing was published on yet."""

    def __init__(self, *values: bytes) -> None:
        self.values = list(values)


def on(topic: Topic) -> Versions:
    """A worker that has read nothing yet."""
    return Versions(Reading(topic, None))


def test_a_version_counts_if_it_is_the_one_after_the_latest() -> None:
    library = Library()
    offered = [(4, OLD, "a"), (5, NEW, "b"), (5, OLD, "c"), (7, OLD, "d"), (4, NEW, "e"), (6, BAD, "f")]
    assert [library.feed(published(*one)) for one in offered] == [True, True, False, False, False, True]
    assert [one.version for one in library.versions] == [4, 5, 6]
    assert [library.find(number) is None for number in (3, 4, 6, 7)] == [True, False, False, True]
    assert library.feed(b"no version") is library.feed(None) is False
    compiled = library.compiled(5)
    assert compiled is not None
    assert (compiled.version, compiled.segments[0].when) == (5, "orders.count >= 2")
    assert library.compiled(9) is None
    with pytest.raises(
        DefinitionsError, match=r"version 6 of the definitions: line 3 .* unknown field 'orders.dreamt'"
    ):
        library.compiled(6)


async def test_two_workers_with_different_files_come_to_the_same_first_version(
    caplog: pytest.LogCaptureFixture,
) -> None:
    topic = Empty()
    first, second = on(topic), on(topic)
    await first.begin(OLD, 5, 1)
    with caplog.at_level(logging.WARNING):
        await second.begin(NEW, 6, 1)
    assert first.latest.version == second.latest.version == 1
    assert second.latest.segments[0].when == "orders.count >= 3"
    assert "not what is in force, version 1" in caplog.text
    assert len(topic.values) == 1


async def test_of_two_workers_that_begin_at_once_the_first_one_counts_for_both() -> None:
    topic = Empty()
    first, second = on(topic), on(topic)
    topic.values.append(published(1, NEW, "faster"))
    for versions in (first, second):
        await versions.begin(OLD, 5, 1)
        assert versions.latest.segments[0].when == "orders.count >= 2"


async def test_a_topic_that_was_lost_is_begun_after_what_the_state_was_judged_by() -> None:
    topic = Empty()
    versions = on(topic)
    await versions.begin(OLD, 5, 4)
    assert versions.latest.version == 4


async def test_whoever_publishes_second_is_told_so() -> None:
    topic = Topic(OLD)
    first, second = on(topic), on(topic)
    for versions in (first, second):
        await versions.refresh()
    assert await first.publish(NEW, 7)
    assert not await _late(second, topic)
    assert second.latest.segments[0].when == "orders.count >= 2"
    assert await second.publish(OLD, 8, restores=1)
    last = second.library.last
    assert last is not None
    assert (last.version, last.origin, last.restores) == (3, "rollback", 1)


async def _late(versions: Versions, topic: Topic) -> bool:
    """Publish by what was known before somebody else published."""
    topic.values.append(published(2, OLD, "late"))
    await versions.refresh()
    found = versions.library.find(2)
    return found is not None and found.id == "2-late"


async def test_a_version_that_this_program_does_not_understand_leaves_the_one_before_in_force() -> None:
    topic = Topic(OLD)
    versions = on(topic)
    await versions.refresh()
    topic.values.append(published(2, BAD, "later program"))
    with pytest.raises(DefinitionsError, match="version 2"):
        await versions.refresh()
    assert versions.latest.version == 1
    topic.values.append(published(3, NEW, "mended"))
    await versions.refresh()
    assert versions.latest.version == 3


async def test_what_is_not_known_yet_is_looked_for_once_more() -> None:
    topic = Topic(OLD)
    versions = on(topic)
    with pytest.raises(VersionError, match="no version of the definitions has been published"):
        _nothing = versions.latest
    topic.values.append(published(2, NEW, "test"))
    found = await versions.find(2)
    assert found is not None
    assert found.version == 2
    assert await versions.find(3) is None


PREDICTS = "[segments.going]\ntitle = 'Going'\nwhen = 'predicted.alive < 0.3'\n"


def with_models(topic: Topic, *shops: ModelParameters) -> Versions:
    """A worker that has read nothing yet, and parameters that were published."""
    offered = Parameters()
    for shop in shops:
        offered.publish(shop)
    return Versions(Reading(topic, None), Models(Reading(offered, None)))


async def test_the_first_version_has_the_parameters_that_were_published_before_it() -> None:
    versions = with_models(Empty(), CDNOW, SHOPS[1])
    await versions.begin(PREDICTS, 5, 1)
    assert (versions.latest.model_version, versions.latest.is_refitted) == (2, False)
    other = with_models(Empty(), parameters(currency="USD"))
    await other.begin(PREDICTS, 5, 1)
    assert other.latest.model_version is None


async def test_new_parameters_alone_are_a_version_and_an_edit_keeps_them() -> None:
    topic = Empty(published(1, PREDICTS, "a"), published(2, PREDICTS, "b", 1, "fit"), published(3, NEW, "c", 1))
    versions = with_models(topic, CDNOW)
    await versions.refresh()
    found = [await versions.find(number) for number in (1, 2, 3)]
    assert [(one.model_version, one.is_refitted) for one in found if one] == [(None, False), (1, True), (1, False)]


@pytest.mark.parametrize(
    ("named", "says"),
    [(2, "version 2 of the model parameters, which it names, is not on their topic"), (1, "fitted in USD")],
)
async def test_a_version_whose_parameters_cannot_be_used_leaves_the_one_before_in_force(named: int, says: str) -> None:
    topic = Empty(published(1, PREDICTS, "a"))
    versions = with_models(topic, parameters(currency="USD"))
    await versions.refresh()
    topic.values.append(published(2, PREDICTS, "b", named, "fit"))
    with pytest.raises(DefinitionsError, match=f"version 2 of the definitions: .*{says}"):
        await versions.refresh()
    assert versions.latest.version == 1


class Slow(Reading):
    """Parameters that take a while to read, or cannot be read the first time."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__(Parameters(), None)
        self._fails = fails
        self.asked, self.gate = asyncio.Event(), asyncio.Event()

    async def read(self) -> list[bytes | None]:
        self.asked.set()
        await self.gate.wait()
        if self._fails:
            self._fails = False
            raise ConnectionError
        return await super().read()


async def test_who_asks_for_a_version_while_another_reads_it_waits_for_it() -> None:
    """Seed 726 of the simulator, with all losses: it was told that there is none, and ended the worker."""
    source = Slow()
    versions = Versions(Reading(Empty(published(1, OLD, "a")), None), Models(source))
    first = asyncio.ensure_future(versions.refresh())
    await source.asked.wait()
    second = asyncio.ensure_future(versions.find(1))
    for _turn in range(5):
        await asyncio.sleep(0)
    source.gate.set()
    assert await second is not None
    await first


async def test_a_version_whose_parameters_could_not_be_read_is_taken_in_the_next_time() -> None:
    source = Slow(fails=True)
    source.gate.set()
    versions = Versions(Reading(Empty(published(1, OLD, "a")), None), Models(source))
    with pytest.raises(ConnectionError):
        await versions.refresh()
    await versions.refresh()
    assert versions.latest.version == 1
