"""The functions of the rule language: each takes a call apart, checks it, and builds a term."""

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Protocol

from schemas.instants import DAY, HOUR, MINUTE, NEVER, Duration, Instant
from streams.core.errors import RuleError
from streams.core.language import predictions
from streams.core.language.catalogue import (
    ATTRIBUTE_GROUP,
    DISCOUNT,
    FUNCTIONS,
    LONGEST_HORIZON,
    MAX_LAST,
    SERIES,
    Entry,
    SeriesEntry,
    unknown,
)
from streams.core.language.rule import Rule
from streams.core.language.source import Answer, Source
from streams.core.language.terms import (
    Count,
    Falling,
    Kind,
    Literal,
    Since,
    Term,
    constant_in_time,
    count_within,
    literal,
    since,
)
from streams.core.predict.predictor import Predictor
from streams.core.profile import Profile

DECIMALS = 9
"""Sums and means are rounded to so many, so that 0.96, -0.93 and -0.93 have a mean of -0.3, and not just below."""


class Parser(Protocol):
    """What a function needs of the parser."""

    def fail(self, node: ast.AST, message: str) -> RuleError:
        """An error at a node."""

    def source(self, node: ast.AST) -> str:
        """A node's text."""

    def term(self, node: ast.expr) -> Term:
        """A value."""

    def path(self, node: ast.expr) -> str:
        """A dotted name."""

    @property
    def lookup(self) -> Callable[[str], Rule]:
        """Rules of other segments."""

    @property
    def predictor(self) -> Predictor | None:
        """What predicts; None without parameters."""


@dataclass(frozen=True, eq=False)
class SegmentTerm(Term):
    """Another segment's rule, judged in place: always of the same instant, in no order that could matter."""

    rule: Rule | None = None

    def emit(self, source: Source) -> Answer:
        """Write what answers it."""
        assert self.rule is not None  # noqa: S101 # for the type checker: it is built with its rule
        answer = Answer(source.name(), source.name())
        source.add(f"{answer.holds}, {answer.until} = {source.bind(self.rule.judge)}(profile, now)")
        return answer


def scaled(value: float, digits: int) -> float:
    """A number as it was written, times ten to the power of `digits`; whole as an int, so that money compares exactly.

    >>> scaled(280062190.79, 2)
    28006219079
    """
    exact = round(Decimal(repr(value)).scaleb(digits), 6)
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def asked_too_much(term: Term, symbol: str, threshold: Term) -> str | None:
    """A sentence if a count must be told apart from more than what the profile keeps; else None."""
    if not isinstance(term, Count) or not isinstance(threshold, Literal):
        return None
    needed = math.ceil(threshold.value) if symbol in {">=", "<"} else math.floor(threshold.value) + 1
    if term.most >= needed:
        return None
    return (
        f"'{term.text}' counts up to {term.most}, all that the profile keeps; it cannot tell {symbol} {threshold.text}"
    )


def call(parser: Parser, node: ast.Call) -> Term:
    """The term of a function call.

    Raises:
        RuleError: an unknown function, or arguments that it does not take.
    """
    name = parser.path(node.func)
    build = _CALLS.get(name)
    if build is None:
        raise parser.fail(node, unknown("function", name, list(FUNCTIONS)))
    return build(parser, node)


def arithmetic(text: str, a: Term, symbol: str, b: Term) -> Term:
    """Sum, difference, product or quotient; missing if a part is, on a division by zero, or beyond all figures.

    Raises:
        TypeError: with a sentence: the kinds do not go together.
    """
    _check_operands(text, a, b)
    kind = _result_kind(a.kind, symbol, b.kind)
    if kind is None:
        raise TypeError(f"'{text}': a {a.kind} {symbol} a {b.kind} means nothing")
    apply = _APPLY[symbol]

    def read(profile: Profile, now: Instant) -> Any:
        x, y = a.read(profile, now), b.read(profile, now)
        if x is None or y is None or (symbol == "/" and y == 0):
            return None
        try:
            value = apply(x, y)
        except OverflowError:
            return None
        return value if abs(value) <= NEVER else None

    if isinstance(a, Literal) and isinstance(b, Literal):
        value = apply(a.value, b.value) if symbol != "/" or b.value else None
        if value is None or not abs(value) <= NEVER:
            raise TypeError(f"'{text}' is no number")
        return literal(kind, text, value)
    if a.timeless and b.timeless:
        return Term(kind, text, a.groups | b.groups, read)

    def next_change(profile: Profile, now: Instant) -> Instant:
        return min(a.next_change(profile, now), b.next_change(profile, now))

    return Term(kind, text, a.groups | b.groups, read, next_change)


def _check_operands(text: str, *terms: Term) -> None:
    """Whether terms may be calculated with.

    Raises:
        TypeError: with a sentence: one may not.
    """
    if any(isinstance(term, Count) and term.most < NEVER for term in terms):
        raise TypeError(f"'{text}': compare a count of visits or contacts directly; the profile keeps only so many")
    if any(isinstance(term, Falling) for term in terms):
        raise TypeError(f"'{text}': compare a prediction directly with a number; then it is known when that changes")


_APPLY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
}


def _result_kind(a: Kind, symbol: str, b: Kind) -> Kind | None:
    if a is b is Kind.NUMBER:
        return Kind.NUMBER
    if a is b is Kind.MONEY:
        return {"+": Kind.MONEY, "-": Kind.MONEY, "/": Kind.NUMBER}.get(symbol)
    if (a, b) == (Kind.MONEY, Kind.NUMBER):
        return Kind.MONEY if symbol in "*/" else None
    if (a, b) == (Kind.NUMBER, Kind.MONEY):
        return Kind.MONEY if symbol == "*" else None
    return None


def _arguments(
    parser: Parser, node: ast.Call, positional: int, keywords: tuple[str, ...] = ()
) -> tuple[list[ast.expr], dict[str, ast.expr]]:
    name = parser.path(node.func)
    if len(node.args) != positional or any(isinstance(value, ast.Starred) for value in node.args):
        raise parser.fail(node, f"usage: {FUNCTIONS[name]}")
    named: dict[str, ast.expr] = {}
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in keywords:
            raise parser.fail(node, f"'{keyword.arg}' is not an argument here; usage: {FUNCTIONS[name]}")
        if keyword.arg in named:
            raise parser.fail(keyword.value, f"'{keyword.arg}' is given twice")
        named[keyword.arg] = keyword.value
    return node.args, named


def _literal(parser: Parser, node: ast.expr, kind: Kind, what: str) -> Any:
    term = parser.term(node)
    if not isinstance(term, Literal) or term.kind is not kind:
        raise parser.fail(node, f"'{parser.source(node)}' must be {what}")
    return term.value


def _duration(unit: Duration) -> Callable[[Parser, ast.Call], Term]:
    def build(parser: Parser, node: ast.Call) -> Term:
        (argument,), _ = _arguments(parser, node, 1)
        number = _literal(parser, argument, Kind.NUMBER, "a number written out")
        if not 0 <= number <= 100_000 * DAY / unit:
            raise parser.fail(argument, "a duration is not negative and at most 100,000 days")
        return literal(Kind.DURATION, parser.source(node), math.floor(number * unit))

    return build


def _since(parser: Parser, node: ast.Call) -> Term:
    (argument,), _ = _arguments(parser, node, 1)
    instant = parser.term(argument)
    if instant.kind is not Kind.INSTANT:
        raise parser.fail(argument, f"since() takes an instant; '{instant.text}' is a {instant.kind}")
    return since(parser.source(node), instant)


def _is_set(parser: Parser, node: ast.Call) -> Term:
    (argument,), _ = _arguments(parser, node, 1)
    term = parser.term(argument)

    def read(profile: Profile, now: Instant) -> bool:
        return term.read(profile, now) is not None

    moves = constant_in_time if isinstance(term, Since | Falling) else term.next_change  # such do not vanish
    return Term(Kind.TRUTH, parser.source(node), term.groups, read, moves)


def _series(parser: Parser, node: ast.expr, *, dotted: bool) -> tuple[SeriesEntry, str]:
    path = parser.path(node)
    name, _dot, value = path.partition(".")
    entry = SERIES.get(name)
    if entry is None or bool(value) != dotted or (dotted and value not in entry.values):
        known = [f"{key}.{v}" for key, e in SERIES.items() for v in e.values] if dotted else list(SERIES)
        raise parser.fail(node, unknown("series", path, known))
    return entry, value


def _window(parser: Parser, node: ast.Call, named: dict[str, ast.expr], entry: SeriesEntry) -> Duration:
    if "within" not in named:
        if entry.needs_window:
            raise parser.fail(node, "the profile forgets old ones of these; say how far back, as in within=days(30)")
        return NEVER
    window: Duration = _literal(parser, named["within"], Kind.DURATION, "a duration such as days(30)")
    if window > entry.max_window:
        kept = entry.max_window // DAY
        raise parser.fail(named["within"], f"the profile keeps {kept} days of this; the window must not be longer")
    return window


def _topic(parser: Parser, node: ast.Call, named: dict[str, ast.expr], entry: SeriesEntry) -> str | None:
    if "topic" not in named:
        return None
    if not entry.has_topic:
        raise parser.fail(node, "only contacts have a topic")
    topic: str = _literal(parser, named["topic"], Kind.TEXT, "a text")
    return topic


def _count(parser: Parser, node: ast.Call) -> Term:
    (argument,), named = _arguments(parser, node, 1, ("within", "topic"))
    entry, _ = _series(parser, argument, dotted=False)
    window, topic = _window(parser, node, named, entry), _topic(parser, node, named, entry)

    def of_topic(profile: Profile) -> list[tuple[Instant]]:
        return [(happening.at,) for happening in entry.entries(profile) if happening.topic == topic]

    rows, path = (entry.rows, entry.path) if topic is None else (of_topic, "")
    return count_within(parser.source(node), entry.groups, rows, path, window, entry.max_count)


def _inside(entry: SeriesEntry, profile: Profile, now: Instant, window: Duration) -> list[Entry]:
    return [happening for happening in entry.entries(profile) if now - happening.at < window]


def _sum(parser: Parser, node: ast.Call) -> Term:
    (argument,), named = _arguments(parser, node, 1, ("within",))
    entry, value = _series(parser, argument, dotted=True)
    window = _window(parser, node, named, entry)

    def read(profile: Profile, now: Instant) -> float:
        return round(sum(happening.value or 0 for happening in _inside(entry, profile, now, window)), DECIMALS)

    def next_change(profile: Profile, now: Instant) -> Instant:
        inside = _inside(entry, profile, now, window)
        return inside[0].at + window if inside and window < NEVER else NEVER

    return Term(entry.values[value], parser.source(node), entry.groups, read, next_change)


def _mean(parser: Parser, node: ast.Call) -> Term:
    (argument,), named = _arguments(parser, node, 1, ("within", "last"))
    entry, value = _series(parser, argument, dotted=True)
    window = _window(parser, node, named, entry)
    last = _literal(parser, named["last"], Kind.NUMBER, "a number") if "last" in named else None
    if last is not None and (not isinstance(last, int) or not 1 <= last <= MAX_LAST):
        raise parser.fail(named["last"], f"last is a whole number from 1 to {MAX_LAST}")

    def chosen(profile: Profile, now: Instant) -> list[Entry]:
        inside = _inside(entry, profile, now, window)
        valued = [happening for happening in inside if happening.value is not None]
        return valued if last is None else valued[-last:]

    def read(profile: Profile, now: Instant) -> float | None:
        values = [happening.value for happening in chosen(profile, now) if happening.value is not None]
        return round(math.fsum(values) / len(values), DECIMALS) if values else None

    def next_change(profile: Profile, now: Instant) -> Instant:
        values = chosen(profile, now)
        return values[0].at + window if values and window < NEVER else NEVER

    return Term(entry.values[value], parser.source(node), entry.groups, read, next_change)


def _segment(parser: Parser, node: ast.Call) -> Term:
    (argument,), _ = _arguments(parser, node, 1)
    key = _literal(parser, argument, Kind.TEXT, "the key of a segment in quotes")
    try:
        rule = parser.lookup(key)
    except RuleError as error:
        raise parser.fail(argument, error.fault.message) from None

    def read(profile: Profile, now: Instant) -> bool:
        return rule.judge(profile, now)[0]

    def next_change(profile: Profile, now: Instant) -> Instant:
        return rule.judge(profile, now)[1]

    return SegmentTerm(Kind.TRUTH, parser.source(node), rule.groups, read, next_change, always_there=True, rule=rule)


def bucket_of(name: str, customer: str) -> float:
    """A stable number in [0, 1): the same for ever for a name and a customer, unrelated between names."""
    digest = blake2b(f"{name}\0{customer}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53


def _bucket(parser: Parser, node: ast.Call) -> Term:
    (argument,), _ = _arguments(parser, node, 1)
    name = _literal(parser, argument, Kind.TEXT, "a name in quotes")
    return Term(Kind.NUMBER, parser.source(node), 0, lambda profile, _now: bucket_of(name, profile.id))


def _attribute(parser: Parser, node: ast.Call) -> Term:
    (argument,), _ = _arguments(parser, node, 1)
    name = _literal(parser, argument, Kind.TEXT, "a name in quotes")

    def read(profile: Profile, _now: Instant) -> Any:
        known = profile.attributes.get(name)
        return None if known is None else known[1]

    return Term(Kind.ANY, parser.source(node), ATTRIBUTE_GROUP, read)


def _horizon(parser: Parser, node: ast.Call, argument: ast.expr) -> Duration:
    horizon: Duration = _literal(parser, argument, Kind.DURATION, "a duration such as days(30)")
    if not 0 < horizon <= LONGEST_HORIZON:
        raise parser.fail(node, f"predictions look ahead at most {LONGEST_HORIZON // DAY} days, and not 0")
    return horizon


def _predicted_orders(parser: Parser, node: ast.Call) -> Term:
    (argument,), _ = _arguments(parser, node, 1)
    return predictions.orders(parser.source(node), parser.predictor, _horizon(parser, node, argument))


def _predicted_lifetime_value(parser: Parser, node: ast.Call) -> Term:
    (argument,), named = _arguments(parser, node, 1, ("discount",))
    horizon, discount = _horizon(parser, node, argument), DISCOUNT
    if "discount" in named:
        discount = _literal(parser, named["discount"], Kind.NUMBER, "a number such as 0.1")
        if not 0 <= discount <= 1:
            raise parser.fail(named["discount"], "a discount is what a year takes off: from 0 to 1")
    return predictions.lifetime_value(parser.source(node), parser.predictor, horizon, discount)


_CALLS: dict[str, Callable[[Parser, ast.Call], Term]] = {
    "since": _since,
    "days": _duration(DAY),
    "hours": _duration(HOUR),
    "minutes": _duration(MINUTE),
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "is_set": _is_set,
    "segment": _segment,
    "bucket": _bucket,
    "attribute": _attribute,
    "predicted.orders": _predicted_orders,
    "predicted.lifetime_value": _predicted_lifetime_value,
}
