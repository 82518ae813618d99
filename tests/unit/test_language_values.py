"""What the terms of a rule come to, for a customer of whom everything is known; and for nobody."""

import pytest

from schemas.errors import ParametersError
from schemas.instants import DAY, MINUTE, NEVER
from streams.core.definitions import compile_definitions
from streams.core.language.explain import explain
from streams.core.profile import Profile
from tests.models import CDNOW, parameters
from tests.properties.logs import fed
from tests.scenarios.events import START, added, bought, contacted, event, mailed, rated, refunded, viewed

_NOW = START + 100 * DAY
_LOG = [
    bought(0, "o1", "100.00"),
    bought(80 * DAY, "o2", "50.50"),
    refunded(81 * DAY, "0.50", "o2"),
    viewed(85 * DAY),
    viewed(95 * DAY),
    mailed("subscribed", 10 * DAY),
    mailed("opened", 96 * DAY),
    contacted(20 * DAY, "c1", "delivery", -1),
    contacted(90 * DAY, "c2", "delivery", 0.5),
    contacted(91 * DAY, "c3", None, None),
    rated(92 * DAY, 4),
    event("customer.updated", 93 * DAY, attributes={"country": "GB", "tier": 3, "vip": True, "gone": None}),
    added(99 * DAY, quantity=2),
    added(99 * DAY + MINUTE, "q"),
]

HOLDS = [
    "orders.count == 2",
    "orders.spend == 150",
    "orders.spend > 149.99 and orders.spend < 150.01",
    "orders.average == 75",
    "orders.first_at < orders.last_at",
    "cart.items == 3",
    "cart.updated_at > site.last_at or cart.updated_at == site.last_at",
    "engagement.last_at >= site.last_at",
    "email.subscribed",
    "email.subscribed == True and email.subscribed != False",
    "support.csat == 4",
    "since(support.csat_at) >= days(8) and since(support.csat_at) <= days(8)",
    "since(profile.seen_at) < days(1)",
    "days(19) < since(orders.last_at) <= days(20)",
    "hours(480) <= since(orders.last_at)",
    "minutes(28801) > since(orders.last_at)",
    "count(orders) == 2 and count(orders, within=days(30)) == 1",
    "count(orders, within=days(100)) == 1",
    "count(orders, within=hours(2401)) == 2",
    "count(visits, within=days(90)) == 3",
    "count(contacts) == 3 and count(contacts, within=days(30)) == 2",
    'count(contacts, topic="delivery", within=days(90)) == 2',
    'count(contacts, topic="pricing") == 0',
    "sum(orders.total) == 150.50",
    "sum(orders.total, within=days(30)) == 50.50",
    "mean(orders.total) == 75.25",
    "mean(contacts.sentiment) == -0.25",
    "mean(contacts.sentiment, last=1) == 0.5",
    "mean(contacts.sentiment, within=days(30)) == 0.5",
    "orders.count + 1 == 3 and orders.count - 3 == -1 and orders.count * 2 == 4 and orders.count / 4 == 0.5",
    "orders.spend / orders.count == orders.average",
    "orders.spend - 1 * orders.average == 75",
    "orders.average * 2 >= 150",
    "orders.spend / sum(orders.total) < 1",
    'attribute("country") == "GB" and attribute("tier") >= 3 and attribute("vip") == True',
    'attribute("country") in ("IE", "GB") and attribute("country") not in ["US"]',
    'attribute("tier") != "x" and not attribute("tier") == "x" and not attribute("country") > 3',
    'bucket("test") >= 0 and bucket("test") < 1',
    "is_set(orders.last_at) and is_set(since(orders.last_at))",
    'not is_set(attribute("gone")) and not is_set(attribute("never"))',
    'not attribute("never") == 1 and not attribute("never") != 1',
    'segment("other") and segment("other") == True and not segment("other") == False',
    "1 < 2 <= 2 and True and not False",
    "orders.count >\n1",
    "(\n  orders.count == 2\n  and cart.items > 0\n)",
]


@pytest.mark.parametrize("rule", HOLDS)
def test_a_rule_holds_for_one_who_is_as_it_says(rule: str) -> None:
    text = f"[segments.s]\ntitle = 'S'\nwhen = '''{rule}'''\n[segments.other]\ntitle = 'O'\nwhen = 'cart.items > 2'\n"
    definitions = compile_definitions(text)
    profile = fed(sorted(_LOG, key=lambda given: given["occurred_at"]), definitions)[0].profile
    holds, until = definitions.segments[0].judge(profile, _NOW)
    assert holds
    assert until > _NOW
    assert all(clause["value"] is not None or "attribute" in rule for clause in explain_all(rule, text, profile))


def explain_all(rule: str, text: str, profile: Profile) -> list[dict[str, object]]:
    definitions = compile_definitions(text)
    found = explain(definitions.segments[0].rule, profile, _NOW, "GBP")
    assert found, rule
    return found


@pytest.mark.parametrize(
    "rule",
    [
        "orders.average > 0",
        "orders.average <= 0",
        "orders.last_at == orders.last_at",
        "since(orders.last_at) >= days(0)",
        "since(orders.last_at) < days(100000)",
        "support.csat != 5",
        "mean(contacts.sentiment) < 1",
        "mean(contacts.sentiment, within=days(30)) >= -1",
        "orders.average + orders.spend >= 0",
        "1 / orders.count > 0",
        "orders.count / orders.count != 0",
        'attribute("country") != "GB"',
        'attribute("country") in ("GB",)',
        "is_set(cart.updated_at)",
        "since(profile.seen_at) >= days(0)",
        "predicted.alive < 2",
        "predicted.alive >= 0",
        "predicted.order_value > 0",
        "predicted.orders(days(30)) >= 0",
        "predicted.lifetime_value(days(30)) >= 0",
        "is_set(predicted.alive)",
    ],
)
def test_a_missing_value_makes_a_comparison_false_and_its_opposite_true(rule: str) -> None:
    for text, expected in ((rule, False), (f"not ({rule})", True)):
        definitions = compile_definitions(f"[segments.s]\ntitle = 'S'\nwhen = '''{text}'''\n")
        assert definitions.segments[0].judge(Profile("ann"), _NOW) == (expected, NEVER)


@pytest.mark.parametrize(
    "rule",
    [
        "is_set(predicted.alive) and is_set(predicted.lifetime_value(days(365))) and 2 > predicted.alive >= 1",
        "predicted.order_value - 1 * orders.average > -20 and not predicted.order_value < 2 * 10",
        "predicted.orders(days(365)) > 0.5 and 500 > predicted.lifetime_value(hours(24), discount=0) > 0",
    ],
)
def test_a_prediction_needs_parameters_and_an_order_and_is_a_term_like_any_other(rule: str) -> None:
    text = f"[segments.s]\ntitle = 'S'\nwhen = '{rule}'\n"
    profile = fed([bought(0, "o1", 50_00)], compile_definitions(text))[0].profile
    assert compile_definitions(text, CDNOW).segments[0].judge(profile, START)[0]
    assert not compile_definitions(text).segments[0].judge(profile, START)[0]
    assert not compile_definitions(text, CDNOW).segments[0].judge(Profile("ann"), START)[0]


def test_parameters_of_another_currency_are_refused() -> None:
    with pytest.raises(ParametersError, match="fitted in USD, and the definitions count in GBP"):
        compile_definitions("[segments.s]\ntitle = 'S'\nwhen = 'True'\n", parameters(currency="USD"))


def test_a_bucket_is_stable_and_differs_between_names_and_customers() -> None:
    definitions = compile_definitions("[segments.s]\ntitle = 'S'\nwhen = 'bucket(\"a\") < 0.25'\n")
    inside = sum(definitions.segments[0].judge(Profile(f"c{n}"), _NOW)[0] for n in range(4_000))
    assert 900 < inside < 1_100


def test_a_rule_that_reads_when_a_customer_was_seen_hears_of_every_event() -> None:
    definitions = compile_definitions("[segments.gone]\ntitle = 'G'\nwhen = 'since(profile.seen_at) >= days(30)'\n")
    log = [bought(0, "o1"), event("order.delivered", 40 * DAY, order_id="o1")]
    _, transitions = fed(log, definitions, START + 71 * DAY)
    assert [((t.effective_at - START) // DAY, t.entered) for t in transitions] == [(30, True), (40, False), (70, True)]


@pytest.mark.parametrize("rule", ['segment("old")', 'segment("old") == True', 'segment("old") in (True,)'])
def test_a_reference_crosses_when_what_it_refers_to_does(rule: str) -> None:
    old = "[segments.old]\ntitle = 'O'\nwhen = 'since(orders.last_at) >= days(30)'\n"
    definitions = compile_definitions(f"{old}[segments.s]\ntitle = 'S'\nwhen = '{rule}'\n")
    _, transitions = fed([bought(0, "o1")], definitions, START + 40 * DAY)
    assert [(t.segment.key, t.effective_at - START) for t in transitions] == [("old", 30 * DAY), ("s", 30 * DAY)]


_HUGE = " * 1000000000000000"


@pytest.mark.parametrize("factor", [_HUGE * 22 + " * 0.5", _HUGE * 22 + " / 3", _HUGE + " * 1000000"])
def test_what_is_beyond_all_figures_is_missing(factor: str) -> None:
    definitions = compile_definitions(f"[segments.s]\ntitle = 'S'\nwhen = 'orders.count{factor} > 1'\n")
    _, transitions = fed([bought(0, "o1")], definitions)
    assert transitions == []
