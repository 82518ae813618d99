"""Transitions out: one message per customer and segment on `segment-changes`, with the reason in it."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Currency, Id, Label, When

SOURCE = "/live-segments"
"""CloudEvents `source` of every transition."""

_CONSTANT_HEADERS = (
    ("ce_specversion", b"1.0"),
    ("ce_source", SOURCE.encode()),
    ("content-type", b"application/json"),
)

Direction = Literal["segment.entered", "segment.exited"]


class CauseKind(StrEnum):
    """What made somebody enter or leave.

    An `order.refunded` is a `refund`, late or not: `judged_at` is later than `effective_at` where it came late. Any
    other event that came late is a `late_event`, a cancellation too.
    """

    EVENT = "event"
    TIME = "time"
    LATE_EVENT = "late_event"
    REFUND = "refund"
    DEFINITION = "definition"
    MODEL = "model"
    REBUILD = "rebuild"


class Cause(BaseModel):
    """What made the transition happen; the event's fields are null when time alone did."""

    model_config = ConfigDict(frozen=True)

    kind: CauseKind
    event_id: Id | None = None
    event_type: Label | None = None
    occurred_at: When | None = None


class Evidence(BaseModel):
    """One clause of the rule as it stood at `judged_at`."""

    model_config = ConfigDict(frozen=True)

    clause: str = Field(description="The clause as written in the rule.")
    value: Any = Field(description="What the profile says; null is missing.")
    threshold: Any = Field(description="What the clause compares with; null where it compares with nothing.")
    holds: bool
    until: When | None = Field(None, description="Until when that answer holds if nothing else happens.")


class ProfileSummary(BaseModel):
    """The customer in a few figures."""

    model_config = ConfigDict(frozen=True)

    orders: int
    spend: str = Field(description="Decimal number of major units, '123.45'.")
    currency: Currency
    last_order_at: When | None = None


class SegmentChange(BaseModel):
    """A customer entered or left a segment. `shard` and `sequence` identify it: a subscriber drops what it has seen."""

    model_config = ConfigDict(frozen=True)

    id: Id
    type: Direction
    version: Literal[1] = 1
    segment: Id
    customer_id: Id | None = None
    anonymous_id: Id | None = None
    effective_at: When = Field(
        description="The event's time, the exact instant at which time alone decided, or when definitions took over."
    )
    judged_at: When | None = Field(
        None, description="When the rule was judged: at `effective_at`, or later after a late event or a rebuild."
    )
    emitted_at: When = Field(description="Wall clock of the classifier.")
    cause: Cause
    definitions_version: int
    model_version: int | None = Field(
        None, description="Of the parameters of `predicted.*`; null: none are published, and predictions have no value."
    )
    memberships: list[Id] = Field(description="All segments of the customer after this change, sorted.")
    profile: ProfileSummary
    evidence: list[Evidence]
    shard: int
    sequence: int = Field(ge=1, description="Gap-free per shard.")


def cloud_event_headers(change_id: str, direction: str, effective_at: str, subject: str) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 attributes of a change, as the Kafka protocol binding's binary mode writes them.

    Source: CloudEvents Kafka Protocol Binding 1.0.2, section 3.2.
    """
    return [
        *_CONSTANT_HEADERS,
        ("ce_id", change_id.encode()),
        ("ce_type", direction.encode()),
        ("ce_time", effective_at.encode()),
        ("ce_subject", subject.encode()),
    ]


def headers_of(change: dict[str, Any]) -> list[tuple[str, bytes]]:
    """The headers of a change from its JSON."""
    subject: str = change["customer_id"] or change["anonymous_id"]
    return cloud_event_headers(change["id"], change["type"], change["effective_at"], subject)
