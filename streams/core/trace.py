"""A trace: one customer's events through the core, each with what it touched; so a value can be followed to them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import UndecodableError
from schemas.events import AnyEvent
from schemas.instants import rfc3339
from streams.core.advance import ORDERS, SUPPORT, advance
from streams.core.money import Rates
from streams.core.profile import Profile

SHOWN = 10
"""Events of a clause that are named, the latest."""


@dataclass
class Trace:
    """A profile, and how it came about."""

    profile: Profile
    touches: list[tuple[AnyEvent, int]] = field(default_factory=list)
    """Each event that changed something, in order of event time, with the groups of facts that it touched."""

    def behind(self, groups: int) -> list[dict[str, Any]]:
        """The latest events that touched one of some groups of facts."""
        found = [event for event, touched in self.touches if touched & groups]
        return [
            {"id": event.id, "type": event.type, "occurred_at": rfc3339(event.occurred_at)} for event in found[-SHOWN:]
        ]


def trace(profile_id: str, events: Iterable[AnyEvent], rates: Rates) -> Trace:
    """What a customer's events come to, in any order and however often they are given."""
    made = Trace(Profile(profile_id))
    for event in sorted(events, key=lambda one: (one.occurred_at, one.id)):
        try:
            touched = advance(made.profile, event, rates)
        except UndecodableError:  # a dead letter then as now: no rate for its currency
            continue
        if touched:
            made.touches.append((event, touched))
    return made


def kept(profile: Profile, groups: int) -> list[dict[str, Any]]:
    """What a profile alone knows of the events behind groups of facts: orders, refunds and contacts, by their ids."""
    rows: list[tuple[int, str, str]] = []
    if groups & ORDERS:
        rows += [(at, "order", key) for at, key in profile.orders.counting]
        rows += [(at, "refund", key) for key, (at, _amount, _order) in profile.orders.refunds.items()]
    if groups & SUPPORT:
        rows += [(at, "contact", key) for at, key, _topic, _mood in profile.support.ordered]
    return [{"id": key, "type": what, "occurred_at": rfc3339(at)} for at, what, key in sorted(rows)[-SHOWN:]]
