"""Dead letters: what could not be an event of ours, with the reason and the raw bytes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import Reason
from schemas.fields import When

MAX_RAW = 8 * 1024 * 1024
"""Bytes of a message that a dead letter carries; beyond that, `raw_base64` is cut and `complete` is false."""
MAX_KEY = 1024 * 1024
"""Bytes of a message's key that a dead letter carries; the rest is cut off."""
MAX_INPUT = MAX_RAW
"""`max.message.bytes` of the input topics that we create. A message that is too large for us must get in to become a
dead letter: Kafka's own bound of 1 MB would leave the producer with an error, and nobody else would know."""
MAX_LETTER = 2 * MAX_RAW
"""`max.message.bytes` of `dead-letters`: base64 takes four thirds of what it carries."""


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
    key_base64: str | None = Field(description=f"The message's key, its first {MAX_KEY // 1024} KiB.")
    raw_base64: str
    size: int = Field(description="Bytes of the refused message.")
    complete: bool = Field(description="Whether raw_base64 holds all of them.")
    refused_at: When
