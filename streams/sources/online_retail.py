"""UCI Online Retail: the lines of a UK online shop's invoices become orders and refunds.

Columns `InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country`, with a header. An invoice
whose number starts with C is a credit note that names no original invoice. Times are taken as UTC.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from schemas.events import MAX_ITEMS
from schemas.fields import MAX_MONEY
from streams.sources.parsing import (
    EXACT,
    Columns,
    decimal,
    each,
    identifier,
    iso_time,
    rfc3339,
    to_minor,
)
from streams.sources.records import Record, record
from streams.sources.summary import LineError, Skip, Summary

NAME = "online-retail"
WANTED = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")

_MAX_QUANTITY = 1_000_000
_NO_CUSTOMER = frozenset({"", "nan", "null", "none"})
_WHOLE_AS_FLOAT = re.compile(r"(\d+)\.0+", re.ASCII)
_MONTH_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)


class _Line(NamedTuple):
    """A line that names a customer, checked."""

    invoice: str
    customer_id: str
    occurred_at: str
    stock_code: str
    quantity: Decimal
    unit_price: Decimal


@dataclass(slots=True)
class _Invoice:
    """What is known of an invoice so far; customer and time are those of its first line."""

    number: str
    customer_id: str
    occurred_at: str
    total: Decimal = Decimal(0)
    items: list[tuple[str, int, Decimal]] = field(default_factory=list)

    def add(self, line: _Line) -> None:
        """Count a line. A return or an adjustment counts in the total, but is no item."""
        self.total = EXACT.add(self.total, EXACT.multiply(line.quantity, line.unit_price))
        quantity = int(line.quantity)
        is_item = quantity == line.quantity and 1 <= quantity <= _MAX_QUANTITY and line.unit_price >= 0
        if is_item and line.stock_code and len(self.items) < MAX_ITEMS:
            self.items.append((line.stock_code, quantity, line.unit_price))


def read(lines: Iterable[str], currency: str, summary: Summary) -> Iterator[Record]:
    """One `order.placed` or `order.refunded` for each invoice, in order of their first lines.

    All invoices are held in memory, because lines of one need not be adjacent. A line that names another customer than
    its invoice's first line is counted and left out: money is never put down to somebody who did not spend it.

    Raises:
        ColumnsError: there is no header with this format's columns.
    """
    rest = iter(lines)
    columns = Columns.of(next(rest, ""), WANTED)
    invoices: dict[str, _Invoice] = {}
    for line in each(rest, summary, lambda text: _parse(columns, text)):
        invoice = invoices.get(line.invoice)
        if invoice is None:
            invoice = invoices[line.invoice] = _Invoice(line.invoice, line.customer_id, line.occurred_at)
        if invoice.customer_id == line.customer_id:
            invoice.add(line)
        else:
            summary.skipped[Skip.OTHER_CUSTOMER] += 1
    for invoice in invoices.values():
        yield from _events_of(invoice, currency, summary)


def _parse(columns: Columns, text: str) -> _Line:
    """A checked line; the customer first, because a third of the data set has none."""
    number, stock_code, quantity, invoice_date, unit_price, customer = columns.pick(text)
    if customer.casefold() in _NO_CUSTOMER:
        raise LineError(Skip.WITHOUT_CUSTOMER)
    whole = _WHOLE_AS_FLOAT.fullmatch(customer)
    return _Line(
        invoice=identifier(number),
        customer_id=identifier(whole[1] if whole else customer),
        occurred_at=_time(invoice_date),
        stock_code=stock_code if len(stock_code) <= 256 else "",  # noqa: PLR2004 - the schema's bound of an id
        quantity=decimal(quantity),
        unit_price=decimal(unit_price),
    )


@lru_cache(maxsize=65_536)
def _time(text: str) -> str:
    """RFC 3339 of `2010-12-01 08:26:00`, or of the original's `12/1/2010 8:26` (month first)."""
    found = _MONTH_FIRST.fullmatch(text)
    if found is None:
        return iso_time(text)
    month, day, year, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return rfc3339(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    except ValueError as error:
        raise LineError(Skip.BAD_TIME) from error


def _events_of(invoice: _Invoice, currency: str, summary: Summary) -> Iterator[Record]:
    """The invoice's event, or none and a count. What decides is the exact sum, before it is rounded."""
    is_credit_note = invoice.number.startswith("C")
    amount = to_minor(invoice.total.copy_abs(), currency)
    if is_credit_note and invoice.total == 0:
        summary.skipped[Skip.CREDIT_NOTE_ZERO] += 1
    elif not is_credit_note and invoice.total <= 0:
        summary.skipped[Skip.INVOICE_NOT_POSITIVE] += 1
    elif amount > MAX_MONEY:
        summary.skipped[Skip.AMOUNT_TOO_LARGE] += 1
    elif is_credit_note:
        refund = record(NAME, invoice.number, "order.refunded", invoice.occurred_at, invoice.customer_id)
        yield refund | {"refund_id": invoice.number, "amount": amount, "currency": currency}
    else:
        order = record(NAME, invoice.number, "order.placed", invoice.occurred_at, invoice.customer_id)
        items = [
            {"product_id": stock_code, "quantity": quantity, "unit_price": to_minor(unit_price, currency)}
            for stock_code, quantity, unit_price in invoice.items
        ]
        yield order | {"order_id": invoice.number, "total": amount, "currency": currency, "items": items}
