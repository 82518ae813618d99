"""Money in the currency that profiles count in: whole minor units, converted with configured rates."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from schemas.definitions import CurrencyTable
from schemas.errors import Reason, UndecodableError

_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""Minor-unit digits that are not two. Source: ISO 4217, list one."""


def digits_of(currency: str) -> int:
    """How many decimals a currency's minor unit has."""
    return _DIGITS.get(currency, 2)


def to_text(minor: int, currency: str) -> str:
    """Decimal text of an amount in major units.

    >>> to_text(-1205, "GBP")
    '-12.05'
    """
    digits = digits_of(currency)
    if not digits:
        return str(minor)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' if minor < 0 else ''}{whole}.{rest:0{digits}d}"


@dataclass(frozen=True)
class Rates:
    """Converts what events say into the base currency."""

    base: str
    factors: dict[str, Decimal] = field(default_factory=dict)
    """Minor units of the base for one minor unit of the other."""

    @classmethod
    def of(cls, table: CurrencyTable) -> "Rates":
        """Rates from the definitions file."""
        digits = digits_of(table.base)
        factors = {code: rate.scaleb(digits - digits_of(code)) for code, rate in table.rates.items()}
        return cls(table.base, factors)

    def minor(self, amount: int | str, currency: str | None) -> int:
        """Minor units of the base currency, rounded half up once; no currency is the base currency.

        Raises:
            UndecodableError: there is no rate for the currency.
        """
        currency = currency or self.base
        if currency == self.base:
            if isinstance(amount, int):
                return amount
            factor = Decimal(1)
        else:
            rate = self.factors.get(currency)
            if rate is None:
                known = ", ".join(sorted({self.base, *self.factors}))
                detail = f"no rate for {currency}; known: {known}. Add it to [currency] in the definitions"
                raise UndecodableError(Reason.UNKNOWN_CURRENCY, detail)
            factor = rate
        value = Decimal(amount) if isinstance(amount, int) else Decimal(amount).scaleb(digits_of(currency))
        return int((value * factor).to_integral_value(ROUND_HALF_UP))
