"""Online Retail: invoices become orders and refunds."""

from collections.abc import Sequence

import pytest

from schemas.events import MAX_ITEMS
from streams.sources import online_retail
from streams.sources.records import Record
from streams.sources.summary import Skip, Summary

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def read(*lines: str, currency: str = "GBP") -> tuple[list[Record], Summary]:
    summary = Summary("online-retail")
    text = [HEADER, *(f"{line}\n" for line in lines)]
    return list(online_retail.read(text, currency, summary)), summary


def line(
    number: str = "1",
    quantity: str = "1",
    price: str = "1.00",
    customer: str = "5.0",
    at: str = "2010-12-01 08:26:00",
    code: str = "A",
) -> str:
    return f"{number},{code},THING,{quantity},{at},{price},{customer},France"


def test_an_invoice_is_one_order_with_its_lines_as_items() -> None:
    events, summary = read(line(quantity="2", price="2.55"), line(quantity="3", price="1.1", code="B"))
    assert events == [
        {
            "id": "online-retail:1",
            "type": "order.placed",
            "version": 1,
            "occurred_at": "2010-12-01T08:26:00Z",
            "source": "import:online-retail",
            "customer_id": "5",
            "order_id": "1",
            "total": 840,
            "currency": "GBP",
            "items": [
                {"product_id": "A", "quantity": 2, "unit_price": 255},
                {"product_id": "B", "quantity": 3, "unit_price": 110},
            ],
        }
    ]
    assert summary.lines_read == 2


def test_a_credit_note_is_a_refund_that_names_no_order() -> None:
    events, _ = read(line("C1", "-2", "2.55"))
    (refund,) = events
    assert refund["type"] == "order.refunded"
    assert refund["id"] == "online-retail:C1"
    assert refund["refund_id"] == "C1"
    assert refund["amount"] == 510
    assert "order_id" not in refund


@pytest.mark.parametrize(
    ("prices", "pennies"),
    [
        (["0.005"], 1),
        (["0.004"], 0),
        (["0.004", "0.004"], 1),
        (["0.335", "0.335", "0.335"], 101),
        (["2.675"], 268),
        (["0.1", "0.2"], 30),
    ],
)
@pytest.mark.parametrize(("number", "quantity", "amount"), [("1", "1", "total"), ("C1", "-1", "amount")])
def test_the_sum_is_rounded_half_up_once_at_the_end(
    prices: Sequence[str], pennies: int, number: str, quantity: str, amount: str
) -> None:
    events, _ = read(*(line(number, quantity, price) for price in prices))
    assert [event[amount] for event in events] == [pennies]


def test_exact_duplicate_lines_count() -> None:
    events, _ = read(line(), line())
    assert events[0]["total"] == 200


def test_lines_of_an_invoice_need_not_be_adjacent_and_the_first_gives_the_time() -> None:
    events, _ = read(line("1", at="2010-12-01 08:27:00"), line("2"), line("1", at="2010-12-01 08:26:00"))
    assert [(event["order_id"], event["total"]) for event in events] == [("1", 200), ("2", 100)]
    assert events[0]["occurred_at"] == "2010-12-01T08:27:00Z"


@pytest.mark.parametrize(
    ("lines", "skip"),
    [
        ([line(price="0.0")], Skip.INVOICE_NOT_POSITIVE),
        ([line(quantity="-1")], Skip.INVOICE_NOT_POSITIVE),
        ([line(), line(quantity="-2")], Skip.INVOICE_NOT_POSITIVE),
        ([line("A1", price="-11062.06")], Skip.INVOICE_NOT_POSITIVE),
        ([line("C1", price="0")], Skip.CREDIT_NOTE_ZERO),
        ([line("C1"), line("C1", quantity="-1")], Skip.CREDIT_NOTE_ZERO),
        ([line(quantity="999999999", price="999999999")], Skip.AMOUNT_TOO_LARGE),
    ],
)
def test_an_invoice_without_a_usable_sum_is_skipped_and_counted_once(lines: list[str], skip: Skip) -> None:
    events, summary = read(*lines)
    assert events == []
    assert summary.skipped == {skip: 1}


def test_a_credit_note_with_a_positive_sum_is_a_refund_of_that_amount() -> None:
    events, _ = read(line("C1", "1", "3.00"))
    assert events[0]["amount"] == 300


@pytest.mark.parametrize(
    ("written", "meant"), [("17850.0", "17850"), ("17850", "17850"), ("0170.00", "0170"), ("K7", "K7")]
)
def test_a_customer_is_a_whole_number_however_it_is_written(written: str, meant: str) -> None:
    events, _ = read(line(customer=written))
    assert events[0]["customer_id"] == meant


@pytest.mark.parametrize("customer", ["", " ", "nan", "NULL"])
def test_a_line_without_customer_is_counted(customer: str) -> None:
    events, summary = read(line(customer=customer))
    assert events == []
    assert summary.skipped == {Skip.WITHOUT_CUSTOMER: 1}


def test_a_line_of_another_customer_is_left_out_of_the_invoice_and_counted() -> None:
    events, summary = read(line(customer="5"), line(customer="6", price="100"), line(customer="5"))
    assert [(event["customer_id"], event["total"]) for event in events] == [("5", 200)]
    assert summary.skipped == {Skip.OTHER_CUSTOMER: 1}


@pytest.mark.parametrize(
    ("at", "instant"),
    [
        ("2010-12-01 08:26:00", "2010-12-01T08:26:00Z"),
        ("12/1/2010 8:26", "2010-12-01T08:26:00Z"),
        ("1/31/2011 17:05", "2011-01-31T17:05:00Z"),
    ],
)
def test_both_date_forms_are_utc(at: str, instant: str) -> None:
    events, _ = read(line(at=at))
    assert events[0]["occurred_at"] == instant


@pytest.mark.parametrize(
    ("broken", "skip"),
    [
        ("1,A,THING,1", Skip.WRONG_COLUMNS),
        (line() + ",more", Skip.WRONG_COLUMNS),
        ('1,A,"THING,1,2010-12-01 08:26:00,1.00,5.0,France', Skip.WRONG_COLUMNS),
        (line(quantity="many"), Skip.BAD_NUMBER),
        (line(price="NaN"), Skip.BAD_NUMBER),
        (line(price="1e999999999"), Skip.BAD_NUMBER),
        (line(at="2010-13-01 08:26:00"), Skip.BAD_TIME),
        (line(at="31/1/2011 17:05"), Skip.BAD_TIME),
        (line(at="yesterday"), Skip.BAD_TIME),
        (line(number=""), Skip.BAD_ID),
        (line(number="9" * 300), Skip.BAD_ID),
        ("", Skip.BLANK_LINE),
    ],
)
def test_a_broken_line_is_counted_and_the_lines_around_it_are_read(broken: str, skip: Skip) -> None:
    events, summary = read(line("8"), broken, line("9"))
    assert [event["order_id"] for event in events] == ["8", "9"]
    assert summary.skipped == {skip: 1}
    assert summary.lines_read == 3


@pytest.mark.parametrize(
    ("quantity", "price", "code"),
    [
        ("-1", "1.00", "B"),
        ("0", "1.00", "B"),
        ("1", "-1.00", "B"),
        ("1.5", "1.00", "B"),
        ("1000001", "0", "B"),
        ("1", "1", ""),
    ],
)
def test_a_line_that_is_no_item_still_counts_in_the_sum(quantity: str, price: str, code: str) -> None:
    events, _ = read(line(price="500"), line(quantity=quantity, price=price, code=code))
    assert events[0]["items"] == [{"product_id": "A", "quantity": 1, "unit_price": 50_000}]
    assert events[0]["total"] == round(50_000 + float(quantity) * float(price) * 100)


def test_items_above_the_bound_of_the_schema_are_left_out_but_paid_for() -> None:
    events, _ = read(*[line()] * (MAX_ITEMS + 5))
    items = events[0]["items"]
    assert isinstance(items, list)
    assert len(items) == MAX_ITEMS
    assert events[0]["total"] == 100 * (MAX_ITEMS + 5)


def test_a_currency_without_pennies_is_counted_in_its_own_minor_units() -> None:
    events, _ = read(line(price="1500"), currency="JPY")
    assert events[0]["total"] == 1500
