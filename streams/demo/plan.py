"""How long a demo lasts, how fast its time runs, and the shop that fits: nothing here reads a clock."""

import math
from dataclasses import dataclass

from schemas.instants import DAY, SECOND, Instant
from streams.preflight.rules import Hazard
from streams.settings import Settings
from streams.sources.shop import ShopPlan
from streams.stacks import Stack

PARTITIONS = 4
IN_MEMORY = frozenset({Hazard.APPENDONLY})
"""What a demo accepts: its Redis keeps nothing on disk."""
HISTORY_DAYS = 100
"""The shop's past, read before the show: long enough for the windows of 90 days to be crossed all the time."""
MAX_SPEED = 5.0
"""Days a second."""
_EXTRA_DAYS = 15
"""A short show runs faster, so that it has a month of its own to show."""
_START_UP: Instant = 3 * SECOND
"""About what a worker needs to start; the clock reaches the end of the shop's past then."""
PATIENCE = 60
"""Seconds that the start may take on a slow machine: the shop goes on for so long after the planned end."""
_MANY = 500
"""Customers from which on time runs slower, so that a worker on the mock Kafka and on a busy machine keeps up."""
_BROKEN = 0.003
"""Share of broken lines: a dead letter now and then."""


@dataclass(frozen=True)
class DemoPlan:
    """One demo.

    Attributes:
        seconds: how long the show lasts, from the moment that the shop's past is read.
        speed: days that pass on its clock in one second.
        shop: whose events are played.
        live_at: instant of the shop's time at which the past ends.
        live_from: wall-clock instant at which the clock shows `live_at`.
    """

    seconds: float
    speed: float
    shop: ShopPlan
    live_at: Instant
    live_from: Instant

    def settings(self, stack: Stack) -> Settings:
        """The settings of a worker, and of those who look on, with this demo's clock."""
        return Settings(
            kafka_bootstrap_servers=stack.bootstrap_servers,
            redis_url=stack.redis_url,
            group="live-segments",
            topic_prefix="",
            instance_id="",
            partitions=PARTITIONS,
            allow_unsafe=IN_MEMORY,
            clock_at=self.live_at,
            clock_from=self.live_from,
            clock_speed=self.clock_speed,
        )

    @property
    def clock_speed(self) -> float:
        """Seconds that pass on the clock in one second."""
        return self.speed * DAY / SECOND

    def lag_ms(self, effective_at: Instant, emitted_at: Instant) -> float:
        """Milliseconds from the wall-clock moment at which the clock showed `effective_at`, to `emitted_at`."""
        due = self.live_from + (effective_at - self.live_at) / self.clock_speed
        return (emitted_at - due) / 1_000


def plan_demo(seconds: float, customers: int, speed: float | None, now: Instant) -> DemoPlan:
    """A demo that begins at the wall-clock instant `now`; its shop's last event lies before that.

    Args:
        seconds: how long the show is to last.
        customers: how many people the shop has.
        speed: days a second; None: whatever gives a good show in that time.
        now: the wall clock.
    """
    good = min(MAX_SPEED, 1 + _EXTRA_DAYS / seconds) * min(1.0, _MANY / customers)
    pace = good if speed is None else speed
    days = HISTORY_DAYS + math.ceil(pace * (seconds + PATIENCE))
    start = (now // DAY - days) * DAY
    shop = ShopPlan(customers=customers, days=days, start=start, broken=_BROKEN)
    return DemoPlan(seconds, pace, shop, start + HISTORY_DAYS * DAY, now + _START_UP)


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make a worker have exactly these settings of servers, names and clock."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "SEGMENTS_KAFKA": settings.kafka_bootstrap_servers,
        "REDIS_URL": settings.redis_url,
        "SEGMENTS_REDIS": settings.redis_url,
        "SEGMENTS_GROUP": settings.group,
        "SEGMENTS_TOPIC_PREFIX": settings.topic_prefix,
        "SEGMENTS_INSTANCE_ID": settings.instance_id,
        "SEGMENTS_PARTITIONS": str(settings.partitions),
        "SEGMENTS_ALLOW_UNSAFE": ",".join(sorted(settings.allow_unsafe)),
        "SEGMENTS_CLOCK_AT": str(settings.clock_at),
        "SEGMENTS_CLOCK_FROM": str(settings.clock_from),
        "SEGMENTS_CLOCK_SPEED": str(settings.clock_speed),
    }
