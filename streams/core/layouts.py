"""Older layouts of a stored profile: what makes the fields of the next one of them.

`tests/unit/test_layouts.py` keeps a profile of each.
"""

import struct
from collections.abc import Callable
from typing import Any

_START_SIZE = 8
_MORE = 0x80
"""Layout 2: the first bit of a byte of a length says that another one follows."""


def _from_1(fields: list[Any]) -> list[Any]:
    """Layout 1 had refunds beside the orders, visits as numbers, and 0 for a rating that was never given."""
    _layout, seen_at, orders, refunds, cart, runs, mail, support, attributes = fields
    starts = iter(runs or ())
    visits = b"".join(
        struct.pack(">q", first) + _in_sevens(length) for first, length in zip(starts, starts, strict=True)
    )
    if support:
        contacts, csat_at, csat = support
        support = (contacts, csat_at, None if csat_at is None else csat)
    both = (orders or {}, refunds or {}) if orders or refunds else None
    return [2, seen_at, both, cart, visits, mail, support, attributes]


def _in_sevens(length: int) -> bytes:
    digits = bytearray()
    while length >= _MORE:
        digits.append(length % _MORE + _MORE)
        length //= _MORE
    digits.append(length)
    return bytes(digits)


def _from_2(fields: list[Any]) -> list[Any]:
    """Layout 2 had each visit's first instant in full, and always when the customer was last seen."""
    _layout, seen_at, orders, cart, visits, mail, support, attributes = fields
    packed, place, end = b"", 0, None
    while place < len(visits or b""):
        (first,) = struct.unpack_from(">q", visits, place)
        stop = place = place + _START_SIZE
        while visits[stop] >= _MORE:
            stop += 1
        length = 0
        for digit in reversed(visits[place : stop + 1]):
            length = length * _MORE + digit % _MORE
        packed += struct.pack(">q", first) if end is None else b""
        packed += _with_sizes(0 if end is None else first - end, length)
        place, end = stop + 1, first + length
    return [3, seen_at, orders, cart, packed or None, mail, support, attributes]


def _with_sizes(gap: int, length: int) -> bytes:
    size, long = (gap.bit_length() + 7) // 8, (length.bit_length() + 7) // 8
    return bytes([long << 4 | size]) + gap.to_bytes(size, "big") + length.to_bytes(long, "big")


UPGRADES: dict[Any, Callable[[list[Any]], list[Any]]] = {1: _from_1, 2: _from_2}
"""Layout -> what makes the next one's fields of its own."""
