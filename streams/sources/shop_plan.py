"""What a synthetic shop is asked to be, and the random streams that follow from it. Nothing here reads a clock."""

import re
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2s
from random import Random

from schemas.instants import DAY, Instant, parse_rfc3339, rfc3339

DEFAULT_START: Instant = parse_rfc3339("2024-01-01T00:00:00Z")
"""Long enough ago that two years of a shop are past: a worker refuses what lies in the future."""
LATEST_END: Instant = parse_rfc3339("2199-01-01T00:00:00Z")
"""Broken lines from the far future lie after it."""
MAX_CUSTOMERS = 2**31
"""Customer indexes keep to 32 bits of a random stream's number."""


class Part(IntEnum):
    """Which part of the simulation a random stream belongs to, so that no two parts share figures."""

    ASSORTMENT = 0
    CUSTOMER = 1
    VISIT = 2
    LATE = 3
    BROKEN = 4
    DUPLICATE = 5


@dataclass(frozen=True, slots=True)
class ShopPlan:
    """A synthetic shop: equal plans give equal events and lines.

    Attributes:
        customers: how many people, at least 1; some may never show up within the days.
        days: length of the simulated time, in days of 24 hours, at least 1.
        seed: any integer that is not negative.
        start: first instant of the simulated time; nothing happens before it, nor at or after its end.
        duplicates: share of the events whose line is repeated once, 0 to 1.
        late: share of the events that are written after younger ones, 0 to 1.
        broken: broken lines added for each event, 0 to 1.
        currency: ISO 4217 code of all amounts.

    Raises:
        ValueError: a figure is outside of its range.
    """

    customers: int
    days: int
    seed: int = 0
    start: Instant = DEFAULT_START
    duplicates: float = 0.01
    late: float = 0.01
    broken: float = 0.001
    currency: str = "GBP"

    def __post_init__(self) -> None:
        """Refuse figures that cannot be."""
        if not 1 <= self.customers <= MAX_CUSTOMERS:
            raise ValueError(f"customers is {self.customers}; it must be 1 to {MAX_CUSTOMERS}")
        if self.days < 1:
            raise ValueError(f"days is {self.days}; it must be at least 1")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must not be negative")
        if self.end > LATEST_END:
            raise ValueError(f"days is {self.days}; the simulated time must end by {rfc3339(LATEST_END)}")
        for name, rate in (("duplicates", self.duplicates), ("late", self.late), ("broken", self.broken)):
            if not 0 <= rate <= 1:
                raise ValueError(f"{name} is {rate}; it must be 0 to 1")
        if not re.fullmatch(r"[A-Z]{3}", self.currency):
            raise ValueError(f"currency is '{self.currency}'; it must be three capital letters, as in GBP")

    @property
    def end(self) -> Instant:
        """The first instant after the simulated time."""
        return self.start + self.days * DAY

    @property
    def tag(self) -> str:
        """Eight hexadecimal digits in every event id, so that two shops in one system do not look like duplicates."""
        return blake2s(f"{self.seed} {self.start} {self.days} {self.currency}".encode(), digest_size=4).hexdigest()

    def stream_number(self, part: Part, index: int = 0, number: int = 0) -> int:
        """The seed of one random stream: of a part, and within it of a customer and of a visit."""
        return ((self.seed * len(Part) + part) << 64) | (index << 32) | number

    def stream(self, part: Part, index: int = 0, number: int = 0) -> Random:
        """A random stream of its own for one part of the simulation."""
        return Random(self.stream_number(part, index, number))  # noqa: S311 # synthetic data, not cryptography
