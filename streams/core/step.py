"""settle, advance, evaluate, diff: from a customer and an event to transitions. Pure; `now` is always given.

A customer's memberships are the rules' answers at one instant, `as_of`, and hold until `due`. Before an event at time t
is applied, the customer is *settled*: every crossing due at or before t becomes a transition at its own instant. So
event time is exact for each customer, also in a backfill, and there is no global watermark.

An event of before `as_of` is late: it is applied, and what it changes is a transition with cause `late_event`; or
`refund`, which money that went back always is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.events import AnyEvent
from schemas.instants import NEVER, Instant
from schemas.transitions import CauseKind, Direction
from streams.core.advance import advance
from streams.core.definitions import EVERYTHING, Definitions, Segment
from streams.core.language.rule import Findings
from streams.core.profile import LONG_AGO, Profile


@dataclass(slots=True)
class Customer:
    """A profile with the answers of all rules for it, as of one instant."""

    profile: Profile
    holds: list[bool]
    """Per definition, in their order."""
    untils: list[Instant]
    since: dict[str, Instant] = field(default_factory=dict)
    """Segments that the customer is in -> when they were entered."""
    as_of: Instant = LONG_AGO
    due: Instant = NEVER
    """When to look again though nothing happened: the earliest of `untils`, or earlier where one has moved away."""
    nearer: bool = True
    """Whether an until may have come nearer since somebody looked, who then says that it has not."""

    def judge_all(self, definitions: Definitions, now: Instant) -> None:
        """Answer every rule at `now`, without saying what changed."""
        for position, segment in enumerate(definitions.segments):
            self.holds[position], self.untils[position] = segment.judge(self.profile, now)
        self.as_of = now
        self.due = min(self.untils, default=NEVER)


@dataclass(slots=True)  # not frozen: that would cost several times as much to build
class Summary:
    """The customer in three figures; spend in minor units."""

    orders: int
    spend: int
    last_order_at: Instant | None


@dataclass(slots=True)
class Cause:
    """What makes a transition."""

    kind: CauseKind
    event: AnyEvent | None
    effective_at: Instant


@dataclass(slots=True)
class Transition:
    """A customer entered or left a segment."""

    segment: Segment
    entered: bool
    effective_at: Instant
    cause: CauseKind
    event: AnyEvent | None
    judged_at: Instant
    """The instant that the rule was judged at; later than `effective_at` where a late event caused it."""
    memberships: tuple[str, ...]
    """All segments of the customer after it."""
    summary: Summary
    findings: Findings
    """The clauses of the rule as they stood: the evidence, see `streams.core.language.explain`."""

    @property
    def direction(self) -> Direction:
        """What happened, as subscribers read it."""
        return "segment.entered" if self.entered else "segment.exited"


def newcomer(profile_id: str, definitions: Definitions) -> Customer:
    """A customer of whom nothing is known yet; the first event judges every rule."""
    count = len(definitions.segments)
    return Customer(Profile(profile_id), [False] * count, [NEVER] * count)


def resume(profile: Profile, since: dict[str, Instant], settled_at: Instant, definitions: Definitions) -> Customer:
    """A customer as stored: the profile, the memberships, and the instant that they were last changed at.

    Where a rule says otherwise than what is stored (its definition was edited), the customer is due at once.
    """
    customer = newcomer(profile.id, definitions)
    customer.profile = profile
    customer.since = since
    customer.judge_all(definitions, max(profile.seen_at, settled_at))
    for position, segment in enumerate(definitions.segments):
        if customer.holds[position] != (segment.key in since):
            customer.holds[position] = segment.key in since
            customer.untils[position] = customer.as_of
            customer.due = min(customer.due, customer.as_of)
    return customer


def settle(customer: Customer, now: Instant, definitions: Definitions) -> list[Transition]:
    """Every crossing due at or before `now`, each at its own instant, in order."""
    transitions: list[Transition] = []
    profile, holds, untils = customer.profile, customer.holds, customer.untils
    while (at := min(untils, default=NEVER)) <= now:
        customer.as_of = max(customer.as_of, at)
        for position, until in enumerate(untils):
            if until > at:
                continue
            answer, untils[position] = definitions.segments[position].judge(profile, customer.as_of)
            if answer is not holds[position]:
                holds[position] = answer
                cause = Cause(CauseKind.TIME, None, customer.as_of)
                transitions.append(_transition(customer, definitions, position, cause))
    customer.due = at
    return transitions


def apply(customer: Customer, event: AnyEvent, definitions: Definitions) -> Sequence[Transition]:
    """Settle up to the event, apply it, and say what it changed.

    Raises:
        UndecodableError: see `streams.core.advance.advance`; the customer is unchanged but settled.
    """
    at = event.occurred_at
    transitions: Sequence[Transition] = settle(customer, at, definitions) if customer.due <= at else ()
    profile = customer.profile
    first = profile.seen_at == LONG_AGO
    touched = advance(profile, event, definitions.rates)
    late = at < customer.as_of
    if not late:
        customer.as_of = at
    rejudge = definitions.rejudges[EVERYTHING if first else touched]
    flipped = None if rejudge is None else rejudge(customer, profile, customer.as_of)
    if flipped:
        cause = Cause(_kind(event, late=late), event, at)
        changed = [_transition(customer, definitions, position, cause) for position in flipped]
        return [*transitions, *changed] if transitions else changed
    return transitions


def _kind(event: AnyEvent, *, late: bool) -> CauseKind:
    """What to call the cause of what an event changed; what happened comes before when it was heard of."""
    if event.type == "order.refunded":
        return CauseKind.REFUND
    return CauseKind.LATE_EVENT if late else CauseKind.EVENT


def _transition(customer: Customer, definitions: Definitions, position: int, cause: Cause) -> Transition:
    """What is said of an answer that has just changed."""
    segment, profile, since = definitions.segments[position], customer.profile, customer.since
    entered = customer.holds[position]
    if entered:
        since[segment.key] = cause.effective_at
    else:
        since.pop(segment.key, None)
    orders = profile.orders
    return Transition(
        segment,
        entered,
        cause.effective_at,
        cause.kind,
        cause.event,
        customer.as_of,
        tuple(sorted(since)),
        Summary(orders.count, orders.spend, orders.last_at),
        segment.rule.find(profile, customer.as_of),
    )
