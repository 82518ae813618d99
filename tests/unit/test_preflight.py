"""The settings that the promise rests on: which are refused, which are told of, and what is said."""

import logging
from pathlib import Path

import pytest

from streams.kafka.topics import configuration
from streams.preflight.check import UnsafeError, refuse_unsafe
from streams.preflight.rules import CLOCK, REDIS_RULES, REPLICATION, TOPIC_RULES, Finding, Hazard, examine
from streams.settings import Settings

SAFE_REDIS: dict[str, str | None] = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
    CLOCK: "+0.0 s",
}
SAFE_TOPIC: dict[str, str | None] = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    REPLICATION: "3",
}


def of_redis(**changes: str | None) -> list[Finding]:
    """What is found on a safe Redis with some settings changed."""
    return examine(
        REDIS_RULES, {"Redis": SAFE_REDIS | {key.replace("_", "-"): value for key, value in changes.items()}}
    )


def of_topic(**changes: str | None) -> list[Finding]:
    """What is found on a safe topic with some settings changed."""
    named = {key.replace("_", "."): value for key, value in changes.items()}
    return examine(TOPIC_RULES, {"topic orders": SAFE_TOPIC | named})


def test_safe_settings_are_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    found = of_redis() + of_topic()
    assert found == []
    refuse_unsafe(found, ())
    assert caplog.records == []


def test_every_rule_is_tried_here() -> None:
    assert {rule.setting for rule in REDIS_RULES} == SAFE_REDIS.keys()
    assert {rule.setting for rule in TOPIC_RULES} == SAFE_TOPIC.keys()


@pytest.mark.parametrize(
    ("setting", "value", "hazard"),
    [
        ("appendonly", "no", Hazard.APPENDONLY),
        ("appendfsync", "no", Hazard.APPENDFSYNC),
        ("appendfsync", "always", None),
        ("no_appendfsync_on_rewrite", "yes", Hazard.APPENDFSYNC),
        ("maxmemory_policy", "allkeys-lru", Hazard.EVICTION),
        ("maxmemory_policy", "allkeys-random", Hazard.EVICTION),
        ("maxmemory_policy", "volatile-lru", None),
        ("cleanup_policy", "compact", Hazard.COMPACTION),
        ("cleanup_policy", "compact,delete", Hazard.COMPACTION),
        ("retention_ms", "604800000", Hazard.RETENTION),
        ("retention_bytes", "1073741824", Hazard.RETENTION),
        ("min_insync_replicas", "1", Hazard.INSYNC),
        ("min_insync_replicas", "3", None),
        ("unclean_leader_election_enable", "true", Hazard.UNCLEAN),
    ],
)
def test_a_setting_that_breaks_the_promise_is_refused_unless_it_is_accepted(
    setting: str, value: str, hazard: Hazard | None
) -> None:
    place = of_redis if setting.replace("_", "-") in SAFE_REDIS else of_topic
    found = place(**{setting: value})
    if hazard is None:
        assert found == []
        return
    (finding,) = found
    assert finding.rule.hazard is hazard
    with pytest.raises(UnsafeError) as refusal:
        refuse_unsafe(found, set(Hazard) - {hazard})
    for told in (finding.places[0], finding.rule.setting, value, finding.rule.must, f"SEGMENTS_ALLOW_UNSAFE={hazard}"):
        assert told in str(refusal.value)
    refuse_unsafe(found, {hazard})


def test_a_single_broker_is_told_of_and_needs_no_second_copy() -> None:
    found = examine(TOPIC_RULES, {"topic orders": SAFE_TOPIC | {REPLICATION: "1", "min.insync.replicas": "1"}})
    assert [finding.rule.setting for finding in found] == [REPLICATION]
    refuse_unsafe(found, ())


@pytest.mark.parametrize(("ahead", "count"), [("+0.9 s", 0), ("-1.0 s", 0), ("+3600.0 s", 1), ("-3600.0 s", 1)])
def test_a_clock_that_is_off_is_told_of_and_refused_by_nobody(ahead: str, count: int) -> None:
    found = examine(REDIS_RULES, {"Redis": SAFE_REDIS | {CLOCK: ahead}})
    assert len(found) == count
    refuse_unsafe(found, ())


@pytest.mark.parametrize("setting", ["appendfsync", "maxmemory_policy", "retention_ms", "min_insync_replicas"])
def test_what_cannot_be_read_is_told_of_by_name_and_not_refused(setting: str, caplog: pytest.LogCaptureFixture) -> None:
    place = of_redis if setting.replace("_", "-") in SAFE_REDIS else of_topic
    found = place(**{setting: None})
    refuse_unsafe(found, ())
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"{found[0].rule.setting} could not be read" in record.getMessage()


def test_what_is_accepted_is_told_of_at_every_start(caplog: pytest.LogCaptureFixture) -> None:
    refuse_unsafe(of_redis(appendonly="no"), {Hazard.APPENDONLY})
    assert "accepted, appendonly: Redis: appendonly is no" in caplog.text


def test_all_that_is_refused_stands_in_one_message_and_topics_of_one_fault_in_one_line() -> None:
    short = SAFE_TOPIC | {"retention.ms": "1000"}
    found = examine(TOPIC_RULES, {"topic orders": short, "topic rerouted": short, "topic site-events": SAFE_TOPIC})
    with pytest.raises(UnsafeError) as refusal:
        refuse_unsafe(of_redis(appendonly="no") + found, ())
    text = str(refusal.value)
    assert "topic orders, topic rerouted: retention.ms is 1000" in text
    assert "site-events" not in text
    assert text.endswith("SEGMENTS_ALLOW_UNSAFE=appendonly,retention")


@pytest.mark.parametrize("replication", [1, 2, 3])
def test_the_topics_that_we_create_are_not_refused(replication: int) -> None:
    broker: dict[str, str | None] = {"min.insync.replicas": "1", "unclean.leader.election.enable": "false"}
    values = broker | configuration("orders", replication) | {REPLICATION: str(replication)}
    refuse_unsafe(examine(TOPIC_RULES, {"topic orders": values}), ())


@pytest.mark.parametrize(
    ("text", "accepted"),
    [("", set()), ("gap", {Hazard.GAP}), ("appendonly, retention,", {Hazard.APPENDONLY, Hazard.RETENTION})],
)
def test_hazards_are_accepted_by_their_names(text: str, accepted: set[Hazard], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTS_ALLOW_UNSAFE", text)
    assert Settings().allow_unsafe == accepted


def test_a_hazard_that_does_not_exist_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENTS_ALLOW_UNSAFE", "appendonly,everything")
    with pytest.raises(ValueError, match="there is no 'everything'; there are appendonly, appendfsync"):
        Settings()


def test_the_page_of_guarantees_names_every_setting_and_every_word() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guarantees.md").read_text()
    table = page.partition("## Settings that it rests on")[2]
    for rule in (*REDIS_RULES, *TOPIC_RULES):
        assert (rule.setting if rule.hazard else "a warning") in table
    for hazard in Hazard:
        assert f"| `{hazard}` |" in table
