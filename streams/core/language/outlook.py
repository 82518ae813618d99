"""The outlook: when time alone makes a rule's answer another, what does it then, and what would have to happen else."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.instants import NEVER, Instant
from streams.core.advance import ATTRIBUTES, CART, EMAIL, ENGAGED, ORDERS, SEEN, SITE, SUPPORT, VISITS
from streams.core.language.rule import Clause, Node, Rule
from streams.core.language.verdict import Judge
from streams.core.profile import Profile

LOOKS = 2_000
"""Times that a rule is asked again, before its next change is taken to be too far away to be found by asking."""
_EVENTS = {
    ORDERS: "orders",
    CART: "cart events",
    SITE: "site events",
    VISITS: "site events",
    ENGAGED: "site events and e-mail opened or clicked",
    EMAIL: "e-mail subscriptions",
    SUPPORT: "support contacts and ratings",
    ATTRIBUTES: "updates of the customer",
    SEEN: "any event",
}
"""Group of facts -> what touches it, in words."""


@dataclass(frozen=True)
class Outlook:
    """What may become of a rule's answer."""

    changes_at: Instant | None
    """When time alone makes it another; None: never, or nobody can tell."""
    not_before: Instant | None
    """Where that cannot be told: it is no earlier than this."""
    turning: tuple[str, ...]
    """The clauses whose truth changes then."""
    unless: tuple[str, ...]
    """What could keep them from it: kinds of events."""
    needs: str
    """What would have to become true for another answer, as an expression of clauses."""


def outlook(rule: Rule, profile: Profile, now: Instant) -> Outlook:
    """Look ahead from `now`."""
    holds, _until = rule.judge(profile, now)
    changes_at, not_before = next_change(rule.judge, profile, now)
    truths = [row[0] for row in rule.find(profile, now)]
    turning: list[Clause] = []
    if changes_at is not None:
        then = [row[0] for row in rule.find(profile, changes_at)]
        turning = [clause for clause, a, b in zip(rule.clauses, truths, then, strict=True) if a is not b]
    needs = _wish(rule.node, iter(truths), wanted=not holds) or ""
    return Outlook(changes_at, not_before, tuple(clause.text for clause in turning), _touching(turning), needs)


def next_change(judge: Judge, profile: Profile, now: Instant) -> tuple[Instant | None, Instant | None]:
    """When time alone makes the answer another; and where that is not found, an instant that it is not before."""
    holds, until = judge(profile, now)
    for _look in range(LOOKS):
        if until >= NEVER:
            return None, None
        answer, following = judge(profile, until)
        if answer is not holds:
            return until, None
        until = following
    return None, until


def _touching(clauses: list[Clause]) -> tuple[str, ...]:
    groups = 0
    for clause in clauses:
        groups |= clause.groups
    return tuple(dict.fromkeys(words for group, words in _EVENTS.items() if groups & group))


def _wish(node: Node, truths: Iterator[bool], *, wanted: bool) -> str | None:
    """What must become true for a node to be as wanted; None: it is. Takes the truths of its clauses, left to right."""
    if isinstance(node, Clause):
        if next(truths) is wanted:
            return None
        return node.text if wanted else f"not {node.text}"
    if node.symbol == "not":
        return _wish(node.parts[0], truths, wanted=not wanted)
    wishes = [_wish(part, truths, wanted=wanted) for part in node.parts]
    needs_all = (node.symbol == "and") is wanted
    open_wishes = [wish for wish in wishes if wish is not None]
    if not open_wishes or (not needs_all and None in wishes):
        return None
    if len(open_wishes) == 1:
        return open_wishes[0]
    word = " and " if needs_all else " or "
    return "(" + word.join(open_wishes) + ")"
