"""Dead letters of subscribers: changes that a handler could not take, and messages that are no changes."""

from base64 import b64encode
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import When


class Refusal(StrEnum):
    """Why a message became a dead letter."""

    UNDECODABLE = "undecodable"
    HANDLER_FAILED = "handler_failed"


class Letter(BaseModel):
    """One message that a group gave up. Its id is deterministic: seen twice, it is the same letter."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="group:topic-partition-offset.")
    version: Literal[1] = 1
    group: str
    topic: str
    partition: int
    offset: int
    reason: Refusal
    error: str = Field(description="The kind of error; not its text, which may hold personal data.")
    attempts: int
    raw_base64: str
    refused_at: When


def letter(  # noqa: PLR0913 # one parameter per field
    group: str,
    topic: str,
    partition: int,
    offset: int,
    value: bytes,
    *,
    reason: Refusal,
    error: BaseException,
    attempts: int,
    now: int,
) -> Letter:
    """The letter about a message; `now` in microseconds."""
    return Letter(
        id=f"{group}:{topic}-{partition}-{offset}",
        group=group,
        topic=topic,
        partition=partition,
        offset=offset,
        reason=reason,
        error=type(error).__name__,
        attempts=attempts,
        raw_base64=b64encode(value).decode(),
        refused_at=now,
    )
