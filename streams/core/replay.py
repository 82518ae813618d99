"""Replay: a whole log of events through the core, in order of event time, with event time as the clock."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.events import AnyEvent
from schemas.instants import Instant
from streams.core.admission import profile_id_of
from streams.core.definitions import Definitions
from streams.core.step import Customer, Transition, apply, newcomer, settle


@dataclass
class Replay:
    """What a log of events comes to. Feed events in order of (occurred_at, id); then `finish`."""

    definitions: Definitions
    customers: dict[str, Customer] = field(default_factory=dict)
    transitions: list[tuple[str, Transition]] = field(default_factory=list)

    def feed(self, event: AnyEvent) -> None:
        """Apply one event."""
        profile_id = profile_id_of(event)
        customer = self.customers.get(profile_id)
        if customer is None:
            customer = self.customers[profile_id] = newcomer(profile_id, self.definitions)
        for transition in apply(customer, event, self.definitions):
            self.transitions.append((profile_id, transition))

    def finish(self, as_of: Instant) -> None:
        """Settle everybody up to `as_of`, and put the transitions of all customers into order of time."""
        for profile_id, customer in self.customers.items():
            for transition in settle(customer, as_of, self.definitions):
                self.transitions.append((profile_id, transition))
        self.transitions.sort(key=lambda row: (row[1].effective_at, row[0]))

    def members(self) -> dict[str, list[str]]:
        """Who is in each segment, sorted; every segment is there, also an empty one."""
        found: dict[str, list[str]] = {segment.key: [] for segment in self.definitions.segments}
        for profile_id, customer in self.customers.items():
            for key in customer.since:
                found[key].append(profile_id)
        return {key: sorted(ids) for key, ids in found.items()}


def replay(events: Iterable[AnyEvent], definitions: Definitions, as_of: Instant | None = None) -> Replay:
    """The outcome of a log in any order, as of an instant (that of the last event if not given).

    Events after `as_of` have not happened yet and are left out.
    """
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.id))
    run = Replay(definitions)
    for event in ordered:
        if as_of is None or event.occurred_at <= as_of:
            run.feed(event)
    last = max((event.occurred_at for event in ordered), default=0)
    run.finish(last if as_of is None else as_of)
    return run
