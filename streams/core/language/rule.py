"""A rule as a tree: clauses joined by and, or, not. Judged for the verdict, walked for the evidence."""

from dataclasses import dataclass
from functools import cached_property

from streams.core.language.terms import Term
from streams.core.language.verdict import Judge, all_of, any_of, not_of


@dataclass(frozen=True)
class Clause:
    """A leaf: something that is true or not, with what it looks at and what it compares with."""

    text: str
    judge: Judge
    term: Term
    threshold: Term | None

    @property
    def groups(self) -> int:
        """The groups of facts that it reads."""
        return self.term.groups | (self.threshold.groups if self.threshold else 0)

    def clauses(self) -> "list[Clause]":
        """Itself."""
        return [self]


@dataclass(frozen=True)
class Junction:
    """`and`, `or`, `not` over parts."""

    symbol: str
    parts: "tuple[Node, ...]"
    judge: Judge

    @property
    def groups(self) -> int:
        """The groups of facts that its parts read."""
        groups = 0
        for part in self.parts:
            groups |= part.groups
        return groups

    def clauses(self) -> list[Clause]:
        """All leaves, from left to right."""
        return self._clauses

    @cached_property
    def _clauses(self) -> list[Clause]:
        return [clause for part in self.parts for clause in part.clauses()]


Node = Clause | Junction


def both(parts: list[Node]) -> Node:
    """All parts hold. Facts are judged before what moves with time: they are cheap, and mostly decide."""
    judges = [part.judge for part in sorted(parts, key=_moves)]
    return parts[0] if len(parts) == 1 else Junction("and", tuple(parts), all_of(judges))


def either(parts: list[Node]) -> Node:
    """Any part holds."""
    judges = [part.judge for part in sorted(parts, key=_moves)]
    return parts[0] if len(parts) == 1 else Junction("or", tuple(parts), any_of(judges))


def _moves(part: Node) -> bool:
    """Whether time alone can change the answer."""
    return any(
        not clause.term.timeless or (clause.threshold is not None and not clause.threshold.timeless)
        for clause in part.clauses()
    )


def opposite(part: Node) -> Node:
    """The part does not hold."""
    return Junction("not", (part,), not_of(part.judge))
