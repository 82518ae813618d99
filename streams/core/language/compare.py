"""Comparisons: the source for each pair of terms. Where time alone can flip the answer, the flip is exact."""

import math
import operator
from collections.abc import Callable
from typing import Any

from schemas.instants import Duration
from streams.core.language.source import Answer, Emit, Source, all_of, opposite_of
from streams.core.language.terms import Count, Fact, Falling, Kind, Literal, Since, Term

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def compare(left: Term, symbol: str, right: Term) -> Emit:
    """`left symbol right`; kinds have been checked. A missing value makes it false."""
    if isinstance(left, Literal) and not isinstance(right, Literal):
        return compare(right, MIRRORED[symbol], left)
    if isinstance(left, Since) and isinstance(right, Literal):
        return _since(left, symbol, right.value)
    if isinstance(left, Count) and isinstance(right, Literal):
        return _count(left, symbol, right.value)
    if isinstance(left, Falling) and isinstance(right, Literal):
        return _falling(left, symbol, right.value)
    return lambda source: _values(source, left, symbol, right)


def truth(term: Term) -> Emit:
    """A term that is a truth itself."""

    def emit(source: Source) -> Answer:
        holds = value(source, term)
        if not isinstance(term, Fact | Literal):
            holds = f"bool({holds})"
        if term.timeless:
            return Answer(holds)
        answer = Answer(source.name(), source.name())
        source.add(f"{answer.holds}, {answer.until} = {holds}, {source.bind(term.next_change)}(profile, now)")
        return answer

    return emit


def value(source: Source, term: Term) -> str:
    """An expression for what a term comes to; None where it is missing."""
    if isinstance(term, Literal):
        return source.bind(term.value)
    if isinstance(term, Fact):
        return f"profile.{term.path}"
    return f"{source.bind(term.read)}(profile, now)"


def _values(source: Source, left: Term, symbol: str, right: Term) -> Answer:
    """Two values: the answer holds at least until one of them may change."""
    tests, names = [], []
    for term in (left, right):
        expression = value(source, term)
        if not term.always_there:
            name = source.name()
            tests.append(f"({name} := {expression}) is not None")
            expression = name
        names.append(expression)
    a, b = names
    if Kind.ANY in {left.kind, right.kind}:
        tests.append(f"{source.bind(_loosely)}({a}, {source.bind(symbol)}, {b})")
    else:
        tests.append(f"{a} {symbol} {b}")
    holds = f"({' and '.join(tests)})"
    ends = [f"{source.bind(term.next_change)}(profile, now)" for term in (left, right) if not term.timeless]
    if not ends:
        return Answer(holds)
    answer = Answer(source.name(), source.name())
    earliest = ends[0] if len(ends) == 1 else f"min({', '.join(ends)})"
    source.add(f"{answer.holds}, {answer.until} = {holds}, {earliest}")
    return answer


def _loosely(a: Any, symbol: str, b: Any) -> bool:
    """An attribute of another kind than the rule expects is unlike anything."""
    try:
        return bool(OPERATORS[symbol](a, b))
    except TypeError:
        return symbol == "!="


def _since(term: Since, symbol: str, duration: Duration) -> Emit:
    """`since(x) >= d` flips once, at x + d; `>` one microsecond later, the smallest step of time that there is."""
    assert term.instant is not None  # noqa: S101 # for the type checker: a Since is built with its instant
    instant = term.instant
    delay = duration if symbol in {">=", "<"} else duration + 1
    later = symbol in {">=", ">"}

    def emit(source: Source) -> Answer:
        holds, until = source.name(), source.name()
        source.add(f"{until} = {value(source, instant)}")
        source.add(f"if {until} is None or now >= ({until} := {until} + {source.bind(delay)}):")
        source.add(f"    {holds}, {until} = {f'{until} is not None' if later else False}, NEVER")
        source.add(f"else: {holds} = {not later}")
        return Answer(holds, until)

    return emit


def _falling(term: Falling, symbol: str, threshold: float) -> Emit:
    """`prediction < t` becomes true once, when it has fallen so far; without a value, no comparison is true."""
    if term.passing is None:
        return lambda _source: Answer("False")
    passing = term.passing(threshold, symbol in {"<=", ">"})
    below = symbol in {"<", "<="}

    def emit(source: Source) -> Answer:
        holds, until = source.name(), source.name()
        source.add(f"{until} = {source.bind(passing)}(profile, now)")
        source.add(f"if {until} is None or now >= {until}:")
        source.add(f"    {holds}, {until} = {f'{until} is not None' if below else False}, NEVER")
        source.add(f"else: {holds} = {not below}")
        return Answer(holds, until)

    return emit


def _count(term: Count, symbol: str, threshold: float) -> Emit:
    """A count through a window only falls: it drops below k when the k-th latest entry gets as old as the window."""
    if symbol in {"==", "!="}:
        exactly = [_count(term, ">=", threshold), _count(term, "<=", threshold)]
        if symbol == "==":
            return lambda source: all_of(source, [], exactly)
        return lambda source: opposite_of(all_of(source, [], exactly))
    if symbol in {"<", "<="}:
        fewer = _count(term, ">=" if symbol == "<" else ">", threshold)
        return lambda source: opposite_of(fewer(source))
    least = math.ceil(threshold) if symbol == ">=" else math.floor(threshold) + 1
    return lambda source: _at_least(source, term, least)


def _at_least(source: Source, term: Count, least: int) -> Answer:
    """Whether at least so many are in the window: whether the one that many back is."""
    answer = Answer(source.name(), source.name())
    if least <= 0:
        source.add(f"{answer.holds}, {answer.until} = True, NEVER")
        return answer
    entries = f"profile.{term.path}" if term.path else f"{source.bind(term.series)}(profile)"
    rows = source.name()
    source.add(f"{rows} = {entries}")
    source.add(f"if len({rows}) < {least}: {answer.holds}, {answer.until} = False, NEVER")
    with source.block("else:"):
        source.add(f"{answer.until} = {rows}[-{least}][0] + {source.bind(term.window)}")
        source.add(f"if now < {answer.until}: {answer.holds}, {answer.until} = True, min({answer.until}, NEVER)")
        source.add(f"else: {answer.holds}, {answer.until} = False, NEVER")
    return answer
