"""What is to be said after a rebuild, or by other definitions: how what subscribers know differs from what is. Pure."""

from collections.abc import Mapping

from schemas.instants import Instant
from schemas.transitions import CauseKind
from streams.core.definitions import Definitions, Segment
from streams.core.errors import Fault, RuleError
from streams.core.language.parse import parse_rule
from streams.core.language.rule import Rule
from streams.core.step import Customer, Summary, Transition


def difference(
    customer: Customer,
    known: Mapping[str, Instant],
    known_at: Instant,
    definitions: Definitions,
    cause: CauseKind = CauseKind.REBUILD,
) -> list[Transition]:
    """One transition for each membership that differs from what is known: exits first, then entries.

    Where both agree, the customer is taken to have entered when it was said that they did.

    Args:
        customer: as the rebuilt state has them, settled up to `known_at` at least.
        known: segment -> since when, as subscribers were told.
        known_at: nobody leaves a segment before they were known to be in it.
        definitions: the segments in force. One that is known and no longer defined is left.
        cause: what makes the difference.
    """
    since = customer.since
    since |= {key: at for key, at in known.items() if key in since}
    at, memberships, found = max(customer.as_of, known_at), set(known), []
    for key in sorted(known.keys() - since.keys()):
        memberships.remove(key)
        found.append(_transition(customer, definitions, key, (at, at), memberships, cause))
    for key in sorted(since.keys() - known.keys()):
        memberships.add(key)
        found.append(_transition(customer, definitions, key, (since[key], at), memberships, cause))
    return found


def _transition(
    customer: Customer,
    definitions: Definitions,
    key: str,
    instants: tuple[Instant, Instant],
    memberships: set[str],
    cause: CauseKind,
) -> Transition:
    """`instants` are when it takes effect and when it was judged: a customer without an event left has no `as_of`."""
    effective_at, judged_at = instants
    segment, orders = definitions.segment(key) or _undefined(key), customer.profile.orders
    return Transition(
        segment,
        key in memberships,
        effective_at,
        cause,
        None,
        judged_at,
        tuple(sorted(memberships)),
        Summary(orders.count, orders.spend, orders.last_at),
        segment.rule.find(customer.profile, judged_at),
    )


def _no_other(key: str) -> Rule:
    raise RuleError(Fault(0, f"no segment '{key}' is defined"))


_NOBODY = parse_rule("False", _no_other)


def _undefined(key: str) -> Segment:
    """A segment that is no longer defined."""
    return Segment(key, key, "False", _NOBODY)
