"""What a seed stands for: the shop's log, when each message arrives where, and which faults are injected when.

All of it is drawn before anything runs, so that a fault can be left out and the rest stays as it was.
"""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal

import orjson

from schemas.events import Catalogue
from schemas.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant
from schemas.names import INPUTS, ORDERS, SITE_EVENTS
from schemas.placement import shard_of
from streams.core.definitions import Definitions, compile_definitions
from tests.oracle import Event
from tests.scenarios import events as write
from tests.scenarios.events import START

SEGMENTS = (
    "vip",
    "lapsed",
    "one_time_shopper",
    "cart_abandoner",
    "churn_risk",
    "new_subscriber",
    "idle_visitor",
    "delivery_issue",
    "likely_to_churn",
    "likely_to_buy",
)
"""Of the shipped ones: every kind of time crossing, window and register that there is, in few rules."""
LIVE = 8.0
"""Seconds of simulated time in which messages arrive and faults happen."""
SPAN: Duration = 130 * DAY
"""How much of the shop's time passes in `LIVE`; so events lie days apart, and a second's delay is weeks late."""
SKEW: Duration = 2 * HOUR
"""How far in the future an event may lie; more than any clock jumps."""
FAULTS = (
    "crash",
    "stop",
    "join",
    "pause",
    "zombie",
    "rebalance",
    "lost reply",
    "store down",
    "slow",
    "lost ack",
    "produce failure",
    "clock jump",
    "edit",
    "refit",
)
"""Kinds of faults; each seed has some of them. An edit of the definitions is none, nor are new
parameters of the predictions; but both come as untimely as one."""
LOSSES = ("set back", "emptied", "away", "claim lost")
"""Kinds after which state is made anew. Crossings that were lost with it are told in differences only, so fewer checks
hold, and not every seed has them."""


_TOTALS: tuple[int | str, ...] = (60_00, 100_01, 250_00, "166.67")


@dataclass(frozen=True)
class Fault:
    """One fault. What it hits and how hard follows from two numbers in [0, 1)."""

    at: float
    kind: str
    which: float
    size: float


@dataclass(frozen=True)
class Message:
    """A message on its way to a topic."""

    at: float
    topic: str
    shard: int
    key: bytes | None
    value: bytes | None
    kind: Literal["event", "poison", "control"] = "event"
    """Poison is what is no event of ours; control, a mark of the producer's transaction."""


@dataclass
class Plan:
    """All of a seed."""

    seed: int
    shards: int
    workers: int
    batch: int
    dues: int
    memory: int
    """Customers that a shard keeps in memory."""
    room: int
    """Batches that wait for an agent before reading of their partition is paused."""
    busy: float
    """Seconds that a worker's main loop lets its reading thread wait at times."""
    backfill: bool
    """Whether the whole log is past when reading begins; else time passes while it comes in."""
    end: Instant
    """Where the shop's clock stands still: what is due by then is settled at the end."""
    events: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    skews: list[Duration] = field(default_factory=list)
    """How far each worker's clock is off."""


@cache
def definitions() -> Definitions:
    """The chosen segments, as they are shipped."""
    text = (Path(__file__).parents[2] / "segments.toml").read_text(encoding="utf-8")
    head, *sections = text.split("\n[segments.")
    chosen = [section for section in sections if section.partition("]")[0] in SEGMENTS]
    return compile_definitions("\n[segments.".join([head, *chosen]))


def draw(seed: int, faults: tuple[str, ...] = FAULTS) -> Plan:
    """The plan of a seed.

    Args:
        seed: any number.
        faults: the kinds of faults that it may have.
    """
    dice = Random(f"plan {seed}")  # noqa: S311 # it must be the same each time
    plan = Plan(
        seed=seed,
        shards=dice.choice([1, 2, 2, 3]),
        workers=dice.choice([1, 2, 2, 3]),
        batch=dice.choice([1, 2, 4, 20]),
        dues=dice.choice([1, 2, 5]),
        memory=dice.choice([1, 3, 20]),
        room=dice.choice([1, 3, 16]),
        busy=dice.choice([0.0, 0.001, 0.02, 0.2]),
        backfill=dice.random() < 0.25,
        end=START + SPAN + dice.choice([0, HOUR, 10 * DAY, 40 * DAY, 100 * DAY]),
    )
    _draw_log(plan, dice)
    _draw_faults(plan, dice, faults)
    return plan


def _draw_log(plan: Plan, dice: Random) -> None:
    """A log of a few customers, in order or with late, doubled and misplaced events, and some that are none."""
    visitors = [_visitor(dice, number) for number in range(dice.randint(2, 5))]
    late, doubled, misplaced, broken, committed = (dice.choice([0.0, 0.0, 0.1, 0.3]) for _ in range(5))
    for number in range(dice.randint(15, 45)):
        at = _instant(dice)
        event = {**_event(dice, at), "id": f"e{number}", **dice.choice(visitors)}
        plan.events.append(event)
        arrivals = [at / SPAN * LIVE + dice.uniform(0.0, 0.02) + (dice.uniform(0.0, 3.0) * (dice.random() < late))]
        while dice.random() < doubled:
            arrivals.append(arrivals[-1] + dice.uniform(0.0, 2.0))
        for moment in arrivals:
            message = _message(plan, dice, moment, event, misplaced)
            plan.messages.append(message)
            if dice.random() < committed:
                plan.messages.append(replace(message, key=None, value=None, kind="control"))
        if dice.random() < broken:
            plan.messages.append(_poison(plan, dice, arrivals[0] + dice.uniform(0.0, 0.1), event))
    plan.messages.sort(key=lambda message: message.at)


def _visitor(dice: Random, number: int) -> dict[str, Any]:
    if dice.random() < 0.2:
        return {"customer_id": None, "anonymous_id": f"v{number}"}
    return {"customer_id": f"c{number}"}


def _instant(dice: Random) -> Duration:
    """After the start; often at the very edge of a window after some other event."""
    if dice.random() < 0.5:
        return dice.randint(0, SPAN)
    days, minutes = dice.choice([0, 1, 7, 30, 60, 90, 97, 120]), dice.choice([0, 0, 29, 30, 59, 60, 61])
    return max(0, days * DAY + minutes * MINUTE + dice.choice([-1, 0, 0, 1]))


def _event(dice: Random, at: Duration) -> Event:
    order, product, contact = f"o{dice.randrange(8)}", dice.choice("pq"), f"t{dice.randrange(3)}"
    total = dice.choice(_TOTALS)
    kinds = (
        lambda: write.bought(at, order, total),
        lambda: write.bought(at, order, total),
        lambda: write.bought(at, order, total),
        lambda: write.updated(at, order, total),
        lambda: write.cancelled(at, order),
        lambda: write.refunded(at, total, dice.choice([None, order]), dice.choice(["r1", "r2"])),
        lambda: write.added(at, product, dice.choice([1, 2])),
        lambda: write.added(at, product),
        lambda: write.removed(at, product, dice.choice([None, 1])),
        lambda: write.filled(at, *dice.choice(["", "p", "pq"])),
        lambda: write.cleared(at),
        lambda: write.viewed(at),
        lambda: write.viewed(at),
        lambda: write.mailed(dice.choice(["subscribed", "unsubscribed", "opened"]), at),
        lambda: write.contacted(at, contact, dice.choice([None, "delivery"])),
    )
    return dice.choice(kinds)()


def _message(plan: Plan, dice: Random, at: float, event: Event, misplaced: float) -> Message:
    home = shard_of(event["customer_id"] or event["anonymous_id"], plan.shards)
    shard = dice.randrange(plan.shards) if dice.random() < misplaced else home
    key = str(event["customer_id"] or event["anonymous_id"]).encode()
    return Message(at, Catalogue.topic_of[event["type"]], shard, key, orjson.dumps(event))


def _poison(plan: Plan, dice: Random, at: float, event: Event) -> Message:
    """Something like an event that is none."""
    topic = dice.choice(INPUTS)
    wrong = ORDERS if Catalogue.topic_of[event["type"]] == SITE_EVENTS else SITE_EVENTS
    far = write.viewed(SPAN * 20)
    value = dice.choice(
        [
            None,
            b"",
            b"\xff\xfe",
            b'{"type": "order.placed"}',
            orjson.dumps({**event, "type": "order.dreamt"}),
            orjson.dumps({**event, "customer_id": None, "anonymous_id": None}),
            orjson.dumps({**far, "id": "far"}),
            orjson.dumps({**write.bought(0, "o1"), "id": "odd", "currency": "XXX"}),
        ]
    )
    if dice.random() < 0.2:
        topic, value = wrong, orjson.dumps(event)
    return Message(at, topic, dice.randrange(plan.shards), None, value, "poison")


def _draw_faults(plan: Plan, dice: Random, allowed: tuple[str, ...]) -> None:
    """Some kinds of faults, seldom or often: few at a time, or nothing would ever get far enough to break."""
    kinds = [kind for kind in allowed if dice.random() < 0.35]
    for kind in kinds:
        for _ in range(dice.choice([1, 1, 2, 4])):
            plan.faults.append(Fault(dice.uniform(0.1, LIVE), kind, dice.random(), dice.random()))
    plan.faults.sort(key=lambda fault: fault.at)
    skewed = "clock jump" in kinds
    plan.skews = [dice.randint(-SECOND * 600, SECOND * 600) if skewed else 0 for _ in range(40)]
