"""What a subscriber gets of the change stream."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import orjson

from consumers.subscription import ChangeStream
from schemas.documents.examples import EXAMPLES
from schemas.transitions import CauseKind


class Records:
    """The records of a partition, in the place of a consumer."""

    def __init__(self, *kinds: str) -> None:
        change = EXAMPLES["segment-change"]
        self._values = [
            orjson.dumps(change | {"sequence": number, "cause": change["cause"] | {"kind": kind}})
            for number, kind in enumerate(kinds, start=1)
        ]

    async def __aiter__(self) -> AsyncIterator[Any]:
        for value in [*self._values, self._values[0]]:
            yield SimpleNamespace(value=value)


async def heard(*without: CauseKind) -> tuple[list[str], ChangeStream]:
    """The causes that a subscriber hears of."""
    stream = ChangeStream.__new__(ChangeStream)
    consumer: Any = Records("event", "definition", "time", "rebuild", "definition")
    stream._consumer, stream._seen, stream._without = consumer, {}, frozenset(without)
    stream.repeated = stream.left_out = 0
    return [change.cause.kind async for change in stream], stream


async def test_every_change_counts_once() -> None:
    causes, stream = await heard()
    assert causes == ["event", "definition", "time", "rebuild", "definition"]
    assert (stream.repeated, stream.left_out) == (1, 0)


async def test_a_subscriber_chooses_whether_an_edit_of_the_definitions_counts() -> None:
    causes, stream = await heard(CauseKind.DEFINITION, CauseKind.REBUILD)
    assert causes == ["event", "time"]
    assert (stream.repeated, stream.left_out) == (1, 3)
