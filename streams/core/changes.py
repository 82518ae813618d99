"""Transitions as the messages that subscribers read: the fields of `schemas.transitions.SegmentChange`."""

from typing import Any

from schemas.instants import Instant, rfc3339
from schemas.names import ANONYMOUS
from streams.core.definitions import Definitions
from streams.core.language.explain import instant_text
from streams.core.money import to_text
from streams.core.step import Transition


def change_body(
    transition: Transition, profile_id: str, definitions: Definitions, shard: int, sequence: int, emitted_at: Instant
) -> dict[str, Any]:
    """The message of a transition, ready for JSON. Its id follows from shard and sequence alone."""
    event = transition.event
    anonymous = profile_id.startswith(ANONYMOUS)
    summary = transition.summary
    return {
        "id": f"{shard}-{sequence}",
        "type": "segment.entered" if transition.entered else "segment.exited",
        "version": 1,
        "segment": transition.segment.key,
        "customer_id": None if anonymous else profile_id,
        "anonymous_id": profile_id.removeprefix(ANONYMOUS) if anonymous else None,
        "effective_at": rfc3339(transition.effective_at),
        "emitted_at": rfc3339(emitted_at),
        "cause": {
            "kind": transition.cause.value,
            "event_id": event.id if event else None,
            "event_type": event.type if event else None,
            "occurred_at": rfc3339(event.occurred_at) if event else None,
        },
        "definitions_version": definitions.version,
        "memberships": transition.memberships,
        "profile": {
            "orders": summary.orders,
            "spend": to_text(summary.spend, definitions.currency),
            "currency": definitions.currency,
            "last_order_at": instant_text(summary.last_order_at),
        },
        "evidence": transition.evidence,
        "shard": shard,
        "sequence": sequence,
    }
