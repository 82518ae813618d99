"""The decoder: what is refused, for which reason, in which words; and that no words are personal data."""

from typing import Any

import orjson
import pytest

from schemas.errors import Reason, UndecodableError
from schemas.events import MAX_ITEMS, Catalogue, CustomerUpdated
from schemas.instants import rfc3339
from schemas.names import INPUTS
from schemas.wire import MAX_MESSAGE, decode, route
from streams.core.admission import ALLOWED_SKEW, admit, profile_id_of
from streams.core.money import Rates
from tests.scenarios.events import START, bought, contacted, decoded, event, filled, refunded, updated, viewed

_MAIL = "ann@example.org"


def refusal(message: bytes | dict[str, Any], topic: str | None = None) -> UndecodableError:
    with pytest.raises(UndecodableError) as refused:
        decode(message if isinstance(message, bytes) else orjson.dumps(message), topic)
    return refused.value


def order(**fields: Any) -> dict[str, Any]:
    return bought(0, "o1", **fields)


def without(given: dict[str, Any], field: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != field}


_PLAIN = orjson.dumps(viewed(0))

REFUSED: list[tuple[bytes | dict[str, Any], Reason, str]] = [
    (b"x" * (MAX_MESSAGE + 1), Reason.TOO_LARGE, "1048577 bytes; at most 1048576 are read"),
    (b"x" * (5 * MAX_MESSAGE), Reason.TOO_LARGE, "5242880 bytes"),
    (b"\xff\xfe", Reason.NOT_UTF8, "byte 0 is not UTF-8"),
    (_PLAIN.replace(b"ann", b"a\xe9n"), Reason.NOT_UTF8, "is not UTF-8"),
    (b"", Reason.NOT_JSON, "line 1 column 1"),
    (b"{", Reason.NOT_JSON, "line 1 column"),
    (b"[" * 100_000, Reason.NOT_JSON, "line 1"),
    (_PLAIN[:-1], Reason.NOT_JSON, "line 1 column"),
    (_PLAIN + b"{}", Reason.NOT_JSON, "line 1 column"),
    (orjson.dumps(order()).replace(b"6000", b"NaN"), Reason.NOT_JSON, "line 1 column"),
    (orjson.dumps(order()).replace(b"6000", b"Infinity"), Reason.NOT_JSON, "line 1 column"),
    (_PLAIN.replace(b"ann", b"\\ud800"), Reason.NOT_JSON, "surrogate"),
    (b"null", Reason.INVALID, "not a JSON object"),
    (b"[]", Reason.INVALID, "not a JSON object"),
    (b'"text"', Reason.INVALID, "not a JSON object"),
    (b"{}", Reason.UNKNOWN_TYPE, "type is not a type's name"),
    (event("order.eaten"), Reason.UNKNOWN_TYPE, "order.eaten"),
    ({**viewed(0), "type": 5}, Reason.UNKNOWN_TYPE, "type is not a type's name"),
    ({**viewed(0), "type": "t" * 10_000}, Reason.UNKNOWN_TYPE, "known types are in the schemas"),
    ({**viewed(0), "version": 2}, Reason.UNKNOWN_VERSION, "version 2 of page.viewed; known: 1"),
    ({**viewed(0), "version": 10**18}, Reason.UNKNOWN_VERSION, "known: 1"),
    ({**viewed(0), "version": "1"}, Reason.INVALID, "version: "),
    (without(viewed(0), "version"), Reason.INVALID, "version: Field required"),
    (without(viewed(0), "id"), Reason.INVALID, "id: Field required"),
    ({**viewed(0), "id": ""}, Reason.INVALID, "id: "),
    ({**viewed(0), "id": "i" * 257}, Reason.INVALID, "id: String should have at most 256 characters"),
    ({**viewed(0), "id": "i" * 1_000_000}, Reason.INVALID, "id: String should have at most 256 characters"),
    ({**viewed(0), "id": 7}, Reason.INVALID, "id: "),
    ({**viewed(0), "id": None}, Reason.INVALID, "id: "),
    (without(viewed(0), "customer_id"), Reason.NO_CUSTOMER, "neither customer_id nor anonymous_id is given"),
    ({**viewed(0), "customer_id": None}, Reason.NO_CUSTOMER, "neither"),
    ({**viewed(0), "customer_id": ""}, Reason.INVALID, "customer_id: "),
    ({**viewed(0), "customer_id": "anonymous:x"}, Reason.INVALID, "may not begin with 'anonymous:'"),
    ({**viewed(0), "occurred_at": "yesterday"}, Reason.INVALID, "occurred_at: "),
    (
        {**viewed(0), "occurred_at": "2026-01-01T00:00:00"},
        Reason.INVALID,
        "occurred_at: must be RFC 3339 with an offset",
    ),
    ({**viewed(0), "occurred_at": "2026-02-30T00:00:00Z"}, Reason.INVALID, "occurred_at: "),
    ({**viewed(0), "occurred_at": 1_767_225_600}, Reason.INVALID, "occurred_at: "),
    (order(total=-1), Reason.INVALID, "total"),
    (order(total="-1.00"), Reason.INVALID, "total"),
    (order(total=59.90), Reason.INVALID, "total"),
    (order(total="59,90"), Reason.INVALID, "total"),
    (order(total="1e3"), Reason.INVALID, "total"),
    (order(total="NaN"), Reason.INVALID, "total"),
    (order(total="1.0001"), Reason.INVALID, "total"),
    (order(total=10**13 + 1), Reason.INVALID, "total"),
    (order(total=2**63), Reason.INVALID, "total"),
    (order(total=True), Reason.INVALID, "total"),
    (order(currency="gbp"), Reason.INVALID, "currency: "),
    (order(currency="POUNDS"), Reason.INVALID, "currency: "),
    (order(items=[{}] * 10_000), Reason.INVALID, "items: List should have at most 2000 items"),
    (
        order(items=[{"product_id": "p"}] * (MAX_ITEMS + 1)),
        Reason.INVALID,
        "items: List should have at most 2000 items",
    ),
    (order(items=[{"product_id": "p", "quantity": 0}]), Reason.INVALID, "items.0.quantity: "),
    (order(items=[{"product_id": "p"}, {"quantity": 1}]), Reason.INVALID, "items.1.product_id: Field required"),
    (order(items={}), Reason.INVALID, "items: "),
    (event("cart.item_added", product_id="p", quantity=10**7), Reason.INVALID, "quantity: "),
    (event("support.rated", csat=6), Reason.INVALID, "csat: "),
    (event("support.rated", csat="5"), Reason.INVALID, "csat: "),
    (contacted(0, "c1", sentiment=1.01), Reason.INVALID, "sentiment: "),
    (event("support.contacted", contact_id="c", channel="x", text="t" * 20_001), Reason.INVALID, "text: "),
    (event("customer.updated"), Reason.INVALID, "attributes: Field required"),
    (event("customer.updated", attributes={f"a{n}": 1 for n in range(65)}), Reason.INVALID, "attributes: "),
    (event("order.placed"), Reason.INVALID, "order_id: Field required"),
]


@pytest.mark.parametrize(("message", "reason", "words"), REFUSED)
def test_what_is_no_event_is_refused_with_a_reason(message: bytes | dict[str, Any], reason: Reason, words: str) -> None:
    refused = refusal(message)
    assert refused.reason is reason
    assert words in refused.detail
    assert str(refused) == f"{reason}: {refused.detail}"
    assert refused.detail.isprintable()
    assert len(refused.detail) < 600


def test_each_reason_is_tried() -> None:
    tried = {reason for _message, reason, _words in REFUSED}
    assert tried | {Reason.WRONG_TOPIC, Reason.FUTURE, Reason.UNKNOWN_CURRENCY} == set(Reason)


@pytest.mark.parametrize("total", [59.9, -1, "59,90", None, True, 10**13 + 1])
def test_of_money_one_thing_is_said(total: object) -> None:
    detail = refusal(order(total=total)).detail
    assert detail.startswith("total: must be minor units as an integer (5990) or major units as text ('59.90')")
    assert ";" not in detail


def test_of_an_attribute_one_thing_is_said_and_not_its_name() -> None:
    updated = {**order(), "type": "customer.updated", "attributes": {"ann@example.org": [1]}}
    detail = refusal(updated).detail
    assert detail == "attributes.*: must be text of at most 256 characters, a number, true, false or null"


def test_of_many_faults_three_are_named_and_the_rest_counted() -> None:
    detail = refusal({**order(), "id": 1, "source": 2, "order_id": 3, "currency": 4, "coupon": 5}).detail
    assert [part.partition(":")[0] for part in detail.split("; ")] == ["id", "source", "order_id", "and 2 more"]


@pytest.mark.parametrize("kind", Catalogue.topic_of)
@pytest.mark.parametrize("topic", [*INPUTS, None])
def test_an_event_on_anothers_topic_is_refused(kind: str, topic: str | None) -> None:
    fields: dict[str, Any] = {
        "order_id": "o",
        "total": 1,
        "currency": "GBP",
        "refund_id": "r",
        "amount": 1,
        "product_id": "p",
        "items": [],
        "attributes": {},
        "contact_id": "c",
        "channel": "chat",
        "csat": 5,
    }
    message, home = event(kind, **fields), Catalogue.topic_of[kind]
    if topic in {None, "rerouted", home}:
        assert decode(orjson.dumps(message), topic).type == kind
    else:
        refused = refusal(message, topic)
        assert refused.reason is Reason.WRONG_TOPIC
        assert refused.detail == f"{kind} belongs on '{home}', not on '{topic}'"


@pytest.mark.parametrize(
    "message",
    [
        {**viewed(0), "customer_id": f"anonymous:{_MAIL}"},
        {**viewed(0), "customer_id": [_MAIL]},
        {**viewed(0), "id": _MAIL * 20},
        {**viewed(0), "occurred_at": _MAIL},
        {**viewed(0), "version": _MAIL},
        {**viewed(0), "type": _MAIL},
        {**viewed(0), "type": f"page.viewed\n{_MAIL}"},
        {**viewed(0), "url": _MAIL * 1_000},
        order(currency=_MAIL),
        order(total=_MAIL),
        order(items=[_MAIL]),
        event("support.contacted", contact_id="c", channel="chat", text=[_MAIL]),
        event("customer.updated", attributes={"mail": [_MAIL]}),
        event("customer.updated", attributes={_MAIL: [1]}),
        event("customer.updated", attributes={_MAIL * 100: 1}),
        f'{{"customer_id": "{_MAIL}'.encode(),
    ],
)
def test_a_refusal_repeats_nothing_personal(message: bytes | dict[str, Any]) -> None:
    refused = refusal(message)
    assert _MAIL not in refused.detail
    assert refused.detail.isprintable()


@pytest.mark.parametrize("occurred_at", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_an_instant_that_no_date_in_utc_can_say_is_refused(occurred_at: str) -> None:
    refused = refusal({**viewed(0), "occurred_at": occurred_at})
    assert (refused.reason, refused.detail.partition(":")[0]) == (Reason.INVALID, "occurred_at")


def test_an_instant_is_rfc3339_and_no_number_in_quotes() -> None:
    assert refusal({**viewed(0), "occurred_at": "1767225600"}).reason is Reason.INVALID


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1])
def test_an_attribute_beyond_53_bits_is_taken_as_a_fraction_which_every_store_can_hold(number: int) -> None:
    message = orjson.dumps(event("customer.updated", attributes={"a": 0})).replace(b'"a":0', f'"a":{number}'.encode())
    updated = decode(message)
    assert isinstance(updated, CustomerUpdated)
    assert updated.attributes == {"a": float(number)}


def test_an_attribute_beyond_all_fractions_is_refused() -> None:
    message = orjson.dumps(event("customer.updated", attributes={"a": 0})).replace(b'"a":0', f'"a":{10**400}'.encode())
    assert refusal(message).reason is Reason.NOT_JSON


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-01T00:00:00Z", START),
        ("2026-01-01t00:00:00z", START),
        ("2026-01-01T01:00:00+01:00", START),
        ("2025-12-31T14:30:00.5-09:30", START + 500_000),
        ("2026-01-01T00:00:00.000001Z", START + 1),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
    ],
)
def test_instants_are_whole_microseconds_in_utc(text: str, instant: int) -> None:
    given = decode(orjson.dumps({**viewed(0), "occurred_at": text}))
    assert given.occurred_at == instant
    assert decode(orjson.dumps({**viewed(0), "occurred_at": rfc3339(instant)})).occurred_at == instant


def test_what_a_producer_adds_is_ignored_and_null_is_left_out() -> None:
    given = {**viewed(0), "url": None, "session_id": None, "anonymous_id": None, "new_field": {"deep": [1]}}
    assert decode(orjson.dumps(given)).customer_id == "ann"


def test_a_message_of_the_largest_size_is_read() -> None:
    body = orjson.dumps(viewed(0))
    assert decode(body[:-1] + b" " * (MAX_MESSAGE - len(body)) + b"}").customer_id == "ann"


@pytest.mark.parametrize(
    ("customer", "anonymous", "profile", "key"),
    [("ann", None, "ann", "ann"), ("ann", "x", "ann", "ann"), (None, "x", "anonymous:x", "x")],
)
def test_the_customer_counts_and_else_the_visitor(
    customer: str | None, anonymous: str | None, profile: str, key: str
) -> None:
    given = {**viewed(0), "customer_id": customer, "anonymous_id": anonymous}
    assert profile_id_of(decoded(given)) == profile
    assert route(orjson.dumps(given)) == ("site-events", key)


@pytest.mark.parametrize("ahead", [-1, 0])
def test_an_event_within_the_allowed_skew_is_let_in(ahead: int) -> None:
    admit(decoded(viewed(ALLOWED_SKEW + ahead)), START, Rates("GBP"))


def test_an_event_of_the_future_is_refused() -> None:
    with pytest.raises(UndecodableError, match="300 s ahead of 2026-01-01T00:00:00Z") as refused:
        admit(decoded(viewed(ALLOWED_SKEW + 1)), START, Rates("GBP"))
    assert refused.value.reason is Reason.FUTURE


@pytest.mark.parametrize(
    "given",
    [bought(0, "o", currency="XXX"), updated(0, "o", 1, currency="XXX"), {**refunded(0, 1, "o"), "currency": "XXX"}],
)
def test_an_unknown_currency_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UndecodableError, match="no rate for XXX; known: GBP") as refused:
        admit(decoded({**given, "currency": "XXX"}), START, Rates("GBP"))
    assert refused.value.reason is Reason.UNKNOWN_CURRENCY


def test_a_cart_holds_many_lines() -> None:
    assert len(orjson.dumps(filled(0, *["p"] * MAX_ITEMS))) < MAX_MESSAGE
    assert decoded(filled(0, *["p"] * MAX_ITEMS)).type == "cart.updated"
