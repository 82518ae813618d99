"""The versions of the definitions as a worker or a command knows them: read from the topic, followed, added to."""

import asyncio
import logging
from typing import Self
from uuid import uuid4

from schemas.definitions import DefinitionsVersion, parse_definitions
from schemas.instants import Instant
from schemas.names import DEFINITIONS, MODEL_PARAMETERS
from streams.core.definitions import Definitions, compile_definitions
from streams.core.library import Library, says_the_same
from streams.kafka.following import FollowedTopic
from streams.models import Log, Models
from streams.settings import Settings
from streams.state.port import VersionError

log = logging.getLogger(__name__)


class Versions:
    """`streams.shard.port.Versions` from a log."""

    def __init__(self, source: Log, models: Models | None = None) -> None:
        """Nothing is read yet; `refresh` or `begin` comes first. `models` has the parameters that versions name."""
        self._source = source
        self.models = models or Models(NoLog())
        self.library = Library(self.models.library)
        self._latest: Definitions | None = None
        self._refreshing = asyncio.Lock()
        self._unread: list[bytes | None] = []

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
        """Take in what was published meanwhile; whoever asks while another does waits for what comes of it.

        Raises:
            DefinitionsError: this program does not understand the latest version; the one before stays.
        """
        async with self._refreshing:
            self._unread += await self._source.read()
            if self._unread:  # parameters are published before the version that names them
                await self.models.refresh()
            values, self._unread = self._unread, []
            self.take_in(*values)

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

    async def publish(
        self,
        text: str,
        now: Instant,
        restores: int | None = None,
        *,
        model_version: int | None = None,
        least: int = 1,
        origin: str | None = None,
    ) -> bool:
        """Make a text the next version; whether it is: False, somebody else was faster with another.

        Args:
            text: a definitions file without faults.
            now: the wall clock.
            restores: the version that it is the text of, in a rollback.
            model_version: of the parameters that its predictions are made with.
            least: the least number that it may have.
            origin: what brings it about, if neither an edit nor a rollback.
        """
        last = self.library.last
        number = max(least, 1 if last is None else last.version + 1)
        origin = origin or ("apply" if restores is None else "rollback")
        return await self._append(_message(text, now, number, origin, restores, model_version))

    async def published_model(self, text: str) -> int | None:
        """The version of the latest parameters, if they are of the currency of a definitions file."""
        await self.models.refresh()
        latest = self.models.latest
        fits = latest is not None and latest.currency == parse_definitions(text).currency.base
        return latest.version if latest is not None and fits else None

    async def begin(self, text: str, now: Instant, least: int) -> None:
        """Start a worker: what is published is in force; where nothing is, its own file is the first version.

        Raises:
            DefinitionsError: this program does not understand the latest version.
        """
        await self.refresh()
        if self.library.last is None:
            model_version = await self.published_model(text)
            await self._append(_message(text, now, least, "start", model_version=model_version))
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
        await self.models.close()

    async def __aenter__(self) -> Self:
        """Read what there is."""
        await self.refresh()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Disconnect."""
        await self.close()


class NoLog:
    """A `Log` on which nothing is."""

    async def read(self) -> list[bytes | None]:
        """See `Log.read`."""
        return []

    async def append(self, key: str, value: bytes) -> None:
        """See `Log.append`."""
        raise VersionError(f"there is nowhere to publish {len(value)} bytes of '{key}'")

    async def close(self) -> None:
        """See `Log.close`."""


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
    kafka, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
    models = Models(FollowedTopic(kafka, prefix + MODEL_PARAMETERS))
    return Versions(FollowedTopic(kafka, prefix + DEFINITIONS), models)


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
            first = _message(text, 0, 1, "start", model_version=await versions.published_model(text))
            versions.take_in(first.model_dump_json().encode())
        return versions


def _message(
    text: str,
    now: Instant,
    number: int,
    origin: str,
    restores: int | None = None,
    model_version: int | None = None,
) -> DefinitionsVersion:
    fields = {"id": uuid4().hex, "version": number, "published_at": now, "origin": origin, "restores": restores}
    return DefinitionsVersion.model_validate(fields | {"text": text, "model_version": model_version})
