"""Taobao user behaviour: real clicks become product views, favourites, carts and orders.

Columns `user_id,item_id,category_id,behaviour,timestamp` (Unix seconds), with a header or, as in the original
`UserBehavior.csv`, without. There are no prices and no order ids: each purchase is one order of total 0.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain

from streams.sources.parsing import Columns, ColumnsError, each, identifier, rfc3339
from streams.sources.records import Record, record
from streams.sources.summary import LineError, Skip, Summary

NAME = "taobao"
WANTED = ("user_id", "item_id", "category_id", "behaviour", "timestamp")
TYPES = {
    "pv": "product.viewed",
    "cart": "cart.item_added",
    "fav": "product.favourited",
    "buy": "order.placed",
}
"""Their word for a behaviour -> our event type."""

_HEADERLESS = Columns(len(WANTED), tuple(range(len(WANTED))))
_SECONDS = re.compile(r"\d{1,11}", re.ASCII)
_WHOLE_SECONDS = 10
"""Digits of every timestamp from 2001 to 2286: a torn last line may end in fewer and still look like a number."""


def read(lines: Iterable[str], currency: str, summary: Summary) -> Iterator[Record]:
    """One event for each line. Exact duplicate lines make equal events, which the writer takes as one.

    Raises:
        ColumnsError: the first line is neither a header with this format's columns nor a line of data.
    """
    rest = iter(lines)
    first = next(rest, "")
    if _is_data(first):
        columns, rest = _HEADERLESS, chain([first], rest)
    else:
        columns = _columns_of(first)
    return each(rest, summary, lambda line: _parse(columns, currency, line))


def _columns_of(header: str) -> Columns:
    """The columns that a header names; the original calls the fourth `behavior` in its description."""
    try:
        return Columns.of(header.replace("behavior", "behaviour"), WANTED)
    except ColumnsError as error:
        raise ColumnsError(f"the columns {', '.join(WANTED)}, named in a first line or in this order") from error


def _is_data(line: str) -> bool:
    """Whether a first line is data already, so that the file has no header."""
    try:
        _parse(_HEADERLESS, "XXX", line)
    except LineError:
        return False
    return True


def _parse(columns: Columns, currency: str, line: str) -> Record:
    user, item, category, behaviour, seconds = columns.pick(line)
    kind = TYPES.get(behaviour)
    if kind is None:
        raise LineError(Skip.UNKNOWN_EVENT)
    if _SECONDS.fullmatch(seconds) is None or (not line.endswith("\n") and len(seconds) < _WHOLE_SECONDS):
        raise LineError(Skip.BAD_TIME)
    if not user:
        raise LineError(Skip.WITHOUT_CUSTOMER)
    user, item, category = identifier(user), identifier(item), identifier(category)
    occurred_at = rfc3339(datetime.fromtimestamp(int(seconds), UTC))
    event = record(NAME, f"{user}:{item}:{category}:{behaviour}:{seconds}", kind, occurred_at, user)
    product = {"product_id": item, "category": category}
    if kind != "order.placed":
        return event | product
    order_id = f"{user}:{item}:{category}:{seconds}"
    return event | {"order_id": order_id, "total": 0, "currency": currency, "items": [product]}
