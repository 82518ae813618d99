"""No expression, however mean, escapes the language: a rule or a `RuleError`, soon."""

import ast
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DefinitionsError
from streams.core.definitions import compile_definitions
from streams.core.errors import Fault, RuleError
from streams.core.language.catalogue import FIELDS, SERIES
from streams.core.language.explain import explain
from streams.core.language.parse import MAX_LENGTH, parse_rule
from streams.core.language.rule import Rule
from streams.core.language.source import Source
from streams.core.profile import Profile
from tests.oracle import Event
from tests.properties.logs import LAST, SETTINGS, fed, in_time, logs
from tests.properties.rules import rules
from tests.scenarios.story import shipped

SECONDS = 1.0
"""Far more than any rule takes, far less than a hang."""


def nobody(key: str) -> Rule:
    raise RuleError(Fault(0, f"no segment {key}"))


def parsed(text: str) -> Rule | Fault:
    """The rule in a text, or what is wrong with it; anything else is raised."""
    try:
        return parse_rule(text, nobody)
    except RuleError as error:
        return error.fault


def tried(text: str) -> Rule | None:
    """The rule in a text, or None where it is refused; anything else is raised. It is also judged and explained."""
    started = process_time()
    rule = parsed(text)
    assert process_time() - started < SECONDS
    if isinstance(rule, Fault):
        assert 0 <= rule.offset <= len(text)
        assert rule.message
        return None
    profile = Profile("ann")
    holds, until = rule.judge(profile, LAST)
    assert isinstance(holds, bool)
    assert until > LAST
    explain(rule, profile, LAST, "GBP")
    assert process_time() - started < SECONDS
    return rule


_NAMES = ["orders", "orders.count", "cart.items", "visits", "since", "count", "days", "segment", "__class__", "True"]
_WORDS = [
    *_NAMES,
    *["and", "or", "not", "in", "is", "if", "else", "for", "lambda", "await", "yield", "import", "None", ":=", "->"],
    *[
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        ":",
        "=",
        "==",
        "!=",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "**",
        "/",
        "//",
        "%",
        "@",
    ],
    *[
        "1",
        "0",
        "1e400",
        "1j",
        "0x" + "f" * 99,
        "9" * 400,
        '"text"',
        "b'x'",
        "f'{orders}'",
        "...",
        "#",
        "\n",
        "\\",
        "\0",
    ],
    *["within=days(30)", 'topic="x"', "last=3", "*orders", "**orders", "é", "\ud800", "\r", "\f", "\ufeff", "\u2028"],
]

_names = st.sampled_from(_NAMES)
_leaves = _names | st.sampled_from(["1", "-1", "1e308", "9" * 300, '"x"', "None", "1j", "b''", "...", "''"])
_python = st.recursive(
    _leaves,
    lambda part: st.one_of(
        st.builds(lambda a: f"(lambda x: {a})", part),
        st.builds(lambda a: f"[{a} for x in orders]", part),
        st.builds(lambda a: f"{{{a}: {a}}}", part),
        st.builds(lambda a: f"(y := {a})", part),
        st.builds(lambda a: f"f'{{({a})!r:>9}}'" if "'" not in a else a, part),
        st.builds(lambda a: f"({a}).__class__.__mro__", part),
        st.builds(lambda a, b: f"({a})[{b}:]", part, part),
        st.builds(lambda a, b: f"{a}(*{b})", _names, part),
        st.builds(lambda a, b: f"{a}(**{b})", _names, part),
        st.builds(lambda a, b: f"{a}(({b}), within=({b}))", _names, part),
        st.builds(lambda a, b, c: f"({a} if {b} else {c})", part, part, part),
        st.builds(
            lambda a, op, b: f"({a} {op} {b})", part, st.sampled_from(["+", "*", "/", "**", "<<", "@", "%"]), part
        ),
        st.builds(
            lambda a, op, b: f"({a} {op} {b})", part, st.sampled_from(["<", "==", "in", "is", "and", "or"]), part
        ),
        st.builds(lambda a: f"(not {a})", part),
        st.builds(lambda a: f"(~{a})", part),
    ),
    max_leaves=12,
)


@SETTINGS
@given(st.text(max_size=200) | st.text(max_size=60).map(lambda text: f"orders.count {text}"))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    tried(text)


@SETTINGS
@given(st.lists(st.sampled_from(_WORDS), max_size=25))
def test_any_words_of_python_are_a_rule_or_refused(words: list[str]) -> None:
    tried(" ".join(words))


@SETTINGS
@given(_python)
def test_any_python_expression_is_a_rule_or_refused(text: str) -> None:
    tried(text)
    tried(f"({text}) == 1")


@SETTINGS
@given(st.data(), rules())
def test_a_rule_with_a_slip_in_it_is_a_rule_or_refused(data: st.DataObject, text: str) -> None:
    place = data.draw(st.integers(0, len(text)))
    slip = data.draw(st.sampled_from(_WORDS) | st.text(max_size=3))
    tried(text[:place] + slip + text[place + data.draw(st.integers(0, 3)) :])


@SETTINGS
@given(rules(), logs(8))
def test_a_rule_is_judged_and_explained_for_any_customer(text: str, log: list[Event]) -> None:
    rule = parse_rule(text, nobody)
    customer, _ = fed(in_time(log), shipped())
    for clause in explain(rule, customer.profile, customer.as_of, "GBP"):
        assert set(clause) == {"clause", "value", "threshold", "holds", "until"}
        ast.parse(clause["clause"], mode="eval")


_EMITTED = (
    *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.If, ast.NamedExpr),
    *(ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple, ast.Call),
    *(ast.Compare, ast.cmpop, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.Not, ast.USub, ast.BinOp, ast.Add),
)
"""All that the function of a rule is made of."""
_PLACES = [field.path for field in FIELDS.values()] + [series.path for series in SERIES.values()]
_PATHS = {part for place in _PLACES for part in place.split(".")}


@SETTINGS
@given(rules())
def test_the_function_of_a_rule_is_made_of_comparisons_and_paths_of_the_catalogue(text: str) -> None:
    source = Source()
    answer = parse_rule(text, nobody).node.emit(source)
    source.add(f"return {answer.holds}, {answer.end}")
    for node in ast.walk(ast.parse("def judge(profile, now):\n" + "\n".join(source.lines))):
        assert isinstance(node, _EMITTED)
        if isinstance(node, ast.Attribute):
            assert node.attr in _PATHS
        if isinstance(node, ast.Name):
            assert node.id in {"profile", "now", "NEVER", "min", "len", "bool"} or node.id.startswith("v")
        if isinstance(node, ast.Constant):
            assert node.value is None or isinstance(node.value, int)


_MEAN = {
    "nothing": "",
    "blank": " \n\t ",
    "null byte": "orders.count\0 > 1",
    "surrogate": "orders.count > '\ud800'",
    "open parentheses": "(" * 1_900,
    "parentheses": "(" * 900 + "True" + ")" * 900,
    "brackets": "[" * 1_900,
    "nots": "not " * 480 + "True",
    "minuses": "-" * 1_900 + "1",
    "attributes": "a" + ".a" * 950,
    "calls": "since(" * 150 + ")" * 150,
    "called calls": "since" + "()" * 900,
    "lambdas": "lambda:" * 250 + "1",
    "ifs": "1 if 1 else " * 150 + "1",
    "a long and": " and ".join(["True"] * 240),
    "a long comparison": "<".join("1" * 900),
    "a long sum": "+".join("1" * 900) + " > 1",
    "powers": "9**9**9**9**9 > 1",
    "a huge number": "9" * 1_990 + "> 1",
    "a huge hex number": "0x" + "f" * 1_900 + " > 1",
    "a huge float": "1e999999 < orders.count",
    "a huge product": "orders.count" + " * 1000000000000000" * 24 + " * 0.5 > 1",
    "a huge quotient": "orders.count" + " * 1000000000000000" * 22 + " / 3 > 1",
    "a huge product of money": "orders.spend" + " * 1000000000000000" * 22 + " > 1",
    "a huge literal": " * ".join(["1000000000000000"] * 25) + " > orders.count",
    "a repeated text": "'x' * 1000000000 == 'x'",
    "an import": "__import__('os').system('true')",
    "a class": "().__class__.__bases__[0].__subclasses__()",
    "a format string": "f'{orders:{orders:{orders}}}' == 'x'",
    "a walrus": "(x := orders.count) > 1",
    "a comprehension": "[x for x in range(10**9)]",
    "a generator": "count(x for x in orders) > 1",
    "a starred call": "count(*orders) > 1",
    "a keyword call": "count(orders, **{'within': days(1)}) > 1",
    "an argument twice": "count(orders, within=days(1), within=days(2)) > 1",
    "a slice": "orders.count[0:1] > 1",
    "a starred choice": "orders.count in (*orders,)",
    "an await": "await orders.count",
    "a yield": "(yield)",
    "a statement": "import os",
    "two lines of code": "True\nTrue",
    "a semicolon": "True; True",
    "a line continued": "orders.count > \\\n 1 \\",
    "too long": "True" + " " * MAX_LENGTH + "and True",
    "a comment that swallows a clause": "orders.count > 1 # and\nand orders.spend > 5",
}


@pytest.mark.parametrize("name", _MEAN)
def test_a_mean_expression_is_refused_or_harmless(name: str) -> None:
    tried(_MEAN[name])


_HARMLESS = ("a huge product", "a huge quotient", "a huge product of money", "a long and")


@pytest.mark.parametrize("name", [name for name in _MEAN if name not in _HARMLESS])
def test_what_is_not_of_the_language_is_refused(name: str) -> None:
    assert tried(_MEAN[name]) is None


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (20, lambda n: f'segment("s{n - 1}") and segment("s{n - 1}")'),
        (250, lambda n: f'segment("s{n - 1}")'),
        (8, lambda n: " or ".join([f'segment("s{n - 1}")'] * 50)),
    ],
)
def test_references_that_grow_out_of_hand_are_refused_soon(names: int, rule: object) -> None:
    assert callable(rule)
    rows = ["True", *(rule(n) for n in range(1, names))]
    for order in (rows, rows[::-1]):
        keyed = [(f"s{rows.index(row)}", row) for row in order]
        text = "".join(f"[segments.{key}]\ntitle = 't'\nwhen = '{row}'\n" for key, row in keyed)
        started = process_time()
        with pytest.raises(DefinitionsError, match=r"more than \d+ (segments|rules)"):
            compile_definitions(text)
        assert process_time() - started < SECONDS
