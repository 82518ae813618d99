"""One customer, as stored, against what the inputs and the changes say. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson

from schemas.instants import DAY, NEVER, Instant
from schemas.live import read_live
from streams.core.advance import advance
from streams.core.codec import pack, unpack
from streams.core.definitions import Definitions
from streams.core.errors import CoreError
from streams.core.profile import LONG_AGO, MAX_VISITS, VISITS_KEPT, Profile
from streams.core.step import newcomer, resume, settle
from streams.verify.changes import Since
from streams.verify.replay import ShardReplay
from streams.verify.report import Report

NEARLY_ALL_VISITS = MAX_VISITS - 20


@dataclass(slots=True)
class StoredCustomer:
    """What Redis holds of one customer, read at one instant."""

    profile: bytes | None
    live: bytes | None
    due: Instant | None
    members: frozenset[str]
    """The segments whose sets of members name the customer."""


def same(expected: Profile, found: Profile) -> bool:
    """Whether two profiles are one to every rule.

    A rule sees 90 days of visits; of what is older, and of what lies at the bounds of the profile, the order of arrival
    decides whether it is kept.
    """
    mine, theirs = visible(expected), visible(found)
    runs = min(len(mine.visits.runs), len(theirs.visits.runs))
    if max(len(mine.visits.runs), len(theirs.visits.runs)) > NEARLY_ALL_VISITS:
        for profile in (mine, theirs):
            profile.visits.runs = profile.visits.runs[-runs:] if runs else []
    return mine == theirs


def visible(profile: Profile) -> Profile:
    """The profile without visits so old that no rule can ask about them."""
    shown = unpack(profile.id, pack(profile))
    runs = shown.visits.runs
    shown.visits.runs = [run for run in runs if run[0] > runs[-1][1] - VISITS_KEPT + DAY]
    return shown


def check_offsets(
    shard: int, applied: Mapping[str, int], committed: Mapping[str, int], ends: Mapping[str, int], report: Report
) -> None:
    """Compare the applied offsets with those that the group committed before, and with what Kafka has by now."""
    for topic, offset in applied.items():
        report.looked("offsets")
        place = f"{topic}[{shard}]"
        if offset < committed.get(topic, 0):
            report.differ("offsets", place, "the group has committed more than is applied", committed[topic], offset)
        if offset > ends[topic]:
            report.differ("offsets", place, "more is applied than Kafka has", ends[topic], offset)


def check_outbox(shard: int, waiting: Sequence[int], report: Report, *, running: bool) -> None:
    """Nothing may wait that no worker will send. `waiting`: the sequences that Kafka does not have."""
    report.looked("outbox")
    if waiting and not running:
        what = f"{len(waiting)} changes wait to be sent; start a worker"
        report.differ("outbox", f"shard {shard}", what, [], list(waiting[:3]))


def check_committed(shard: int, committed: int, last: int, report: Report) -> None:
    """Whatever was committed must be in Kafka or in the outbox. `last`: the latest sequence that is."""
    if last < committed:
        what = "changes were committed that are neither in Kafka nor in the outbox"
        report.differ("sequences", f"shard {shard}", what, committed, last)


def stored_profile(profile_id: str, stored: StoredCustomer | None, report: Report) -> Profile | None:
    """The profile of a customer whose events are gone, so that it cannot be compared."""
    if stored is None or stored.profile is None:
        return None
    try:
        return unpack(profile_id, stored.profile)
    except CoreError as error:
        report.differ("profiles", profile_id, str(error))
        return None


def check_profile(
    profile_id: str, stored: StoredCustomer | None, replay: ShardReplay, report: Report
) -> Profile | None:
    """Compare the profile with the replay; gives the stored one."""
    report.looked("profiles")
    expected = replay.profiles.get(profile_id)
    if stored is None or stored.profile is None:
        if expected is not None:
            report.differ("profiles", profile_id, "there are events, and no profile", _parts(expected), None)
        elif stored is not None and (stored.live, stored.due, stored.members) != (None, None, frozenset()):
            report.differ("profiles", profile_id, "something is stored of somebody who has no profile")
        return None
    found = stored_profile(profile_id, stored, report)
    if found is None or (expected is not None and same(expected, found)):
        return found
    doubtful = replay.doubtful.get(profile_id)
    if doubtful:
        also = Profile(profile_id) if expected is None else unpack(profile_id, pack(expected))
        for event in doubtful:
            advance(also, event, replay.definitions.rates)
        if same(also, found):
            report.count("applied and in the dead letters", len(doubtful))
            return found
    if expected is None:
        report.differ("profiles", profile_id, "there is a profile, and no event", None, _parts(found))
    else:
        report.differ("profiles", profile_id, "the profile is another", *_unlike(expected, found))
    return found


def check_memberships(profile_id: str, stored: StoredCustomer, told: Since, report: Report) -> None:
    """Compare what subscribers were told with what readers are."""
    report.looked("memberships")
    live = {row.segment: row.since for row in read_live(profile_id, stored.live).segments}
    if live != told or stored.members != told.keys():
        found = {"live": live, "members": sorted(stored.members)}
        report.differ("memberships", profile_id, "subscribers and readers know different things", told, found)


def check_members(profile_id: str, stored: StoredCustomer, report: Report) -> None:
    """Compare the read model with the sets of members: all that can be done where changes are gone from Kafka."""
    report.looked("memberships")
    live = {row.segment for row in read_live(profile_id, stored.live).segments}
    if live != stored.members:
        report.differ(
            "memberships", profile_id, "readers are told different things", sorted(live), sorted(stored.members)
        )


def check_rules(
    profile_id: str, profile: Profile, stored: StoredCustomer, definitions: Definitions, report: Report
) -> None:
    """Compare the memberships with the rules' answers, and the due time with their `until`."""
    live: dict[str, Any] = orjson.loads(stored.live) if stored.live else {"v": definitions.version, "in": {}}
    if live["v"] != definitions.version:
        report.count("judged by another version of the definitions")
        return
    customer = newcomer(profile_id, definitions)
    customer.profile = profile
    customer.judge_all(definitions, max(profile.seen_at, live.get("at", LONG_AGO)))
    report.looked("rules")
    report.looked("dues")
    holds = {segment.key for segment, answer in zip(definitions.segments, customer.holds, strict=True) if answer}
    if holds != set(live["in"]):
        report.differ("rules", profile_id, "the rules say otherwise", sorted(holds), sorted(live["in"]))
        return
    due = customer.due
    if due < NEVER and (stored.due is None or stored.due > due):
        since = {key: row[0] for key, row in live["in"].items()}
        resumed = resume(profile, since, live.get("at", LONG_AGO), definitions)
        missed = settle(resumed, NEVER - 1 if stored.due is None else stored.due - 1, definitions)
        if missed:  # an `until` may be early: only a crossing that is found too late is a fault
            report.differ("dues", profile_id, "is due after a crossing, or never", missed[0].effective_at, stored.due)


def _parts(profile: Profile) -> dict[str, str]:
    """The parts of a profile that are not empty."""
    return _unlike(profile, Profile(profile.id))[0]


def _unlike(expected: Profile, found: Profile) -> tuple[dict[str, str], dict[str, str]]:
    """The parts of two profiles that differ."""
    names = [part.name for part in fields(Profile) if getattr(expected, part.name) != getattr(found, part.name)]
    return (
        {name: repr(getattr(expected, name)) for name in names},
        {name: repr(getattr(found, name)) for name in names},
    )
