"""Profiles to bytes and back: MessagePack, positional, small. The first element is the layout version.

A profile of an older layout is brought up to this one when it is read (`streams.core.layouts`), and stored so when it
next changes.

What is derived is not stored. Empty parts are nil, and trailing defaults of an order are left out: most customers have
a few events, and a million of them have to fit.
"""

import struct
from typing import Any

import msgspec

from schemas.instants import Instant
from streams.core.errors import LayoutError
from streams.core.layouts import UPGRADES
from streams.core.profile import LONG_AGO, Cart, Email, Order, Orders, Profile, Support, Visits

LAYOUT = 3

_NO_MAIL = (None, None, None)
_NO_SUPPORT = Support()

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_START, _START_SIZE = struct.Struct(">q").pack, 8
_BYTES = [bytes([number]) for number in range(256)]
_NIL = b"\xc0"
_HEAD = bytes([0x98, LAYOUT])
"""An array of eight, and its first element. Source: MessagePack specification, formats."""
_BIN8, _BIN16 = struct.Struct(">BB").pack, struct.Struct(">BH").pack


def pack(profile: Profile) -> bytes:
    """The stored form of a profile; its id is the key it is stored under.

    A part that has not changed since it was packed last is not packed again: most events change one part.
    """
    around, visits = profile.around, profile.visits
    if around is None:
        around = profile.around = _pack_around(profile)
    packed = _pack_visits(visits) if visits.runs else _NIL
    seen_at = _NIL if visits.last_at == profile.seen_at else _encode(profile.seen_at)
    return b"".join((_HEAD, seen_at, around[0], packed, around[1]))


def _pack_around(profile: Profile) -> tuple[bytes, bytes]:
    """The parts before the visits and those after them: a visit, which most events are, changes none of them."""
    orders, cart, email, support = profile.orders, profile.cart, profile.email, profile.support
    if orders.packed is None:
        orders.packed = _pack_orders(orders)
    if cart.packed is None:
        cart.packed = _pack_cart(cart)
    if email.packed is None:
        email.packed = _pack_email(email)
    if support.packed is None:
        support.packed = _pack_support(support)
    attributes = _encode(profile.attributes) if profile.attributes else _NIL
    return orders.packed + cart.packed, email.packed + support.packed + attributes


def unpack(profile_id: str, stored: bytes) -> Profile:
    """The profile that `pack` stored.

    Raises:
        LayoutError: the bytes are of a layout that this version does not know.
    """
    fields = _decode(stored)
    found = fields[0] if isinstance(fields, list) and fields else "none"
    while found in UPGRADES:
        fields = UPGRADES[found](fields)
        found = fields[0]
    if found != LAYOUT:
        way_out = "run the version that wrote it, or make the state anew: segments rebuild"
        raise LayoutError(f"profile of layout {found}, this program writes {LAYOUT}; {way_out}")
    _layout, seen_at, orders, cart, runs, mail, support, attributes = fields
    profile = Profile(profile_id)
    if orders:
        by_id, refunds = orders
        profile.orders.by_id = {key: Order(*fields) for key, fields in by_id.items()}
        profile.orders.refunds = {key: (at, amount, order_id) for key, (at, amount, order_id) in refunds.items()}
    if cart:
        profile.cart = _unpack_cart(cart)
    if runs:
        profile.visits = _unpack_visits(runs)
    if mail:
        profile.email.subscribed_at, profile.email.unsubscribed_at, profile.email.engaged_at = mail
    if support:
        contacts, profile.support.csat_at, profile.support.csat = support
        profile.support.contacts = {key: (at, topic, mood) for key, (at, topic, mood) in contacts.items()}
    if attributes:
        profile.attributes = {name: (at, value) for name, (at, value) in attributes.items()}
    profile.derive()
    last_at = profile.visits.last_at
    profile.seen_at = seen_at if last_at is None or seen_at is not None else last_at
    return profile


def _pack_orders(orders: Orders) -> bytes:
    if not orders.by_id and not orders.refunds:
        return _encode(None)
    return _encode(({key: _pack_order(order) for key, order in orders.by_id.items()}, orders.refunds))


def _pack_order(order: Order) -> tuple[Any, ...]:
    if order.cancelled:
        return (order.placed_at, order.total, order.updated_at, order.updated_total, True)
    if order.updated_at is not None:
        return (order.placed_at, order.total, order.updated_at, order.updated_total)
    return (order.placed_at, order.total)


def _pack_email(email: Email) -> bytes:
    mail = (email.subscribed_at, email.unsubscribed_at, email.engaged_at)
    return _encode(mail if mail != _NO_MAIL else None)


def _pack_support(support: Support) -> bytes:
    return _encode((support.contacts, support.csat_at, support.csat) if support != _NO_SUPPORT else None)


def _pack_visits(visits: Visits) -> bytes:
    """The first instant in eight bytes, then each run: how long after the one before, and how long it is.

    All runs but the last stay as they are, so they are packed once.
    """
    runs, closed = visits.runs, len(visits.runs) - 1
    if visits.forgotten:
        _forget(visits)
    for number in range(visits.packed_runs, closed):
        visits.packed += _pack_run(runs, number)
    visits.packed_runs = closed
    packed = b"%b%b%b" % (_START(runs[0][0]), visits.packed, _pack_run(runs, closed))
    size = len(packed)
    return (_BIN8(0xC4, size) if size < 0x100 else _BIN16(0xC5, size)) + packed  # noqa: PLR2004


def _pack_run(runs: list[tuple[Instant, Instant]], number: int) -> bytes:
    """A byte with two sizes, that of the length first, and both numbers in as few bytes as they take."""
    first, last = runs[number]
    gap = first - runs[number - 1][1] if number else 0
    size = (gap.bit_length() + 7) >> 3
    if first == last:
        return _BYTES[size] + gap.to_bytes(size, "big")
    length = last - first
    long = (length.bit_length() + 7) >> 3
    return _BYTES[long << 4 | size] + gap.to_bytes(size, "big") + length.to_bytes(long, "big")


def _forget(visits: Visits) -> None:
    """Take the first runs out of what is packed; the one that is first now follows none."""
    packed = visits.packed
    for _ in range(visits.forgotten):
        packed = packed[1 + (packed[0] & 15) + (packed[0] >> 4) :]
    if packed:
        packed = _BYTES[packed[0] & 0xF0] + packed[1 + (packed[0] & 15) :]
    visits.packed, visits.forgotten = packed, 0


def _unpack_visits(packed: bytes) -> Visits:
    (end,) = struct.unpack_from(">q", packed)
    runs, place = [], _START_SIZE
    while place < len(packed):
        size, long = packed[place] & 15, packed[place] >> 4
        middle = place + 1 + size
        first = end + int.from_bytes(packed[place + 1 : middle], "big")
        end = first + int.from_bytes(packed[middle : middle + long], "big")
        runs.append((first, end))
        place = middle + long
    return Visits(runs)


def _pack_cart(cart: Cart) -> bytes:
    if cart.reset_at == LONG_AGO and not cart.changes:
        return _encode(None)
    return _encode((cart.reset_at, cart.reset_tie, cart.filled, cart.changes))


def _unpack_cart(fields: list[Any]) -> Cart:
    reset_at, reset_tie, filled, changes = fields
    return Cart(reset_at, reset_tie, filled, [(at, tie, product, n) for at, tie, product, n in changes])
