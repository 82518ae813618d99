"""Which customers the classifier met in order: those whose every crossing must be told, each at its own instant."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from schemas.events import AnyEvent
from streams.core.definitions import Definitions
from streams.core.step import Customer, Transition, apply
from streams.shard import shard


@dataclass
class Watch:
    """What was seen of events on their way into profiles."""

    late: set[str] = field(default_factory=set)
    """Customers to whom an event came that was earlier than what they had been judged at."""


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Have a look at each event before it is applied."""

    def looked_at(customer: Customer, event: AnyEvent, definitions: Definitions) -> Sequence[Transition]:
        if event.occurred_at < customer.as_of:
            watch.late.add(customer.profile.id)
        return apply(customer, event, definitions)

    with patch.object(shard, "apply", looked_at):
        yield
