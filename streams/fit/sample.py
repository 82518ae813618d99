"""What the models are fitted to: each customer's purchases up to an instant; and the holdout: what came after it."""

from dataclasses import dataclass, field

from schemas.instants import DAY, Duration, Instant
from streams.core.predict.purchases import Purchases, purchases_in, values_by_day
from streams.core.profile import Profile


@dataclass
class Buyer:
    """One customer who had bought by then."""

    purchases: Purchases
    repeats: tuple[Instant, ...]
    """The days of the repeat purchases up to then."""
    later: tuple[Instant, ...] = ()
    """The days of purchases after that."""


@dataclass
class Sample:
    """All buyers of a shop as of an instant. Days are whole, as in the papers; the day of the instant is among them."""

    as_of: Instant
    buyers: dict[str, Buyer] = field(default_factory=dict)
    last: Instant = 0
    """The latest day on which anybody bought."""

    @property
    def today(self) -> Instant:
        """The start of the day that the sample is of."""
        return self.as_of - self.as_of % DAY

    @property
    def repeaters(self) -> int:
        """How many bought on more than one day."""
        return sum(1 for buyer in self.buyers.values() if buyer.repeats)

    @property
    def holdout(self) -> Duration:
        """From the day of the sample to the latest purchase; 0 where nothing came later."""
        return max(0, self.last - self.today)

    def age(self, buyer: Buyer) -> Duration:
        """From the first purchase to the day of the sample: T."""
        return self.today - buyer.purchases.first

    def add(self, profile: Profile) -> None:
        """A customer, by what is known of their orders up to the instant; nothing is added for who had not bought."""
        days = values_by_day(profile.orders, self.as_of)
        if days:
            self.buyers[profile.id] = Buyer(purchases_in(days), tuple(days)[1:])

    def hold_out(self, profile: Profile) -> None:
        """What came of a customer after the instant, by what is known of their orders now."""
        later = tuple(day for day in values_by_day(profile.orders) if day > self.today)
        self.last = max([self.last, *later])
        buyer = self.buyers.get(profile.id)
        if buyer is not None:
            buyer.later = later
