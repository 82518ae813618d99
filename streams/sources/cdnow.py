"""CDNOW: a music shop's purchases, 1997 to 1998; each line becomes an order.

Two layouts, told apart by their number of columns: the master set's `id date cds dollars` and the sample's
`master_id sample_id date cds dollars`; blanks (or commas) between, a header or none. The customer is the master id.
A date may be written `1997-01-01` and anything stand in quotes, as when a spreadsheet has saved the file.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain

from streams.sources.parsing import ColumnsError, decimal, each, identifier, rfc3339, to_minor
from streams.sources.records import Record, record
from streams.sources.summary import LineError, Skip, Summary

NAME = "cdnow"
WANTED = "columns id, date (YYYYMMDD), CDs, dollars, or master id, sample id, date, CDs, dollars"

_LAYOUTS = (4, 5)
_DATE = re.compile(r"(\d{4})(-?)(\d\d)\2(\d\d)", re.ASCII)
_MARKS = str.maketrans(",", " ", '"')
_CDS = re.compile(r"\d{1,9}", re.ASCII)
_CENTS = re.compile(r".*\.\d\d")


def read(lines: Iterable[str], currency: str, summary: Summary) -> Iterator[Record]:
    """One `order.placed` for each line, exact duplicates included: several purchases of a day are several orders.

    An order's id is its customer, date and place among that customer's orders of the date, so it does not depend on
    other customers' lines.

    Raises:
        ColumnsError: the first line of data has not this format's columns.
    """
    rest, width = _start(iter(lines))
    orders_of_day: Counter[str] = Counter()
    return each(rest, summary, lambda line: _parse(width, currency, orders_of_day, line))


def _start(lines: Iterator[str]) -> tuple[Iterator[str], int]:
    """The lines from the first one of data on, and their number of columns."""
    filled = (line for line in lines if not line.isspace())
    first = next(filled, "")
    if not _is_data(first):
        first = next(filled, "")
    if not _is_data(first):
        raise ColumnsError(WANTED)
    return chain([first], lines), len(_split(first))


def _is_data(line: str) -> bool:
    """Whether a line is a purchase, to tell it from a header and from another format's lines."""
    fields = _split(line)
    return len(fields) in _LAYOUTS and fields[0].isdigit() and _DATE.fullmatch(fields[-3]) is not None


def _split(line: str) -> list[str]:
    return line.translate(_MARKS).split()


def _parse(width: int, currency: str, orders_of_day: Counter[str], line: str) -> Record:
    fields = _split(line)
    if len(fields) != width:
        raise LineError(Skip.WRONG_COLUMNS)
    customer, (date, cds, dollars_text) = fields[0], fields[-3:]
    # The data set gives dollars with cents throughout, so fewer digits at the end of the file were cut off.
    torn = not line.endswith("\n") and _CENTS.fullmatch(dollars_text) is None
    dollars = decimal(dollars_text)
    if torn or dollars.is_signed() or _CDS.fullmatch(cds) is None:
        raise LineError(Skip.BAD_NUMBER)
    customer_id, occurred_at = identifier(customer), _midnight(date)
    day = f"{customer_id}:{date.replace('-', '')}"
    orders_of_day[day] += 1
    order_id = f"{day}:{orders_of_day[day]}"
    order = record(NAME, order_id, "order.placed", occurred_at, customer_id)
    return order | {"order_id": order_id, "total": to_minor(dollars, currency), "currency": currency}


@lru_cache(maxsize=4_096)
def _midnight(date: str) -> str:
    """RFC 3339 of the first second of a day written `19970101` or `1997-01-01`, taken as UTC."""
    found = _DATE.fullmatch(date)
    if found is None:
        raise LineError(Skip.BAD_TIME)
    try:
        return rfc3339(datetime(int(found[1]), int(found[3]), int(found[4]), tzinfo=UTC))
    except ValueError as error:
        raise LineError(Skip.BAD_TIME) from error
