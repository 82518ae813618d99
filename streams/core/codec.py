"""Profiles to bytes and back: MessagePack, positional, small. The first element is the layout version.

A profile of an older layout is brought up to this one when it is read (`UPGRADES`), and stored so when it next changes.

What is derived is not stored. Empty parts are nil, and trailing defaults of an order are left out: most customers have
a few events, and a million of them have to fit.
"""

import struct
from collections.abc import Callable
from typing import Any

import msgspec

from schemas.instants import Instant
from streams.core.errors import LayoutError
from streams.core.profile import LONG_AGO, Cart, Email, Order, Orders, Profile, Support, Visits

LAYOUT = 2

_NO_MAIL = (None, None, None)
_NO_SUPPORT = Support()

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_START, _START_SIZE = struct.Struct(">q").pack, 8
_SINGLE = struct.Struct(">qB").pack
"""A run of no length."""
_NIL = b"\xc0"
_HEAD = bytes([0x98, LAYOUT])
"""An array of eight, and its first element. Source: MessagePack specification, formats."""
_BIN8, _BIN16 = struct.Struct(">BB").pack, struct.Struct(">BH").pack
_MORE = 0x80
"""The first bit of a byte of a length: another one follows."""
_LONGEST_RUN = 20
"""Bytes."""


def pack(profile: Profile) -> bytes:
    """The stored form of a profile; its id is the key it is stored under.

    A part that has not changed since it was packed last is not packed again: most events change one part.
    """
    around, visits = profile.around, profile.visits
    if around is None:
        around = profile.around = _pack_around(profile)
    packed = _pack_visits(visits) if visits.runs else _NIL
    return b"".join((_HEAD, _encode(profile.seen_at), around[0], packed, around[1]))


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
    profile = Profile(profile_id, seen_at)
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
    """Each run as its first instant in eight bytes and its length in as few as it takes: most are one event long.

    All runs but the last stay as they are, so they are packed once.
    """
    runs, closed = visits.runs, len(visits.runs) - 1
    while visits.forgotten:
        visits.packed = visits.packed[_size_of_run(visits.packed) :]
        visits.forgotten -= 1
    if visits.packed_runs < closed:
        visits.packed += b"".join([_pack_run(run) for run in runs[visits.packed_runs : closed]])
        visits.packed_runs = closed
    first, last = runs[closed]
    tail = _SINGLE(first, 0) if first == last else _pack_run(runs[closed])
    size = len(visits.packed) + len(tail)
    return (_BIN8(0xC4, size) if size < 0x100 else _BIN16(0xC5, size)) + visits.packed + tail  # noqa: PLR2004


def _pack_run(run: tuple[Instant, Instant]) -> bytes:
    first, last = run
    length = last - first
    if not length:
        return _START(first) + b"\0"
    digits = bytearray()
    while length >= _MORE:
        digits.append(length % _MORE + _MORE)
        length //= _MORE
    digits.append(length)
    return _START(first) + digits


def _size_of_run(packed: bytes) -> int:
    end = _START_SIZE
    while packed[end] >= _MORE:
        end += 1
    return end + 1


def _unpack_visits(packed: bytes) -> Visits:
    runs, place = [], 0
    while place < len(packed):
        (first,) = struct.unpack_from(">q", packed, place)
        size = _size_of_run(packed[place : place + _LONGEST_RUN])
        length = 0
        for digit in reversed(packed[place + _START_SIZE : place + size]):
            length = length * _MORE + digit % _MORE
        runs.append((first, first + length))
        place += size
    return Visits(runs)


def _pack_cart(cart: Cart) -> bytes:
    if cart.reset_at == LONG_AGO and not cart.changes:
        return _encode(None)
    return _encode((cart.reset_at, cart.reset_tie, cart.filled, cart.changes))


def _unpack_cart(fields: list[Any]) -> Cart:
    reset_at, reset_tie, filled, changes = fields
    return Cart(reset_at, reset_tie, filled, [(at, tie, product, n) for at, tie, product, n in changes])


def _from_1(fields: list[Any]) -> list[Any]:
    """Layout 1 had refunds beside the orders, visits as numbers, and 0 for a rating that was never given."""
    _layout, seen_at, orders, refunds, cart, runs, mail, support, attributes = fields
    starts = iter(runs or ())
    visits = b"".join([_pack_run((first, first + length)) for first, length in zip(starts, starts, strict=True)])
    if support:
        contacts, csat_at, csat = support
        support = (contacts, csat_at, None if csat_at is None else csat)
    both = (orders or {}, refunds or {}) if orders or refunds else None
    return [2, seen_at, both, cart, visits, mail, support, attributes]


UPGRADES: dict[Any, Callable[[list[Any]], list[Any]]] = {1: _from_1}
"""Layout -> what makes the next one's fields of its own. `tests/unit/test_layouts.py` keeps a profile of each."""
