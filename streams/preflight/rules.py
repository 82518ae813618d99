"""The settings that the promise rests on: what each must be, what breaks if it is not, how to mend it. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Hazard(StrEnum):
    """What one can accept by name, in `SEGMENTS_ALLOW_UNSAFE`."""

    APPENDONLY = "appendonly"
    APPENDFSYNC = "appendfsync"
    EVICTION = "eviction"
    COMPACTION = "compaction"
    RETENTION = "retention"
    INSYNC = "insync"
    UNCLEAN = "unclean"
    GAP = "gap"
    """Not a setting: input that was never applied is no longer in Kafka (`streams.shards`)."""


Values = Mapping[str, str | None]
"""Setting -> what it is; None where it could not be read."""


@dataclass(frozen=True)
class Rule:
    """What one setting must be."""

    setting: str
    hazard: Hazard | None
    """What is accepted by whoever starts anyway; None: it is only told of."""
    must: str
    holds: Callable[[str, Values], bool]
    """Whether a value is good, given the other settings of the same place."""
    breaks: str
    mend: str


@dataclass(frozen=True)
class Finding:
    """A setting that is not what it must be, or cannot be read, and where."""

    rule: Rule
    value: str | None
    """None: it could not be read."""
    places: tuple[str, ...]

    def is_refused(self, accepted: Collection[Hazard]) -> bool:
        """Whether a worker must not start."""
        return self.value is not None and self.rule.hazard is not None and self.rule.hazard not in accepted

    def __str__(self) -> str:
        """One sentence for a person."""
        rule, where = self.rule, ", ".join(self.places)
        if self.value is None:
            return f"{where}: {rule.setting} could not be read; make sure that it is {rule.must}, else {rule.breaks}"
        return f"{where}: {rule.setting} is {self.value}, must be {rule.must}: {rule.breaks}. {rule.mend}"


def _one_of(*good: str) -> Callable[[str, Values], bool]:
    return lambda value, _others: value in good


def _alter(setting: str) -> str:
    return f"kafka-configs.sh --alter --entity-type topics --entity-name <topic> --add-config {setting}"


CLOCK = "clock ahead of Redis'"
REPLICATION = "replication factor"
_MAX_SKEW = 1.0
"""Seconds: what a crossing may be late by."""

REDIS_RULES = (
    Rule(
        "appendonly",
        Hazard.APPENDONLY,
        "yes",
        _one_of("yes"),
        "a restart of Redis forgets the state, and readers find nobody until all input has been read again",
        "CONFIG SET appendonly yes, then CONFIG REWRITE",
    ),
    Rule(
        "appendfsync",
        Hazard.APPENDFSYNC,
        "everysec or always",
        _one_of("everysec", "always"),
        "a power cut takes back half a minute of what readers and subscribers were told, not a second",
        "CONFIG SET appendfsync everysec, then CONFIG REWRITE",
    ),
    Rule(
        "no-appendfsync-on-rewrite",
        Hazard.APPENDFSYNC,
        "no",
        _one_of("no"),
        "a power cut while the file is rewritten takes back half a minute, not a second",
        "CONFIG SET no-appendfsync-on-rewrite no, then CONFIG REWRITE",
    ),
    Rule(
        "maxmemory-policy",
        Hazard.EVICTION,
        "noeviction",
        lambda value, _others: not value.startswith("allkeys-"),  # volatile-…: no key of ours expires
        "a full Redis throws customers away without a word",
        "CONFIG SET maxmemory-policy noeviction, then CONFIG REWRITE",
    ),
    Rule(
        CLOCK,
        None,
        f"within {_MAX_SKEW:g} s",
        lambda value, _others: abs(float(value.removesuffix(" s"))) <= _MAX_SKEW,
        "crossings come early or late by that much, and good events may be taken for events of the future",
        "Set both clocks by NTP",
    ),
)

KEPT_RULES = (
    Rule(
        "cleanup.policy",
        Hazard.COMPACTION,
        "delete",
        _one_of("delete"),
        "Kafka keeps only the latest message of each customer",
        _alter("cleanup.policy=delete"),
    ),
    Rule(
        "retention.ms",
        Hazard.RETENTION,
        "-1",
        _one_of("-1"),
        "what is older is gone: no state can be made anew from it, and a worker that comes late finds a gap",
        _alter("retention.ms=-1"),
    ),
    Rule(
        "retention.bytes",
        Hazard.RETENTION,
        "-1",
        _one_of("-1"),
        "what does not fit is gone: no state can be made anew from it, and a worker that comes late finds a gap",
        _alter("retention.bytes=-1"),
    ),
)
"""Of a topic of customers."""

COMPACTED_RULES = (
    Rule(
        "cleanup.policy",
        Hazard.RETENTION,
        "compact",
        _one_of("compact"),
        "versions of the definitions go with age, and a worker that finds none begins anew with its own file",
        _alter("cleanup.policy=compact"),
    ),
)
"""Of a topic of the whole installation; its retention means nothing."""

SAFETY_RULES = (
    Rule(
        "min.insync.replicas",
        Hazard.INSYNC,
        "2 or more",
        lambda value, others: int(value) > 1 or others.get(REPLICATION) == "1",
        "acks=all may mean one copy, and a broker that fails takes with it what it alone had acknowledged",
        _alter("min.insync.replicas=2"),
    ),
    Rule(
        "unclean.leader.election.enable",
        Hazard.UNCLEAN,
        "false",
        _one_of("false"),
        "a replica that lags may become the leader, and what it does not have is gone although it was acknowledged",
        _alter("unclean.leader.election.enable=false"),
    ),
    Rule(
        REPLICATION,
        None,
        "2 or more",
        lambda value, _others: int(value) > 1,
        "there is one copy, and it is gone when that broker's disk is",
        "Three brokers, and kafka-reassign-partitions.sh",
    ),
)


TOPIC_RULES = (*KEPT_RULES, *SAFETY_RULES)


def examine(rules: Collection[Rule], places: Mapping[str, Values]) -> list[Finding]:
    """What is not as it must be; places of the same fault share a finding.

    Args:
        rules: what each place is held to.
        places: name for people -> its settings; one that is missing there counts as unreadable.
    """
    found: dict[tuple[Rule, str | None], list[str]] = {}
    for rule in rules:
        for place, values in places.items():
            value = values.get(rule.setting)
            if value is None or not rule.holds(value, values):
                found.setdefault((rule, value), []).append(place)
    return [Finding(rule, value, tuple(where)) for (rule, value), where in found.items()]
