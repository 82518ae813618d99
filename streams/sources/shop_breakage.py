"""Ways to break a line, each with the reason for which a decoder is to refuse it."""

from collections.abc import Callable
from random import Random

import orjson

from schemas.errors import Reason
from streams.sources.shop_floor import Event

Breakage = Callable[[Random, bytes], bytes]
"""A broken line out of a good one; never with a line end in it, never empty."""

_NOT_JSON = (
    b"<html><head><title>502 Bad Gateway</title></head></html>",
    b"Traceback (most recent call last):",
    b"id;type;version;occurred_at;source",
    b"undefined",
    b"{'id': 'single quotes', 'version': 1}",
)
_NOT_AN_OBJECT = (b"null", b"[]", b"42", b'"order.placed"', b"true", b'[{"type":"order.placed"}]')
_UNKNOWN_TYPES = ("order.teleported", "cart.item.added", "OrderPlaced", "", 7, None)
_WRONG_FIELDS: tuple[tuple[str, object], ...] = (
    ("id", 42),
    ("id", ""),
    ("version", "1"),
    ("version", None),
    ("occurred_at", "yesterday"),
    ("occurred_at", "2026-01-31T12:00:00"),
    ("occurred_at", None),
    ("source", ["web"]),
    ("customer_id", 17),
    ("anonymous_id", {"value": "a1"}),
)
_WRONG_MONEY: tuple[object, ...] = (-1, -4_990, 59.9, "59,90", "-3.00", None, "free", 10**14)
_WRONG_QUANTITIES: tuple[object, ...] = (0, -2, "3", 1.5)
_JUNK = bytes(set(range(1, 256)) - {0x0A, 0x0D})


def _torn(rng: Random, good: bytes) -> bytes:
    """The writer stopped; at least the opening brace is there, at least the closing one is missing."""
    text = good.decode()
    return text[: rng.randint(1, len(text) - 1)].encode()


def _not_json(rng: Random, _good: bytes) -> bytes:
    return rng.choice(_NOT_JSON)


def _not_an_object(rng: Random, _good: bytes) -> bytes:
    return rng.choice(_NOT_AN_OBJECT)


def _junk(rng: Random, _good: bytes) -> bytes:
    """Bytes that are no text: 0xFF is in no UTF-8."""
    return b"\xff" + bytes(rng.choices(_JUNK, k=rng.randint(4, 60)))


def _other_encoding(_rng: Random, good: bytes) -> bytes:
    """A good line with a Latin-1 letter in it."""
    return good.replace(b'"source":"', b'"source":"caf\xe9 ', 1)


def _changed(good: bytes, **fields: object) -> bytes:
    body: Event = orjson.loads(good)
    return orjson.dumps(body | fields)


def _unknown_type(rng: Random, good: bytes) -> bytes:
    return _changed(good, type=rng.choice(_UNKNOWN_TYPES))


def _unknown_version(rng: Random, good: bytes) -> bytes:
    return _changed(good, version=rng.choice((0, 2, 3, 99)))


def _wrong_field(rng: Random, good: bytes) -> bytes:
    name, value = rng.choice(_WRONG_FIELDS)
    return _changed(good, **{name: value})


def _without_field(rng: Random, good: bytes) -> bytes:
    body: Event = orjson.loads(good)
    del body[rng.choice(("id", "version", "occurred_at", "source"))]
    return orjson.dumps(body)


def _wrong_money(rng: Random, good: bytes) -> bytes:
    order = {"type": "order.placed", "order_id": "o-broken", "currency": "GBP", "items": []}
    return _changed(good, **order, total=rng.choice(_WRONG_MONEY))


def _wrong_quantity(rng: Random, good: bytes) -> bytes:
    return _changed(good, type="cart.item_added", product_id="p0001", quantity=rng.choice(_WRONG_QUANTITIES))


def _no_customer(rng: Random, good: bytes) -> bytes:
    body: Event = orjson.loads(good)
    for name in ("customer_id", "anonymous_id"):
        body.pop(name, None)
        if rng.random() < 1 / 2:
            body[name] = None
    return orjson.dumps(body)


def _far_future(rng: Random, good: bytes) -> bytes:
    return _changed(good, occurred_at=f"{rng.randint(2199, 9998)}-06-30T12:00:00Z")


BREAKAGES: tuple[tuple[Reason, Breakage], ...] = (
    (Reason.NOT_JSON, _torn),
    (Reason.NOT_JSON, _not_json),
    (Reason.INVALID, _not_an_object),
    (Reason.NOT_UTF8, _junk),
    (Reason.NOT_UTF8, _other_encoding),
    (Reason.UNKNOWN_TYPE, _unknown_type),
    (Reason.UNKNOWN_VERSION, _unknown_version),
    (Reason.INVALID, _wrong_field),
    (Reason.INVALID, _without_field),
    (Reason.INVALID, _wrong_money),
    (Reason.INVALID, _wrong_quantity),
    (Reason.NO_CUSTOMER, _no_customer),
    (Reason.FUTURE, _far_future),
)
"""Each way with the reason that stands in the dead letter."""


def break_line(rng: Random, good: bytes, number: int) -> tuple[Reason, bytes]:
    """A broken line made out of a good one, and the reason for which it is to be refused.

    The ways take turns by the number of the broken line, so that a short file has all of them.
    """
    reason, breakage = BREAKAGES[number % len(BREAKAGES)]
    return reason, breakage(rng, good)
