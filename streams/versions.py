"""The versions of the definitions as a worker or a command knows them: read from the topic, followed, added to."""

import logging
from typing import Protocol, Self
from uuid import uuid4

from schemas.definitions import DefinitionsVersion
from schemas.instants import Instant
from schemas.names import DEFINITIONS
from streams.core.definitions import Definitions, compile_definitions
from streams.core.library import Library, says_the_same
from streams.kafka.following import FollowedTopic
from streams.settings import Settings
from streams.state.port import VersionError

log = logging.getLogger(__name__)


class Log(Protocol):
    """Where versions are published."""

    async def read(self) -> list[bytes | None]:
        """What has come since the last time."""

    async def append(self, key: str, value: bytes) -> None:
        """Write a message, and wait until it is there."""

    async def close(self) -> None:
        """Disconnect."""


class Versions:
    """`streams.shard.port.Versions` from a log."""

    def __init__(self, source: Log) -> None:
        """Nothing is read yet; `refresh` or `begin` comes first."""
        self._source = source
        self.library = Library()
        self._latest: Definitions | None = None

    @property
    def latest(self) -> Definitions:
        """The latest version that was read and understood.

        Raises:
            VersionError: there is none.
        """
        if self._latest is None:
            raise VersionError("no version of the definitions has been published; start a worker, or: segments apply")
        return self._latest

    async def find(self, version: int) -> Definitions | None:
        """A version of the definitions; None: it was never published.

        Raises:
            DefinitionsError: this program does not understand it.
        """
        if self.library.find(version) is None:
            await self.refresh()
        return self.library.compiled(version)

    async def refresh(self) -> None:
        """Take in what was published meanwhile.

        Raises:
            DefinitionsError: this program does not understand the latest version; the one before stays.
        """
        self.take_in(*await self._source.read())

    def take_in(self, *values: bytes | None) -> None:
        """Take in messages.

        Raises:
            DefinitionsError: as `refresh`.
        """
        for value in values:
            if not self.library.feed(value):
                log.warning("%s: a message there is void: it is no version, or came second", DEFINITIONS)
        last = self.library.last
        if last is not None and (self._latest is None or last.version > self._latest.version):
            self._latest = self.library.compiled(last.version)

    async def publish(self, text: str, now: Instant, restores: int | None = None, *, least: int = 1) -> bool:
        """Make a text the next version; whether it is: False, somebody else was faster with another.

        Args:
            text: a definitions file without faults.
            now: the wall clock.
            restores: the version that it is the text of, in a rollback.
            least: the least number that it may have.
        """
        last = self.library.last
        number = max(least, 1 if last is None else last.version + 1)
        origin = "apply" if restores is None else "rollback"
        return await self._append(_message(text, now, number, origin, restores))

    async def begin(self, text: str, now: Instant, least: int) -> None:
        """Start a worker: what is published is in force; where nothing is, its own file is the first version.

        Raises:
            DefinitionsError: this program does not understand the latest version.
        """
        await self.refresh()
        if self.library.last is None:
            await self._append(_message(text, now, least, "start"))
        last = self.library.last
        if last is not None and not says_the_same(text, last.text):
            log.warning(
                "this worker's definitions file is not what is in force, version %d, and is not used; to change what "
                "is in force: segments apply",
                last.version,
            )

    async def _append(self, message: DefinitionsVersion) -> bool:
        await self._source.append(message.id, message.model_dump_json().encode())
        await self.refresh()
        found = self.library.find(message.version)
        return found is not None and found.id == message.id

    async def close(self) -> None:
        """Disconnect."""
        await self._source.close()

    async def __aenter__(self) -> Self:
        """Read what there is."""
        await self.refresh()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Disconnect."""
        await self.close()


class Given:
    """`streams.shard.port.Versions` of one version that is given, and stays."""

    def __init__(self, definitions: Definitions) -> None:
        """That one."""
        self.latest = definitions

    async def find(self, version: int) -> Definitions | None:
        """See `streams.shard.port.Versions`."""
        return self.latest if version == self.latest.version else None


def versions_of(settings: Settings) -> Versions:
    """The versions of an installation; use with `async with`, which reads them."""
    return Versions(FollowedTopic(settings.kafka_bootstrap_servers, settings.topic_prefix + DEFINITIONS))


async def in_force(settings: Settings) -> Versions:
    """All versions that there are now; where none was published, the definitions file is the only one.

    Raises:
        DefinitionsError: this program does not understand the latest, or the file has faults.
        KafkaError: Kafka cannot be reached.
    """
    async with versions_of(settings) as versions:
        if versions.library.last is None:
            text = settings.definitions_path().read_text()
            compile_definitions(text)
            versions.take_in(_message(text, 0, 1, "start").model_dump_json().encode())
        return versions


def _message(text: str, now: Instant, number: int, origin: str, restores: int | None = None) -> DefinitionsVersion:
    fields = {"id": uuid4().hex, "version": number, "published_at": now, "origin": origin, "restores": restores}
    return DefinitionsVersion.model_validate(fields | {"text": text})
