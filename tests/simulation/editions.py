"""Other definitions, made of the shipped rules under changed names: the oracle knows who is in what by any of them."""

import json
from functools import cache
from random import Random

from schemas.definitions import DefinitionsVersion
from schemas.parameters import ModelParameters
from streams.core.definitions import Definitions
from tests.models import CDNOW, parameters
from tests.simulation.world import World

Edition = dict[str, str]
"""Segment -> the shipped segment whose rule it has."""


def drawn(dice: Random, shipped: tuple[str, ...]) -> Edition:
    """Some segments stay as they are, some get another rule, some go, one may be new."""
    edition = {}
    for key in shipped:
        fate = dice.random()
        if fate > 0.25:
            edition[key] = key if fate > 0.5 else dice.choice(shipped)
    if dice.random() < 0.5 or not edition:
        edition["novel"] = dice.choice(shipped)
    return edition


def written(edition: Edition, shipped: Definitions) -> str:
    """The definitions file."""
    rules = {segment.key: segment.when for segment in shipped.segments}
    return "".join(
        f"[segments.{key}]\ntitle = {json.dumps(key)}\nwhen = {json.dumps(rules[of])}\n" for key, of in edition.items()
    )


@cache
def published(number: int, text: str, who: str, model_version: int | None = None, origin: str = "apply") -> bytes:
    """The message of a version."""
    body = {"id": f"{number}-{who}", "version": number, "published_at": 0, "origin": origin, "text": text}
    return DefinitionsVersion.model_validate(body | {"model_version": model_version}).model_dump_json().encode()


class Topic:
    """The topic of the definitions."""

    def __init__(self, first: str) -> None:
        self.values = [published(1, first, "first")]


SHOPS = (
    parameters(r=0.9, alpha=20, a=0.5, b=1.5, unit="day"),
    parameters(r=2, alpha=9, a=1.6, b=0.4, unit="day"),
    CDNOW,
)
"""By each of them others are likely to do something."""


class Parameters:
    """The topic of the model parameters."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.latest: ModelParameters | None = None

    @property
    def version(self) -> int | None:
        """Of the latest."""
        return None if self.latest is None else self.latest.version

    def publish(self, shop: ModelParameters) -> None:
        """The next version."""
        self.latest = shop.model_copy(update={"id": str(len(self.values)), "version": len(self.values) + 1})
        self.values.append(self.latest.model_dump_json().encode())


class Reading:
    """`streams.models.Log`: a topic as one worker reads it."""

    def __init__(self, topic: Topic | Parameters, world: World | None) -> None:
        self._topic, self._world = topic, world
        self._taken = 0

    async def read(self) -> list[bytes | None]:
        if self._world is not None:
            await self._world.ask(lambda: None)
        values = self._topic.values[self._taken :]
        self._taken = len(self._topic.values)
        return [*values]

    async def append(self, _key: str, value: bytes) -> None:
        self._topic.values.append(value)

    async def close(self) -> None:
        pass
