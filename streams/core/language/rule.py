"""A rule as a tree: clauses joined by and, or, not. Judged for the verdict, walked for the evidence."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from schemas.instants import Instant
from streams.core.language.compare import value
from streams.core.language.source import Answer, Emit, Source, all_of, any_of, opposite_of
from streams.core.language.terms import Literal, Term
from streams.core.language.verdict import Judge
from streams.core.profile import Profile

Findings = tuple[tuple[bool, Instant, Any, Any], ...]
"""For each clause of a rule: holds, until, value, threshold."""


@dataclass(frozen=True)
class Clause:
    """A leaf: something that is true or not, with what it looks at and what it compares with."""

    text: str
    emit: Emit
    term: Term
    threshold: Term | None

    @property
    def groups(self) -> int:
        """The groups of facts that it reads."""
        return self.term.groups | (self.threshold.groups if self.threshold else 0)

    @property
    def timeless(self) -> bool:
        """Only events can change the answer."""
        return self.term.timeless and (self.threshold is None or self.threshold.timeless)

    def clauses(self) -> "list[Clause]":
        """Itself."""
        return [self]


@dataclass(frozen=True)
class Junction:
    """`and`, `or`, `not` over parts."""

    symbol: str
    parts: "tuple[Node, ...]"

    @property
    def groups(self) -> int:
        """The groups of facts that its parts read."""
        groups = 0
        for part in self.parts:
            groups |= part.groups
        return groups

    @property
    def timeless(self) -> bool:
        """Only events can change the answer."""
        return all(part.timeless for part in self.parts)

    def emit(self, source: Source) -> Answer:
        """Write what answers it."""
        if self.symbol == "not":
            return opposite_of(self.parts[0].emit(source))
        facts: list[Emit] = [part.emit for part in self.parts if part.timeless]
        moving: list[Emit] = [part.emit for part in self.parts if not part.timeless]
        return (all_of if self.symbol == "and" else any_of)(source, facts, moving)

    def clauses(self) -> list[Clause]:
        """All leaves, from left to right."""
        return [clause for part in self.parts for clause in part.clauses()]


Node = Clause | Junction


def both(parts: list[Node]) -> Node:
    """All parts hold."""
    return parts[0] if len(parts) == 1 else Junction("and", tuple(parts))


def either(parts: list[Node]) -> Node:
    """Any part holds."""
    return parts[0] if len(parts) == 1 else Junction("or", tuple(parts))


def opposite(part: Node) -> Node:
    """The part does not hold."""
    return Junction("not", (part,))


@dataclass(frozen=True, eq=False)
class Rule:
    """A whole rule, ready to be judged; the functions are made when they are first asked for."""

    node: Node

    @cached_property
    def groups(self) -> int:
        """The groups of facts that it reads; an event that touches none of them cannot change its answer."""
        return self.node.groups

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """All leaves, from left to right."""
        return tuple(self.node.clauses())

    @cached_property
    def judge(self) -> Judge:
        """The verdict."""
        source = Source()
        answer = self.node.emit(source)
        source.add(f"return {answer.holds}, {answer.end}")
        return source.function("profile, now")

    @cached_property
    def find(self) -> Callable[[Profile, Instant], Findings]:
        """Every clause by itself: the ground of the evidence."""
        source, rows = Source(), []
        for clause in self.clauses:
            answer, threshold = clause.emit(source), clause.threshold
            held = source.name()
            source.add(f"{held} = {answer.holds}")
            limit = "None" if threshold is None or isinstance(threshold, Literal) else value(source, threshold)
            rows.append(f"({held}, {answer.end}, {value(source, clause.term)}, {limit}),")
        source.add(f"return ({' '.join(rows)})")
        return source.function("profile, now")
