"""Text to rule. Python's expression grammar through `ast`, a whitelist of nodes, and the catalogue; nothing else.

No name reaches a Python object: an attribute is a key of a table, a call is a key of a table. Length and depth are
bounded. The result is closures that were built here; nothing of the text is ever executed.
"""

import ast
import warnings
from collections.abc import Callable

from streams.core.errors import Fault, RuleError
from streams.core.language import calls
from streams.core.language.catalogue import FIELDS, FUNCTIONS, PREDICTIONS, SERIES, unknown
from streams.core.language.compare import MIRRORED, compare, truth
from streams.core.language.rule import Clause, Node, Rule, both, either, opposite
from streams.core.language.terms import Falling, Kind, Literal, Since, Term, fact, literal
from streams.core.money import digits_of
from streams.core.predict.predictor import Predictor

MAX_LENGTH = 2_000
MAX_NODES = 400
MAX_DEPTH = 30
MAX_NUMBER = 10**15

_ONE_LINE = str.maketrans("\n\r\f", "   ")
"""A rule may be written over several lines; places in it are counted as in one."""

_SYMBOLS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

Lookup = Callable[[str], Rule]
"""The rule of another segment by its key."""


def parse_rule(text: str, lookup: Lookup, currency: str = "GBP", predictor: Predictor | None = None) -> Rule:
    """A rule from its text.

    Args:
        text: the expression, e.g. `orders.count >= 3 and orders.spend > 500`.
        lookup: gives the rule of another segment; raises `RuleError` with offset 0 if there is none.
        currency: base currency; amounts in the rule are major units of it.
        predictor: what `predicted.*` is; None without parameters, and nothing of it has a value then.

    Raises:
        RuleError: with the place and, for a misspelt name, the nearest one.
    """
    if len(text) > MAX_LENGTH:
        raise RuleError(Fault(0, f"the rule has {len(text)} characters; at most {MAX_LENGTH}"))
    line = text.strip().translate(_ONE_LINE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(line, mode="eval")
    except SyntaxError as error:
        offset = error.offset - 1 if error.offset else len(line)  # 0: the end came too early
        raise RuleError(Fault(offset, f"not an expression: {error.msg}")) from None
    except (ValueError, RecursionError, MemoryError):
        raise RuleError(Fault(0, "not an expression: nested too deeply, or not text")) from None
    _bound(tree)
    parser = _Parser(line, lookup, currency, predictor)
    comment = line.find("#", parser.end(tree.body))
    if comment >= 0:  # on one line, it would swallow the rest of the rule
        raise RuleError(Fault(comment, "write comments above a rule, not in it"))
    return Rule(parser.node(tree.body))


def _bound(tree: ast.AST) -> None:
    """Refuse what is too large before anything walks it recursively."""
    level, nodes = [tree], 0
    for depth in range(MAX_DEPTH + 2):
        nodes += len(level)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            break
        if not level:
            return
    raise RuleError(Fault(0, f"the rule is too large: at most {MAX_NODES} parts, nested {MAX_DEPTH} deep"))


class _Parser:
    """One rule's text on its way to a tree."""

    def __init__(self, text: str, lookup: Lookup, currency: str, predictor: Predictor | None) -> None:
        self.bytes = text.encode()
        self.lookup = lookup
        self.currency = currency
        self.predictor = predictor

    def fail(self, node: ast.AST, message: str) -> RuleError:
        return RuleError(Fault(self.offset(node), message))

    def offset(self, node: ast.AST) -> int:
        """Characters before a node; ast counts UTF-8 bytes."""
        return len(self.bytes[: getattr(node, "col_offset", 0)].decode(errors="ignore"))

    def end(self, node: ast.AST) -> int:
        """Characters up to the end of a node."""
        return len(self.bytes[: getattr(node, "end_col_offset", 0)].decode(errors="ignore"))

    def source(self, node: ast.AST) -> str:
        start, end = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0)
        return " ".join(self.bytes[start:end].decode(errors="ignore").split())

    def node(self, node: ast.expr) -> Node:
        """A rule: something that is true or not."""
        match node:
            case ast.BoolOp(op=ast.And()):
                return both([self.node(part) for part in node.values])
            case ast.BoolOp(op=ast.Or()):
                return either([self.node(part) for part in node.values])
            case ast.UnaryOp(op=ast.Not()):
                return opposite(self.node(node.operand))
            case ast.Compare():
                return self.comparison(node)
            case _:
                return self.truth(node)

    def truth(self, node: ast.expr) -> Clause:
        """A term that stands alone and is a truth."""
        term = self.term(node)
        if isinstance(term, calls.SegmentTerm):
            return Clause(self.source(node), term.emit, term, None)
        if term.kind is not Kind.TRUTH:
            raise self.fail(
                node, f"'{self.source(node)}' is {_a(term.kind)}, not true or false; compare it with something"
            )
        return Clause(self.source(node), truth(term), term, None)

    def comparison(self, node: ast.Compare) -> Node:
        parts: list[Node] = []
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            if isinstance(operator, ast.In | ast.NotIn):
                parts.append(self.choice(left, operator, right))
                continue
            symbol = _SYMBOLS.get(type(operator))
            if symbol is None:
                raise self.fail(right, "only <, <=, >, >=, ==, !=, in and not in compare")
            a, b = self.checked(left, symbol, right)
            text = f"{self.source(left)} {symbol} {self.source(right)}"
            parts.append(_clause(text, a, symbol, b))
        return both(parts)

    def choice(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Node:
        """`x in ("a", "b")`: equal to any of them."""
        if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
            raise self.fail(right, 'what follows in must be a list of values, as in ("GB", "IE")')
        pairs = [self.checked(left, "==", value) for value in right.elts]
        text = self.source(left)
        found = either([_clause(f"{text} == {b.text}", a, "==", b) for a, b in pairs])
        return opposite(found) if isinstance(operator, ast.NotIn) else found

    def checked(self, left: ast.expr, symbol: str, right: ast.expr) -> tuple[Term, Term]:
        """Two terms that may be compared, money in minor units on both sides."""
        a, b = self.term(left), self.term(right)
        if isinstance(a, Since) != isinstance(b, Since) or Kind.DURATION in {a.kind, b.kind}:
            self.check_duration(left, symbol, right, a, b)
        self.check_prediction(left, symbol, right, a, b)
        kinds = {a.kind, b.kind}
        if kinds == {Kind.MONEY, Kind.NUMBER}:
            return self.as_money(left, a), self.as_money(right, b)
        if kinds == {Kind.ANY, Kind.MONEY} or (len(kinds) > 1 and Kind.ANY not in kinds):
            message = f"{self.source(left)} is {_a(a.kind)}; {self.source(right)} is {_a(b.kind)}"
            raise self.fail(right, message + ": they cannot be compared")
        if kinds & {Kind.TEXT, Kind.TRUTH} and symbol not in {"==", "!="}:
            kind = a.kind if a.kind in {Kind.TEXT, Kind.TRUTH} else b.kind  # the other may be an attribute
            raise self.fail(left, f"{_a(kind)} is compared with == or != only")
        limit = calls.asked_too_much(a, symbol, b) or calls.asked_too_much(b, MIRRORED[symbol], a)
        if limit:
            raise self.fail(right, limit)
        return a, b

    def check_duration(self, left: ast.expr, symbol: str, right: ast.expr, a: Term, b: Term) -> None:
        both_durations = a.kind is b.kind is Kind.DURATION
        if not both_durations:
            message = f"{self.source(left)} is {_a(a.kind)}; {self.source(right)} is {_a(b.kind)}"
            raise self.fail(right, message + ": compare since(...) with days(n), hours(n) or minutes(n)")
        if isinstance(a, Since) == isinstance(b, Since):
            raise self.fail(right, "compare since(...) with days(n); to compare two instants, compare them directly")
        if symbol in {"==", "!="}:
            raise self.fail(right, "a duration is compared with <, <=, > or >=: it equals another for an instant only")

    def check_prediction(self, left: ast.expr, symbol: str, right: ast.expr, a: Term, b: Term) -> None:
        """What falls with time is compared so that it is known when the answer changes."""
        if not isinstance(a, Falling) and not isinstance(b, Falling):
            return
        if not isinstance(a, Literal) and not isinstance(b, Literal):
            what = self.source(left if isinstance(a, Falling) else right)
            raise self.fail(right, f"compare {what} with a number written out; then it is known when that changes")
        if symbol in {"==", "!="}:
            raise self.fail(right, "a prediction is compared with <, <=, > or >=: it equals one for an instant only")

    def as_money(self, node: ast.expr, term: Term) -> Term:
        """A number in the rule means major units of the base currency."""
        if term.kind is Kind.MONEY:
            return term
        if not isinstance(term, Literal):
            raise self.fail(node, f"{self.source(node)} is a number, not money; write an amount such as 500")
        return literal(Kind.MONEY, term.text, calls.scaled(term.value, digits_of(self.currency)))

    def term(self, node: ast.expr) -> Term:
        """A value."""
        match node:
            case ast.Constant():
                return self.constant(node)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
                positive = self.constant(operand)
                if positive.kind is Kind.NUMBER:
                    return literal(Kind.NUMBER, self.source(node), -positive.value)
            case ast.Name() | ast.Attribute():
                return self.field(node)
            case ast.Call():
                return calls.call(self, node)
            case ast.BinOp():
                return self.arithmetic(node)
        raise self.fail(node, f"'{self.source(node)[:40]}' is not part of the rule language")

    def constant(self, node: ast.Constant) -> Literal:
        value = node.value
        if isinstance(value, bool):
            return literal(Kind.TRUTH, self.source(node), value)
        if isinstance(value, int | float):
            if not abs(value) <= MAX_NUMBER:
                raise self.fail(node, f"numbers go up to {MAX_NUMBER}")
            return literal(Kind.NUMBER, self.source(node), value)
        if isinstance(value, str):
            return literal(Kind.TEXT, self.source(node), value)
        raise self.fail(node, f"'{self.source(node)[:40]}' is neither a number, a text, True nor False")

    def path(self, node: ast.expr) -> str:
        """The dotted name that a node spells."""
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=inner, attr=name):
                return f"{self.path(inner)}.{name}"
        raise self.fail(node, f"'{self.source(node)[:40]}' is not a name of the catalogue")

    def field(self, node: ast.expr) -> Term:
        name = self.path(node)
        entry, prediction = FIELDS.get(name), PREDICTIONS.get(name)
        if prediction is not None:
            return prediction.build(name, self.predictor)
        if entry is None:
            if name in FUNCTIONS:
                raise self.fail(node, f"usage: {FUNCTIONS[name]}")
            if name in SERIES:
                raise self.fail(node, f"'{name}' is a series; count it: count({name}, within=days(30))")
            raise self.fail(node, unknown("field", name, [*FIELDS, *PREDICTIONS, *SERIES, *FUNCTIONS]))
        return fact(entry.kind, name, entry.groups, entry.path, always_there=entry.always_there)

    def arithmetic(self, node: ast.BinOp) -> Term:
        symbol = _ARITHMETIC.get(type(node.op))
        if symbol is None:
            raise self.fail(node, "only +, -, * and / are known")
        a, b = self.term(node.left), self.term(node.right)
        try:
            return calls.arithmetic(self.source(node), a, symbol, b)
        except TypeError as error:
            raise self.fail(node, str(error)) from None


def _a(kind: Kind) -> str:
    return {Kind.INSTANT: "an instant", Kind.MONEY: "money", Kind.TEXT: "text", Kind.TRUTH: "true or false"}.get(
        kind, f"a {kind}"
    )


def _clause(text: str, a: Term, symbol: str, b: Term) -> Clause:
    if isinstance(a, Literal) and not isinstance(b, Literal):
        return Clause(text, compare(a, symbol, b), b, a)
    return Clause(text, compare(a, symbol, b), a, b)
