"""One example of everything that crosses a boundary: a customer's story, from the first page to the segment entered.

Tests hold that each of them is valid; the documents show them.
"""

from typing import Any

_VISITOR = {"anonymous_id": "v-7f3a"}
_CUSTOMER = {"customer_id": "c-1042"}
_BOTH = _CUSTOMER | _VISITOR
_MUG: dict[str, Any] = {"product_id": "p-22423", "category": "kitchen", "quantity": 2, "unit_price": 1295}
_LAMP: dict[str, Any] = {"product_id": "p-84879", "category": "lighting", "quantity": 1, "unit_price": "33.00"}


def _event(number: int, kind: str, at: str, source: str, who: dict[str, str], **fields: Any) -> dict[str, Any]:
    head = {"id": f"e-{number:04}", "type": kind, "version": 1, "occurred_at": at, "source": source}
    return head | who | fields


def _site(number: int, kind: str, time: str, who: dict[str, str] = _VISITOR, **fields: Any) -> dict[str, Any]:
    return _event(number, kind, f"2026-03-01T{time}Z", "shop", who, session_id="s-551", **fields)


_EVENTS = (
    _site(1, "page.viewed", "18:00:00", url="/kitchen", referrer="/"),
    _site(2, "search.performed", "18:00:40", query="mug", results=12),
    _site(3, "product.viewed", "18:01:05", product_id="p-22423", category="kitchen"),
    _site(4, "product.favourited", "18:01:20", product_id="p-22423", category="kitchen"),
    _site(5, "cart.item_added", "18:02:00", **_MUG),
    _site(6, "cart.item_removed", "18:03:00", product_id="p-22423", quantity=1),
    _site(7, "cart.updated", "18:04:00", items=[_MUG, _LAMP]),
    _site(8, "checkout.started", "18:05:00"),
    _site(9, "customer.identified", "18:05:30", _BOTH),
    _site(10, "customer.updated", "18:05:31", _CUSTOMER, attributes={"country": "GB", "birthday_mail": True}),
    _site(11, "email.subscribed", "18:05:32", _CUSTOMER),
    _event(
        12,
        "order.placed",
        "2026-03-01T18:06:10.250Z",
        "shop",
        _BOTH,
        order_id="o-9001",
        total="58.90",
        currency="GBP",
        discount=0,
        coupon=None,
        items=[_MUG, _LAMP],
    ),
    _site(13, "cart.cleared", "18:06:11", _CUSTOMER),
    _event(
        14,
        "order.updated",
        "2026-03-01T18:30:00Z",
        "shop",
        _CUSTOMER,
        order_id="o-9001",
        total=5400,
        currency="GBP",
        coupon="WELCOME",
    ),
    _event(15, "order.delivered", "2026-03-04T10:15:00+01:00", "courier", _CUSTOMER, order_id="o-9001"),
    _event(
        16,
        "support.contacted",
        "2026-03-04T11:00:00Z",
        "helpdesk",
        _CUSTOMER,
        contact_id="t-77",
        channel="chat",
        topic="delivery",
        text="One mug arrived broken.",
        sentiment=-0.4,
    ),
    _event(
        17,
        "order.refunded",
        "2026-03-04T12:00:00Z",
        "shop",
        _CUSTOMER,
        refund_id="r-31",
        order_id="o-9001",
        amount=1295,
        currency="GBP",
        reason="damaged",
    ),
    _event(18, "support.resolved", "2026-03-04T12:01:00Z", "helpdesk", _CUSTOMER, contact_id="t-77"),
    _event(19, "support.rated", "2026-03-04T12:30:00Z", "helpdesk", _CUSTOMER, contact_id="t-77", csat=5),
    _event(20, "order.cancelled", "2026-03-09T09:00:00Z", "shop", _CUSTOMER, order_id="o-9002", reason="ordered twice"),
    _event(21, "email.opened", "2026-04-01T07:00:00Z", "mailer", _CUSTOMER, campaign_id="spring"),
    _event(22, "email.clicked", "2026-04-01T07:00:09Z", "mailer", _CUSTOMER, campaign_id="spring", url="/lighting"),
    _event(23, "email.unsubscribed", "2026-04-02T08:00:00Z", "mailer", _CUSTOMER),
)

_CHANGE = {
    "id": "7-1288",
    "type": "segment.entered",
    "version": 1,
    "segment": "lapsed",
    "customer_id": "c-1042",
    "anonymous_id": None,
    "effective_at": "2026-05-30T18:06:10.25Z",
    "judged_at": "2026-05-30T18:06:10.25Z",
    "emitted_at": "2026-05-30T18:06:10.331Z",
    "cause": {"kind": "time", "event_id": None, "event_type": None, "occurred_at": None},
    "definitions_version": 1,
    "model_version": None,
    "memberships": ["first_time_buyer", "lapsed", "one_time_shopper"],
    "profile": {
        "orders": 1,
        "spend": "41.05",
        "currency": "GBP",
        "last_order_at": "2026-03-01T18:06:10.25Z",
    },
    "evidence": [
        {"clause": "orders.count >= 1", "value": 1, "threshold": 1, "holds": True, "until": None},
        {
            "clause": "since(orders.last_at) >= days(90)",
            "value": "90d",
            "threshold": "90d",
            "holds": True,
            "until": None,
        },
    ],
    "shard": 7,
    "sequence": 1288,
}

_LETTER = {
    "id": "orders-7-20117",
    "version": 1,
    "topic": "orders",
    "partition": 7,
    "offset": 20117,
    "reason": "not_json",
    "detail": "line 1 column 1: unexpected character, expected a JSON value",
    "key_base64": "Yy0xMDQy",
    "raw_base64": "b29wcw==",
    "size": 4,
    "complete": True,
    "refused_at": "2026-03-01T18:00:00.5Z",
}

_LIVE = {
    "customer": "c-1042",
    "definitions_version": 1,
    "segments": [
        {"segment": "email_subscriber", "since": "2026-03-01T18:05:32Z", "until": None},
        {"segment": "first_time_buyer", "since": "2026-03-01T18:06:10.25Z", "until": None},
    ],
}

_PARAMETERS = {
    "id": "0c1de0f1a1f04f7b8d2e1bb8a5c6d7e8",
    "version": 3,
    "fitted_at": "2026-06-01T03:00:12.5Z",
    "as_of": "2026-06-01T00:00:00Z",
    "unit": "week",
    "currency": "GBP",
    "customers": 2357,
    "bgnbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "log_likelihood": -9582.4},
    "gamma_gamma": {"p": 6.25, "q": 3.74, "v": 15.44},
}

_DEFINITIONS = {
    "version": 1,
    "currency": {"base": "GBP", "rates": {"EUR": "0.86"}},
    "segments": {
        "lapsed": {
            "title": "Lapsed",
            "when": "orders.count >= 1 and since(orders.last_at) >= days(90)",
            "description": "Bought once, and not for 90 days.",
        }
    },
}

_VERSION = {
    "id": "5f0c4e1d9a7b4c52b0f6f1f3f6a8d9e2",
    "version": 2,
    "published_at": "2026-06-01T09:30:00Z",
    "origin": "apply",
    "restores": None,
    "model_version": 3,
    "text": '[segments.lapsed]\ntitle = "Lapsed"\nwhen = "since(orders.last_at) >= days(60)"\n',
}

EXAMPLES: dict[str, dict[str, Any]] = {
    **{event["type"]: event for event in _EVENTS},
    "segment-change": _CHANGE,
    "dead-letter": _LETTER,
    "definitions-version": _VERSION,
    "live": _LIVE,
    "definitions": _DEFINITIONS,
    "model-parameters": _PARAMETERS,
}
"""Name of a schema -> one valid example, as JSON has it."""
