"""The workload *mini*: a log that every peer can read, and an oracle that says which changes must come out of it.

Of the events, 10 % are orders, 5 % support contacts, the rest in equal parts page views, product views, additions to
the cart and begun checkouts. Four segments: `first_time` (one order), `repeat` (two or more), `vip` (three or more, and
more than 500 spent), `cart_open` (something was put into the cart since the last order). Each change is a message.

The oracle shares no code with the classifier or with any peer, and remembers nothing between events but the log itself.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bench.load import Message, Mix, cart_add, checkout, contact, order_drawn, page_view, product_view

DEFINITIONS = Path(__file__).with_name("mini.toml")
SEGMENTS = ("first_time", "repeat", "vip", "cart_open")
"""In the order in which the changes of one event come."""
MIX: Mix = (
    (order_drawn, 40),
    (page_view, 85),
    (product_view, 85),
    (cart_add, 85),
    (checkout, 85),
    (contact, 20),
)
"""Shares in 400ths."""
_VIP_SPEND = 500_00


class Flip(NamedTuple):
    """A customer entered or left a segment because of an event."""

    segment: str
    entered: bool
    event_id: str


Flips = Mapping[str, list[Flip]]
"""Customer -> their changes, in order."""


def right_flips(messages: Iterable[Message]) -> dict[str, list[Flip]]:
    """Every change that must come out of a log, whose messages are in order of their instants."""
    logs: dict[str, list[tuple[str, int]]] = {}
    flips: dict[str, list[Flip]] = {}
    for _topic, customer, value in messages:
        event: Any = orjson.loads(value)
        if event["type"] not in {"order.placed", "cart.item_added"}:
            continue
        log = logs.setdefault(customer, [])
        before = _holding(log)
        log.append((event["type"], event.get("total", 0)))
        after = _holding(log)
        changed = [
            Flip(name, name in after, event["id"]) for name in SEGMENTS if (name in before) is not (name in after)
        ]
        if changed:
            flips.setdefault(customer, []).extend(changed)
    return flips


def _holding(log: list[tuple[str, int]]) -> set[str]:
    """The segments of a customer by all their orders and additions to the cart."""
    totals = [total for kind, total in log if kind == "order.placed"]
    answers = (
        len(totals) == 1,
        len(totals) >= 2,  # noqa: PLR2004 # the rule itself
        len(totals) >= 3 and sum(totals) > _VIP_SPEND,  # noqa: PLR2004 # the rule itself
        bool(log) and log[-1][0] == "cart.item_added",
    )
    return {name for name, answer in zip(SEGMENTS, answers, strict=True) if answer}


def count(flips: Flips) -> int:
    """How many changes there are in all."""
    return sum(map(len, flips.values()))


def members(flips: Flips) -> dict[str, set[str]]:
    """Segment -> who is in it after all changes."""
    found: dict[str, set[str]] = {name: set() for name in SEGMENTS}
    for customer, changes in flips.items():
        last = {flip.segment: flip.entered for flip in changes}
        for segment, entered in last.items():
            if entered:
                found[segment].add(customer)
    return found


def astray(right: Flips, found: Flips) -> int:
    """How many customers' changes are not those that must come, one after the other."""
    return sum(right.get(customer, []) != found.get(customer, []) for customer in right.keys() | found.keys())


def misplaced(right: Mapping[str, set[str]], found: Mapping[str, set[str]]) -> int:
    """How many memberships one has and the other has not."""
    return sum(len(right[name] ^ found[name]) for name in SEGMENTS)
