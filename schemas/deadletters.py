"""Dead letters: what could not be an event of ours, with the reason and the raw bytes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import Reason
from schemas.fields import When

MAX_RAW = 8 * 1024 * 1024
"""Bytes of a message that a dead letter carries; beyond that, `raw_base64` is cut and `complete` is false."""


class DeadLetter(BaseModel):
    """One message that was refused. Its id is deterministic: seen twice, it is the same letter."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="topic-partition-offset of the refused message.")
    version: Literal[1] = 1
    topic: str
    partition: int
    offset: int
    reason: Reason
    detail: str
    key_base64: str | None
    raw_base64: str
    size: int = Field(description="Bytes of the refused message.")
    complete: bool = Field(description="Whether raw_base64 holds all of them.")
    refused_at: When
