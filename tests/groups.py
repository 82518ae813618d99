"""Made-up customers of groups that nobody could miss, for discovery to find again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from schemas.instants import DAY, Instant, parse_rfc3339, rfc3339
from tests.oracle import Event

Dice = np.random.Generator

NOW = parse_rfc3339("2026-06-01T00:00:00Z")
SIZES = {"regular": 120, "gone": 90, "reader": 60}
"""Groups that are made up, by the beginning of their customers' ids."""


def event(customer: str, number: int, kind: str, at: Instant, **fields: Any) -> Event:
    shared = {"version": 1, "source": "test", "customer_id": customer, "occurred_at": rfc3339(at)}
    return {**shared, "id": f"{customer}-{number}", "type": kind, **fields}


def order(customer: str, number: int, at: Instant, total: int) -> Event:
    return event(customer, number, "order.placed", at, order_id=f"{customer}-{number}", total=total, currency="GBP")


def regular(customer: str, dice: Dice) -> list[Event]:
    """Somebody who orders for much, again and again, and lately."""
    days = [dice.uniform(1, 60) for _ in range(dice.integers(6, 11))]
    return [order(customer, n, NOW - int(day * DAY), int(dice.integers(80_00, 200_00))) for n, day in enumerate(days)]


def gone(customer: str, dice: Dice) -> list[Event]:
    """Somebody who ordered once, for little, long ago."""
    return [order(customer, 0, NOW - int(dice.uniform(200, 300) * DAY), int(dice.integers(5_00, 20_00)))]


def reader(customer: str, dice: Dice) -> list[Event]:
    """Somebody who reads mail and looks around, and has never ordered."""
    visits = [event(customer, n, "page.viewed", NOW - int(dice.uniform(1, 25) * DAY)) for n in range(8)]
    return [*visits, event(customer, 8, "email.subscribed", NOW - int(dice.uniform(30, 60) * DAY))]


GROUPS: dict[str, Callable[[str, Dice], list[Event]]] = {"regular": regular, "gone": gone, "reader": reader}


def events_of(seed: int, sizes: dict[str, int]) -> list[Event]:
    """The events of made-up groups."""
    dice = np.random.default_rng(seed)
    return [one for group, size in sizes.items() for n in range(size) for one in GROUPS[group](f"{group}{n:03}", dice)]


def written(events: list[Event], path: Path) -> Path:
    path.write_bytes(b"\n".join(map(orjson.dumps, events)))
    return path
