"""The part of the report that tells of the race on *mini*."""

import re
from collections.abc import Callable, Iterator, Sequence
from statistics import median

from bench.chart import Bar, bars
from bench.entrants import PEERS
from bench.race import OUR_SINGLE_TITLE, OUR_TITLE, Lap
from bench.system import PARTITIONS
from bench.tables import Goal, spread, table

CHART = "benchmarks-mini.svg"
EXACTLY_ONCE_GOAL, AT_LEAST_ONCE_GOAL, WHOLE_GOAL, CPU_GOAL = 2.5, 1.3, 1.0, 1.0
_EXACTLY_ONCE = [peer.title for peer in PEERS if peer.transactions]
_CACHED = [peer.title for peer in PEERS if peer.name == "kafka-streams-cache"]
_KAFKA_STREAMS = [peer.title for peer in PEERS if peer.name.startswith("kafka-streams")]
_FLINK = [peer.title for peer in PEERS if peer.name == "flink"]
_OURS = (OUR_TITLE, OUR_SINGLE_TITLE)
_DURABLE = {peer.title: peer.durable for peer in PEERS} | dict.fromkeys(_OURS, "state, offsets, changes in each commit")
_MIB = 1024**2
_PLACES = re.compile(r"\w+://\S+|(?:/[\w.+-]+){2,}")
_LINE = 200


def runs(laps: Sequence[Lap], who: str) -> list[Lap]:
    """The laps of one program, in their order."""
    return [lap for lap in laps if lap.who == who]


def race_goals(laps: Sequence[Lap]) -> Iterator[Goal]:
    """The goals of which something was measured: the worse median of ours against the best median of some peers."""
    ours = [who for who in _OURS if runs(laps, who)]
    if not ours:
        return
    for what, peers, figure, goal, more in (
        ("times Kafka Streams exactly once, steady", _EXACTLY_ONCE, _steady, EXACTLY_ONCE_GOAL, True),
        ("times Kafka Streams at least once with its cache, steady", _CACHED, _steady, AT_LEAST_ONCE_GOAL, True),
        ("times Flink, whole run", _FLINK, _whole, WHOLE_GOAL, True),
        ("of Kafka Streams' least CPU, worker and Redis together", _KAFKA_STREAMS, _cpu, CPU_GOAL, False),
    ):
        found = [_middle(laps, who, figure) for who in peers if runs(laps, who)]
        if found:
            worst = (min if more else max)(_middle(laps, who, figure) for who in ours)
            ratio = worst / (max(found) if more else min(found))
            wanted = f"{'at least' if more else 'below'} {goal:g}"
            yield Goal(what, wanted, ratio, 2, ratio >= goal if more else ratio < goal)


def exactly_once(laps: Sequence[Lap]) -> float | None:
    """The steady rate of Kafka Streams exactly once, the better of its settings; None if it did not run."""
    return max((_middle(laps, who, _steady) for who in _EXACTLY_ONCE if runs(laps, who)), default=None)


def _steady(lap: Lap) -> float:
    return lap.steady_rate


def _whole(lap: Lap) -> float:
    return lap.rate


def _cpu(lap: Lap) -> float:
    return lap.steady_cpu + lap.steady_redis_cpu


def _middle(laps: Sequence[Lap], who: str, figure: Callable[[Lap], float]) -> float:
    return median(figure(lap) for lap in runs(laps, who))


def race_chart(laps: Sequence[Lap]) -> str:
    """The steady rates as a picture."""
    titles = dict.fromkeys(lap.who for lap in laps)
    rows = [Bar(who, [lap.steady_rate for lap in runs(laps, who)], who in _OURS) for who in titles]
    return bars("mini: events/s, steady, one process", rows)


def race_text(laps: Sequence[Lap], skipped: dict[str, str]) -> str:
    """What was compared, how, and what came out."""
    titles = sorted(dict.fromkeys(lap.who for lap in laps), key=lambda who: -_middle(laps, who, _steady))
    header = (
        "program",
        "events",
        "steady events/s",
        "whole run",
        "with its start",
        "CPU s per 100,000: process",
        "Redis",
        "together",
        "whole run, process",
        "peak MiB",
        "Redis MiB",
        "changes",
        "of",
        "late",
        "customers astray",
        "misplaced",
        "durable",
    )
    parts = [
        _method(laps),
        f"![Events a second, steady]({CHART})",
        table(header, (_row(runs(laps, who)) for who in titles)),
    ]
    if skipped:
        parts.append(
            "Left out on this machine:\n\n" + "\n".join(f"- {who}: {shortly(why)}" for who, why in skipped.items())
        )
    return "\n\n".join(parts)


def shortly(reason: str) -> str:
    """The first line of a reason, without addresses and paths: the page is for every machine."""
    return _PLACES.sub("…", reason.partition("\n")[0])[:_LINE]


def _method(laps: Sequence[Lap]) -> str:
    longest = max(laps, key=lambda lap: lap.events)
    return f"""The same {longest.events:,} generated events of {longest.customers:,} customers for everybody, on
{PARTITIONS} partitions of one Kafka; four segments, one message for each change. 10 % orders, 5 % contacts, the rest
page views, product views, additions to the cart and begun checkouts in equal parts, customers drawn evenly; in order,
each stamped with its time. Programs run in turn, one process each, and the order alternates from repeat to repeat.

Our worker reads `bench/mini.toml` and has every guarantee on: each commit holds state, offsets and changes, into a
Redis with an append-only file. It keeps whole profiles and sends whole changes, with evidence. The peers
(`bench/peers/`) keep seven fields of a customer and send seven fields of a change, so they have less to do. They read
all events from one topic, in order. Ours reads them from its three topics, as a shop would have them, and once more
from one topic, as the peers do. Java programs may use 1 GiB of heap, Flink 2.

Steady is the second half of the events; a whole run goes from the first event until Kafka has every change (with
transactions: until none is open). The changes on the topic are compared with an oracle's (`bench/mini.py`), each
customer's one after the other: *astray* counts the customers of whom they differ, *misplaced* the memberships at the
end that do. From one topic nothing may differ. From three, an order can be applied before an earlier addition to the
cart is: that event is *late*, and customers who would have come and gone in between never do; so changes may be fewer
and customers astray, but no membership may be misplaced. The goals take the worse of our two rows. A program with fewer
events than the others is slow: it gets the same in small, fewer customers with as many events each."""


def _row(laps: list[Lap]) -> tuple[str, ...]:
    first = laps[0]
    return (
        first.who,
        f"{first.events:,}",
        spread([lap.steady_rate for lap in laps]),
        spread([lap.rate for lap in laps]),
        spread([lap.rate_from_start for lap in laps]),
        spread([lap.steady_cpu for lap in laps], 2),
        spread([lap.steady_redis_cpu for lap in laps], 2),
        spread([_cpu(lap) for lap in laps], 2),
        spread([lap.cpu for lap in laps], 2),
        spread([lap.peak_bytes / _MIB for lap in laps]),
        spread([lap.redis_bytes / _MIB for lap in laps]),
        spread([float(lap.flips) for lap in laps]),
        f"{first.right_flips:,}",
        spread([float(lap.late) for lap in laps]),
        str(sum(lap.astray for lap in laps)),
        str(sum(lap.misplaced for lap in laps)),
        _DURABLE[first.who],
    )
