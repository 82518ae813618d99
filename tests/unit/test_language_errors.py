"""What is wrong with a rule: where, in words that help; and how a whole file's faults are told."""

import pytest

from schemas.errors import DefinitionsError
from streams.core.definitions import MAX_CHAIN, MAX_REFERENCES, compile_definitions
from streams.core.errors import Fault, RuleError
from streams.core.language.catalogue import FIELDS, FUNCTIONS, SERIES
from streams.core.language.parse import MAX_LENGTH, parse_rule
from streams.core.language.rule import Rule


def nobody(key: str) -> Rule:
    raise RuleError(Fault(0, f"no segment {key}"))


def fault(text: str) -> Fault:
    with pytest.raises(RuleError) as refused:
        parse_rule(text, nobody)
    return refused.value.fault


@pytest.mark.parametrize(
    ("rule", "offset", "words"),
    [
        ("", 0, "not an expression"),
        ("orders.count >", 14, "not an expression"),
        ("orders.count > 1 and", 20, "not an expression"),
        ("orders.count > > 1", 15, "not an expression"),
        ("(orders.count > 1", 0, "not an expression: '(' was never closed"),
        ("orders.cont > 1", 0, "unknown field 'orders.cont'; did you mean 'orders.count'?"),
        ("cart.items > 0 and order.count > 1", 19, "did you mean 'orders.count'?"),
        ("'é' == attribute('x') and orders.cnt > 2", 26, "did you mean 'orders.count'?"),
        ("xyzzy > 1", 0, "unknown field 'xyzzy'; known: orders.count"),
        ("cuont(orders) > 1", 0, "unknown function 'cuont'; did you mean 'count'?"),
        ("since(order.last_at) > days(1)", 6, "did you mean 'orders.last_at'?"),
        ("orders > 1", 0, "'orders' is a series; count it: count(orders, within=days(30))"),
        ("count(order) > 1", 6, "unknown series 'order'; did you mean 'orders'?"),
        ("count(orders.total) > 1", 6, "unknown series"),
        ("sum(orders) > 1", 4, "unknown series 'orders'"),
        ("sum(orders.totl) > 1", 4, "did you mean 'orders.total'?"),
        ("mean(visits.length) > 1", 5, "unknown series"),
        ("orders.spend > 'VIP'", 15, "orders.spend is money; 'VIP' is text: they cannot be compared"),
        ("orders.count > 'three'", 15, "orders.count is a number; 'three' is text"),
        ("orders.last_at > 5", 17, "orders.last_at is an instant; 5 is a number"),
        ("email.subscribed > 1", 19, "email.subscribed is true or false; 1 is a number"),
        ("email.subscribed > True", 0, "true or false is compared with == or != only"),
        ("attribute('a') > 'x'", 0, "text is compared with == or != only"),
        ("orders.count", 0, "'orders.count' is a number, not true or false; compare it with something"),
        ("predicted.alife > 0.5", 0, "unknown field 'predicted.alife'; did you mean 'predicted.alive'?"),
        ("predicted.orders > 1", 0, "usage: predicted.orders(duration)"),
        ("predicted.orders() > 1", 0, "usage: predicted.orders(duration)"),
        ("predicted.orders(30) > 1", 17, "'30' must be a duration such as days(30)"),
        ("predicted.orders(days(0)) > 1", 0, "predictions look ahead at most 3650 days, and not 0"),
        ("predicted.orders(days(3651)) > 1", 0, "predictions look ahead at most 3650 days"),
        ("predicted.lifetime_value(days(9), discount=2) > 1", 43, "a discount is what a year takes off: from 0 to 1"),
        ("predicted.alive == 0.5", 19, "a prediction is compared with <, <=, > or >="),
        ("predicted.alive in (0.5,)", 20, "a prediction is compared with <, <=, > or >="),
        ("predicted.alive < orders.count", 18, "compare predicted.alive with a number written out"),
        ("attribute('a') < predicted.alive", 17, "compare predicted.alive with a number written out"),
        ("predicted.alive * 2 > 1", 0, "compare a prediction directly with a number"),
        ("predicted.order_value > predicted.alive", 24, "compare predicted.alive with a number written out"),
        ("since(orders.last_at)", 0, "not true or false"),
        ("'VIP'", 0, "is text, not true or false; compare it with something"),
        ("since(orders.last_at) >= 90", 25, "compare since(...) with days(n), hours(n) or minutes(n)"),
        ("orders.last_at >= days(90)", 18, "compare since(...) with days(n)"),
        ("since(orders.last_at) == days(90)", 25, "a duration is compared with <, <=, > or >="),
        ("since(orders.last_at) > since(site.last_at)", 24, "to compare two instants, compare them directly"),
        ("days(1) < days(2)", 10, "compare since(...) with days(n)"),
        ("since(orders.count) > days(1)", 6, "since() takes an instant; 'orders.count' is a number"),
        ("since() > days(1)", 0, "usage: since(instant): how long ago it is"),
        ("count(orders, 5) > 1", 0, "usage: count(series"),
        ("count(orders, since=days(5)) > 1", 0, "'since' is not an argument here; usage: count(series"),
        ("count(orders, within=5) > 1", 21, "'5' must be a duration such as days(30)"),
        ("count(orders, within=days(5), within=days(6)) > 1", 37, "'within' is given twice"),
        ("count(orders, within=days(orders.count)) > 1", 26, "must be a number written out"),
        ("count(orders, within=days(-1)) > 1", 26, "a duration is not negative and at most 100,000 days"),
        ("since(orders.last_at) > hours(2400001)", 30, "at most 100,000 days"),
        ("count(orders, topic='x') > 1", 0, "only contacts have a topic"),
        ("count(contacts, topic=5) > 1", 22, "'5' must be a text"),
        ("mean(contacts.sentiment, last=0) > 1", 30, "last is a whole number from 1 to 10"),
        ("mean(contacts.sentiment, last=11) > 1", 30, "last is a whole number from 1 to 10"),
        ("count(visits, within=days(91)) > 1", 21, "the profile keeps 90 days of this; the window must not be longer"),
        ("count(contacts, within=hours(2161)) > 1", 23, "the profile keeps 90 days"),
        ("count(visits) > 1", 0, "say how far back, as in within=days(30)"),
        (
            "count(visits, within=days(30)) >= 101",
            34,
            "counts up to 100, all that the profile keeps",
        ),
        ("101 <= count(visits, within=days(30))", 7, "it cannot tell >= 101"),
        ("count(contacts) > 200", 18, "counts up to 200, all that the profile keeps; it cannot tell > 200"),
        ("count(contacts) == 200", 19, "cannot tell == 200"),
        ("count(contacts) in (1, 200)", 23, "cannot tell == 200"),
        ("segment('vip')", 8, "no segment vip"),
        ("segment(orders.count)", 8, "must be the key of a segment in quotes"),
        ("bucket(1) < 0.5", 7, "must be a name in quotes"),
        ("attribute(country) == 'GB'", 10, "unknown field 'country'"),
        ("attribute('country')", 0, "compare it with something"),
        ("attribute('country') in 'GB'", 24, 'must be a list of values, as in ("GB", "IE")'),
        ("attribute('country') in ()", 24, "must be a list of values"),
        ("orders.count is 1", 16, "only <, <=, >, >=, ==, !=, in and not in compare"),
        ("orders.count + 'x' > 1", 0, "'orders.count + 'x'': a number + a text means nothing"),
        ("orders.spend * orders.spend > 1", 0, "a money * a money means nothing"),
        ("orders.last_at + days(1) > orders.first_at", 0, "means nothing"),
        ("orders.count ** 2 > 1", 0, "only +, -, * and / are known"),
        ("1 / 0 > orders.count", 0, "is no number"),
        ("orders.spend > orders.count", 15, "orders.count is a number, not money; write an amount such as 500"),
        ("orders.count > 1e16", 15, "numbers go up to 1000000000000000"),
        ("orders.count > None", 15, "neither a number, a text, True nor False"),
        ("orders.count[0] > 1", 0, "is not part of the rule language"),
        ("(lambda: 1)() > 1", 1, "is not a name of the catalogue"),
        ("orders.count > 1 # loyal", 17, "write comments above a rule, not in it"),
        ("True " * MAX_LENGTH, 0, f"at most {MAX_LENGTH}"),
        ("<".join("1" * 300), 0, "the rule is too large: at most 400 parts"),
        ("not " * 40 + "True", 0, "nested 30 deep"),
    ],
)
def test_a_fault_names_the_place_and_the_way_out(rule: str, offset: int, words: str) -> None:
    found = fault(rule)
    assert words in found.message
    assert found.offset == offset


@pytest.mark.parametrize("name", [*FIELDS, *SERIES, *FUNCTIONS])
def test_a_name_misspelt_by_one_letter_is_recognised(name: str) -> None:
    wrong = name[:-2] + name[-1] + name[-2] + "x"
    message = fault(f"{wrong}('a') > 1" if name in FUNCTIONS else f"{wrong} > 1").message
    assert f"did you mean '{name}'?" in message or "known:" in message
    assert f"'{wrong}'" in message


def faults(text: str) -> list[str]:
    with pytest.raises(DefinitionsError) as refused:
        compile_definitions(text)
    return refused.value.faults


def file(**rules: str) -> str:
    return "".join(f"[segments.{key}]\ntitle = \"T\"\nwhen = '{rule}'\n" for key, rule in rules.items())


_MULTILINE = '''# One
[segments.good]
title = "Good"
when = "orders.count > 1"

[segments.bad]
title = "Bad"
when = """
orders.count > 1
  and cart.itms > 0
"""

[segments.worse]
title = "Worse"
when = "orders.count > 'x'"
'''


def test_every_fault_of_a_file_is_told_with_its_line_and_column() -> None:
    assert faults(_MULTILINE) == [
        "line 10 column 7: [segments.bad] unknown field 'cart.itms'; did you mean 'cart.items'?",
        "line 15 column 24: [segments.worse] orders.count is a number; 'x' is text: they cannot be compared",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[segments.a]\ntitle = 'T'\nwhen = 'xyzzy > 1'\n", "line 3 column 9: "),
        ("  [segments.\"a\"]\ntitle = 'T'\n  when='xyzzy > 1'\n", "line 3 column 9: "),
        ("[ segments . a ]\ntitle = 'T'\nwhen = 'xyzzy > 1'\n", "line 3 column 9: "),
        ("[segments]\na.title = 'T'\na.when = 'xyzzy > 1'\n", "line 3 column 11: "),
        ("segments.a = { title = 'T', when = 'xyzzy > 1' }\n", ""),
    ],
)
def test_a_place_is_told_where_it_can_be_found(text: str, place: str) -> None:
    (found,) = faults(text)
    assert found.startswith(place or "[segments.a] column 1 of its rule: unknown field")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("segments = 5", "line 1 column 1: segments: "),
        ("version = 1\n[segments", "line 2 column 10: not TOML: "),
        ("version = 1\nsegments =", "line 2 column 11: not TOML: Invalid value"),
        ("version = 1", "segments: Field required"),
        ("\n[segments]", "line 2 column 1: segments: "),
        ("[segments.Vip]\ntitle = 'T'\nwhen = 'True'", "line 1 column 1: segments.Vip: String should match pattern"),
        ("\n[segments.vip]\nwhen = 'True'", "line 2 column 1: segments.vip.title: Field required"),
        (
            "[segments.vip]\ntitle = 'T'\nwhen = 'True'\n  who = 1",
            "line 4 column 3: segments.vip.who: unknown key; did you mean 'when'?",
        ),
        (
            "[segments.vip]\ntitle = 'T'\nwhen = 'True'\nxyzzy = 1",
            "line 4 column 1: segments.vip.xyzzy: unknown key; known: title, when, description",
        ),
        ("curency = 1\n" + file(vip="True"), "line 1 column 1: curency: unknown key; did you mean 'currency'?"),
        ("[segments.vip]\ntitle = 'T'\nwhen = ''", "line 3 column 1: segments.vip.when: "),
        ("[currency]\nbase = 'pounds'\n" + file(vip="True"), "line 2 column 1: currency.base: "),
        ("[currency]\nrates = { USD = 0 }\n" + file(vip="True"), "line 2 column 1: currency.rates.USD: "),
        ("version = 0\n" + file(vip="True"), "line 1 column 1: version: "),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_place(text: str, expected: str) -> None:
    assert any(found.startswith(expected) for found in faults(text)), faults(text)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"a": 'segment("a")'}, ["in a circle: a -> a"]),
        (
            {"a": 'segment("b")', "b": 'segment("a")'},
            ["in a circle: a -> b -> a", "segment 'b' has a fault"],
        ),
        ({"a": 'segment("b")', "b": 'segment("c")', "c": 'segment("b")'}, ["b -> c -> b", "'c' has a", "'b' has a"]),
        ({"vip": "True", "a": 'segment("vp")'}, ["unknown segment 'vp'; did you mean 'vip'?"]),
        ({"a": 'segment("b")', "b": "xyzzy > 1"}, ["unknown field 'xyzzy'", "segment 'b' has a fault of its own"]),
        ({"a": 'segment("zzz")'}, ["unknown segment 'zzz'; known: a"]),
    ],
)
def test_references_to_other_segments_are_checked(rules: dict[str, str], expected: list[str]) -> None:
    found = faults(file(**rules))
    assert len(found) == len(expected)
    assert all(words in line for words, line in zip(expected, found, strict=True))


def chain(length: int) -> dict[str, str]:
    return {f"s{n}": f'segment("s{n + 1}")' for n in range(length - 1)} | {f"s{length - 1}": "orders.count == 1"}


@pytest.mark.parametrize("backwards", [False, True])
def test_a_chain_of_references_has_a_longest_length_in_any_order(*, backwards: bool) -> None:
    def ordered(rules: dict[str, str]) -> str:
        return file(**dict(reversed(rules.items()) if backwards else rules.items()))

    assert len(compile_definitions(ordered(chain(MAX_CHAIN))).segments) == MAX_CHAIN
    assert f"more than {MAX_CHAIN} segments in a chain" in faults(ordered(chain(MAX_CHAIN + 1)))[0]


def test_all_that_a_rule_refers_to_has_a_bound() -> None:
    doubled = {f"s{n}": f'segment("s{n - 1}") or segment("s{n - 1}")' for n in range(1, 10)}
    assert f"more than {MAX_REFERENCES} rules" in faults(file(s0="True", **doubled))[0]


def test_segments_may_refer_to_those_above_and_below() -> None:
    definitions = compile_definitions(file(a='segment("b")', b="orders.count > 1", c='segment("a") and segment("b")'))
    assert [segment.key for segment in definitions.segments] == ["a", "b", "c"]
    assert len({segment.rule.groups for segment in definitions.segments}) == 1
