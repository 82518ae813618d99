"""Plays one schedule and judges how it ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from zlib import crc32

import msgspec

from tests.faults import checks
from tests.faults.plan import Plan, messages
from tests.faults.servers import Servers
from tests.faults.stage import PARTITIONS, FaultsError, Injected, Setting, Stage, stage
from tests.stacks.isolation import delete_topics

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What happens to a system under load.

    Attributes:
        name: for `--only`.
        script: begins when the load does; injects the faults.
        seconds: that the load runs for; longer, if the script takes longer.
        exact: the load does not run longer, and the workers' clock has no earlier end.
        setting: of the system.
        load: fields of the `Plan` that are not as usual.
        mortal: a worker may end by itself in it, to be started again.
        short: it belongs to the short part.
    """

    name: str
    script: Callable[[Stage], None]
    seconds: float = 8.0
    exact: bool = False
    setting: Setting = field(default_factory=Setting)
    load: dict[str, float] = field(default_factory=dict)
    mortal: bool = False
    short: bool = True

    def plan(self, seed: int) -> Plan:
        """The load, by the seed."""
        plan = msgspec.structs.replace(Plan(seed=seed), **self.load)
        return msgspec.structs.replace(plan, seconds=self.seconds) if self.exact else plan


@dataclass
class Outcome:
    """How a schedule ended.

    Attributes:
        events: messages that were sent.
        rate: how many of them in a second.
        transitions: changes that the subscriber took, each once.
        causes: how many of them by their cause.
        repeated: changes that came again and were dropped.
        differences: memberships in which the ledger, the members sets or the read model differ from the oracle.
        skipped: the most sequences of a shard that were left out in a row.
        longest_gap: seconds without a change while the load ran.
        longest_silence: the same of a single shard.
        deaths: workers that ended by themselves.
        problems: everything that was not as it should be, in words.
        seconds: that the schedule took, all in all.
    """

    name: str
    seed: int
    injected: list[Injected] = field(default_factory=list)
    events: int = 0
    rate: float = 0.0
    transitions: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    differences: int = 0
    skipped: int = 0
    longest_gap: float = 0.0
    longest_silence: float = 0.0
    deaths: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def play(schedule: Schedule, seed: int, servers: Servers) -> Outcome:
    """Play a schedule on servers that are there."""
    start = time.monotonic()
    outcome = Outcome(schedule.name, seed)
    plan = schedule.plan(seed)
    random = Random(seed ^ crc32(schedule.name.encode()))
    with stage(servers, plan, schedule.setting, random) as on:
        try:
            on.begin()
            schedule.script(on)
            on.play(schedule.seconds)
            if not on.ended:
                on.end_load(early=not schedule.exact)
            on.drain()
        except FaultsError as error:
            outcome.problems.append(str(error))
            on.crew.explain()
        else:
            on.crew.stop_all()
            outcome.problems += checks.by_verify(on.environment)
        _judge(on, schedule, outcome)
    delete_topics(servers.kafka.bootstrap_servers, on.prefix)
    outcome.seconds = time.monotonic() - start
    return outcome


def _judge(on: Stage, schedule: Schedule, outcome: Outcome) -> None:
    ledger, crew = on.subscriber.stop(), on.crew
    outcome.injected, outcome.events = on.injected, on.sent
    outcome.transitions, outcome.causes, outcome.repeated = ledger.changes, ledger.causes, ledger.repeated
    outcome.skipped = ledger.skipped
    ended = on.ended or time.monotonic()
    outcome.rate = on.sent / (ended - on.began)
    outcome.longest_gap = ledger.longest_gap(on.began, ended)
    outcome.longest_silence = ledger.longest_silence(on.began, ended)
    outcome.problems += _first(ledger.faults)
    outcome.problems += crew.unclean
    unplanned = [death for death in crew.deaths if not death.doomed]
    outcome.deaths = len(unplanned)
    if not schedule.mortal:
        outcome.problems += [f"{death.worker} ended by itself with {death.code}: {death.log}" for death in unplanned]
    if not on.sent:
        return
    planned = list(islice(messages(on.plan), on.sent))
    found = checks.published(on.servers.kafka.bootstrap_servers, on.prefix, PARTITIONS, planned)
    outcome.problems += found.faults
    right = checks.expected(found.events, on.as_of)
    client = on.servers.client
    for name, members in (
        ("the ledger", ledger.inside),
        ("the members sets", checks.by_members(client, PARTITIONS)),
        ("the read model", checks.by_live(client, PARTITIONS)),
    ):
        count, said = checks.differences(name, right, members)
        outcome.differences += count
        outcome.problems += said


def _first(faults: list[str]) -> list[str]:
    more = len(faults) - _SHOWN
    return [*faults[:_SHOWN], f"and {more} more of the ledger"] if more > 0 else faults
