"""Rules as Python source: what a rule's terms and clauses emit, and the function that it becomes.

A judge runs some five times for every event, so it is a flat function of comparisons, not a tree of calls: about a
quarter of the time. Nothing of a rule's text gets into the source: it is made of operators, of paths that the catalogue
spells out, of whole numbers, and of names that are bound to values beside it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.instants import NEVER


class Answer(NamedTuple):
    """What a piece of source answers.

    Attributes:
        holds: an expression that is True or False.
        until: a variable, the instant until which that holds; None: until an event changes it.
    """

    holds: str
    until: str | None = None

    @property
    def end(self) -> str:
        """`until` as an expression."""
        return self.until or "NEVER"


@dataclass
class Source:
    """The source of one function while it is written."""

    lines: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=lambda: {"NEVER": NEVER})
    _depth: int = 1
    _names: int = 0

    def name(self) -> str:
        """A name that stands for nothing yet."""
        self._names += 1
        return f"v{self._names}"

    def bind(self, value: Any) -> str:
        """An expression for a value."""
        if isinstance(value, bool) or (isinstance(value, int) and value >= 0):
            return repr(value)
        name = self.name()
        self.values[name] = value
        return name

    def add(self, *lines: str) -> None:
        """Write lines where we are."""
        self.lines += ["    " * self._depth + line for line in lines]

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Write lines under a header."""
        self.add(header)
        self._depth += 1
        yield
        self._depth -= 1

    def function(self, parameters: str) -> Callable[..., Any]:
        """The function of what was written."""
        text = "\n".join([f"def judge({parameters}):", *self.lines])
        space = {"__builtins__": {"min": min, "len": len, "bool": bool}, **self.values}
        exec(compile(text, "<rule>", "exec"), space)  # noqa: S102 # our own source, see above
        judge: Callable[..., Any] = space["judge"]
        return judge


Emit = Callable[[Source], Answer]
"""Writes what answers a rule or a part of it; without a line where time alone cannot change the answer."""


def opposite_of(answer: Answer) -> Answer:
    """`not`: the opposite, for as long."""
    return Answer(f"(not {answer.holds})", answer.until)


def all_of(source: Source, facts: list[Emit], moving: list[Emit]) -> Answer:
    """`and`. False for as long as any one part is: up to the latest `until` of the parts that are false.

    Facts, which only events change, are looked at first: they are cheap, and mostly decide.
    """
    return _joined(source, facts, moving, decided=False)


def any_of(source: Source, facts: list[Emit], moving: list[Emit]) -> Answer:
    """`or`. True for as long as any one part is: up to the latest `until` of the parts that are true."""
    return _joined(source, facts, moving, decided=True)


def _joined(source: Source, facts: list[Emit], moving: list[Emit], *, decided: bool) -> Answer:
    """`decided` is the answer that one part is enough for."""
    word = " or " if decided else " and "
    test = "(" + word.join(fact(source).holds for fact in facts) + ")"
    if not moving:
        return Answer(test)
    holds, until = source.name(), source.name()
    if not facts:
        _fold(source, moving, holds, until, decided=decided)
        return Answer(holds, until)
    source.add(f"{holds}, {until} = {decided}, NEVER")
    with source.block(f"if not {test}:" if decided else f"if {test}:"):
        _fold(source, moving, holds, until, decided=decided)
    return Answer(holds, until)


def _fold(source: Source, moving: list[Emit], holds: str, until: str, *, decided: bool) -> None:
    first = moving[0](source)
    source.add(f"{holds}, {until} = {first.holds}, {first.end}")
    yes, no = ("", "not ") if decided else ("not ", "")
    for part in moving[1:]:
        with source.block(f"if {no}{holds} or {until} < NEVER:"):
            other = part(source)
            with source.block(f"if {yes}{other.holds}:"):
                source.add(f"if {no}{holds}: {holds}, {until} = {decided}, {other.end}")
                source.add(f"elif {other.end} > {until}: {until} = {other.end}")
            source.add(f"elif {no}{holds} and {other.end} < {until}: {until} = {other.end}")
