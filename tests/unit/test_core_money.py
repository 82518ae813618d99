"""Money: minor units of the base currency, rounded half up once."""

from decimal import Decimal

import pytest

from schemas.definitions import CurrencyTable
from schemas.errors import Reason, UndecodableError
from streams.core.definitions import compile_definitions
from streams.core.money import Rates, digits_of, to_text
from streams.core.step import apply, newcomer
from tests.scenarios.events import bought, decoded


@pytest.mark.parametrize(
    ("base", "rates", "amount", "currency", "expected"),
    [
        ("GBP", {}, 5990, "GBP", 5990),
        ("GBP", {}, "59.90", "GBP", 5990),
        ("GBP", {}, "59.9", "GBP", 5990),
        ("GBP", {}, "59", "GBP", 5900),
        ("GBP", {}, "0.005", "GBP", 1),
        ("GBP", {}, "0.004", "GBP", 0),
        ("GBP", {}, "99999999999.994", "GBP", 9_999_999_999_999),
        ("GBP", {"USD": "0.5"}, 1, "USD", 1),  # half a penny, rounded up
        ("GBP", {"USD": "0.5"}, 3, "USD", 2),
        ("GBP", {"USD": "0.79"}, "100.00", "USD", 7900),
        ("GBP", {"USD": "0.3333"}, "0.015", "USD", 0),
        ("GBP", {"USD": "0.49"}, "0.014", "USD", 1),  # 0.686 pence: rounded once, after the conversion
        ("GBP", {"JPY": "0.0053"}, 1000, "JPY", 530),
        ("GBP", {"JPY": "0.0053"}, "1000", "JPY", 530),
        ("GBP", {"KWD": "2.5"}, 1000, "KWD", 250),
        ("GBP", {"KWD": "2.5"}, "1.001", "KWD", 250),
        ("JPY", {}, 500, "JPY", 500),
        ("JPY", {}, "500.5", "JPY", 501),
        ("JPY", {"GBP": "190"}, "1.00", "GBP", 190),
        ("JPY", {"GBP": "190"}, 1, "GBP", 2),
        ("KWD", {"GBP": "0.4"}, "1.00", "GBP", 400),
        ("KWD", {"JPY": "0.002"}, 1, "JPY", 2),
        ("GBP", {"GBP": "2"}, 100, "GBP", 100),  # the base is always worth itself
    ],
)
def test_amounts_convert_exactly(
    base: str, rates: dict[str, str], amount: int | str, currency: str, expected: int
) -> None:
    table = CurrencyTable(base=base, rates={code: Decimal(rate) for code, rate in rates.items()})
    assert Rates.of(table).minor(amount, currency) == expected


def test_a_currency_without_a_rate_is_refused_with_the_way_out() -> None:
    rates = Rates.of(CurrencyTable(rates={"USD": Decimal(1)}))
    with pytest.raises(UndecodableError, match=r"no rate for EUR; known: GBP, USD\. Add it to \[currency\]") as refused:
        rates.minor(1, "EUR")
    assert refused.value.reason is Reason.UNKNOWN_CURRENCY


@pytest.mark.parametrize(("currency", "digits"), [("GBP", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("XXX", 2)])
def test_minor_units_have_their_digits(currency: str, digits: int) -> None:
    assert digits_of(currency) == digits


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(5990, "GBP", "59.90"), (-5, "GBP", "-0.05"), (0, "GBP", "0.00"), (500, "JPY", "500"), (1, "KWD", "0.001")],
)
def test_amounts_are_shown_in_major_units(minor: int, currency: str, text: str) -> None:
    assert to_text(minor, currency) == text


@pytest.mark.parametrize(
    ("base", "total", "holds"),
    [("GBP", 500_00, False), ("GBP", 500_01, True), ("JPY", 500, False), ("JPY", 501, True), ("KWD", 500_001, True)],
)
def test_a_number_in_a_rule_is_major_units_of_the_base(base: str, total: int, *, holds: bool) -> None:
    text = f'[currency]\nbase = "{base}"\n[segments.s]\ntitle = "S"\nwhen = "orders.spend > 500"\n'
    definitions = compile_definitions(text)
    customer = newcomer("ann", definitions)
    apply(customer, decoded(bought(0, "o", total, currency=base)), definitions)
    assert bool(customer.since) is holds
