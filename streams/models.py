"""The versions of the model parameters as a worker or a command knows them: read from their topic, and added to."""

import logging
from typing import Protocol
from uuid import uuid4

from schemas.names import MODEL_PARAMETERS
from schemas.parameters import ModelParameters
from streams.core.predict.library import ModelLibrary

log = logging.getLogger(__name__)


class Log(Protocol):
    """Where versions are published."""

    async def read(self) -> list[bytes | None]:
        """What has come since the last time."""

    async def append(self, key: str, value: bytes) -> None:
        """Write a message, and wait until it is there."""

    async def close(self) -> None:
        """Disconnect."""


class Models:
    """All versions that were published, and a way to publish."""

    def __init__(self, source: Log) -> None:
        """Nothing is read yet; `refresh` comes first."""
        self._source = source
        self.library = ModelLibrary()

    @property
    def latest(self) -> ModelParameters | None:
        """The latest version that was read; None: there is none."""
        return self.library.last

    async def refresh(self) -> None:
        """Take in what was published meanwhile. A message that does not count is told of in the log, and passed over.

        Raises:
            KafkaError: Kafka cannot be reached.
        """
        for value in await self._source.read():
            fault = self.library.feed(value)
            if fault is not None:
                log.error("%s: %s", MODEL_PARAMETERS, fault)

    async def publish(self, parameters: ModelParameters) -> ModelParameters | None:
        """Make parameters the next version.

        Returns:
            The version as it is now; None: somebody else published one at the same time, and was first.

        Raises:
            KafkaError: it may have been published or not.
        """
        await self.refresh()
        numbered = parameters.model_copy(update={"id": uuid4().hex, "version": self.library.next})
        await self._source.append(numbered.id, numbered.model_dump_json().encode())
        await self.refresh()
        return numbered if self.library.find(numbered.version) == numbered else None

    async def close(self) -> None:
        """Disconnect."""
        await self._source.close()
