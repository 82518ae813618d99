"""Profiles to bytes and back: MessagePack, positional, small. The first element is the layout version.

What is derived is not stored. Empty parts are nil, and trailing defaults of an order are left out: most customers have
a few events, and a million of them have to fit.
"""

from typing import Any

import msgspec

from streams.core.errors import LayoutError
from streams.core.profile import LONG_AGO, Cart, Order, Profile, Support, Visits

LAYOUT = 1

_NO_MAIL = (None, None, None)
_NO_SUPPORT = Support()

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def pack(profile: Profile) -> bytes:
    """The stored form of a profile; its id is the key it is stored under."""
    orders, email, support = profile.orders, profile.email, profile.support
    mail = (email.subscribed_at, email.unsubscribed_at, email.engaged_at)
    return _encode(
        (
            LAYOUT,
            profile.seen_at,
            {key: _pack_order(order) for key, order in orders.by_id.items()} or None,
            orders.refunds or None,
            _pack_cart(profile.cart),
            _pack_visits(profile.visits),
            mail if mail != _NO_MAIL else None,
            (support.contacts, support.csat_at, support.csat) if support != _NO_SUPPORT else None,
            profile.attributes or None,
        )
    )


def unpack(profile_id: str, stored: bytes) -> Profile:
    """The profile that `pack` stored.

    Raises:
        LayoutError: the bytes are of a layout that this version does not know.
    """
    fields = _decode(stored)
    if not isinstance(fields, list) or not fields or fields[0] != LAYOUT:
        found = fields[0] if isinstance(fields, list) and fields else "none"
        raise LayoutError(f"profile of layout {found}, this program writes {LAYOUT}; run the version that wrote it")
    _layout, seen_at, orders, refunds, cart, runs, mail, support, attributes = fields
    profile = Profile(profile_id, seen_at)
    if orders:
        profile.orders.by_id = {key: Order(*fields) for key, fields in orders.items()}
    if refunds:
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


def _pack_order(order: Order) -> tuple[Any, ...]:
    if order.cancelled:
        return (order.placed_at, order.total, order.updated_at, order.updated_total, True)
    if order.updated_at is not None:
        return (order.placed_at, order.total, order.updated_at, order.updated_total)
    return (order.placed_at, order.total)


def _pack_visits(visits: Visits) -> list[int] | None:
    """Each run as its first instant and its length: most are one event long, and a length of 0 is one byte."""
    flat: list[int] = []
    for first, last in visits.runs:
        flat += (first, last - first)
    return flat or None


def _unpack_visits(flat: list[int]) -> Visits:
    starts = iter(flat)
    return Visits([(first, first + length) for first, length in zip(starts, starts, strict=True)])


def _pack_cart(cart: Cart) -> tuple[Any, ...] | None:
    if cart.reset_at == LONG_AGO and not cart.changes:
        return None
    return (cart.reset_at, cart.reset_tie, cart.filled, cart.changes)


def _unpack_cart(fields: list[Any]) -> Cart:
    reset_at, reset_tie, filled, changes = fields
    return Cart(reset_at, reset_tie, filled, [(at, tie, product, n) for at, tie, product, n in changes])
