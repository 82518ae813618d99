"""The fault suite's load: the same plan makes the same messages, and what it calls an event is one."""

from itertools import islice
from pathlib import Path

import msgspec
import orjson
import pytest

from schemas.errors import UndecodableError
from schemas.instants import DAY, rfc3339
from schemas.wire import decode
from streams.clock import wall_clock
from streams.core.admission import admit
from tests.faults.launcher import Page, event_time
from tests.faults.plan import HOT, Plan, messages
from tests.integration.system import definitions

PLAN = Plan(seed=3, seconds=2.0)


def test_a_seed_makes_the_same_messages_again_and_another_makes_others() -> None:
    assert list(messages(PLAN)) == list(messages(PLAN))
    assert list(messages(PLAN)) != list(messages(msgspec.structs.replace(PLAN, seed=4)))


def test_a_load_that_ends_early_is_the_beginning_of_the_whole() -> None:
    longer = msgspec.structs.replace(PLAN, seconds=60.0)
    assert list(islice(messages(longer), PLAN.messages)) == list(messages(PLAN))


def test_events_are_admitted_and_poison_is_not() -> None:
    rates, now, refused = definitions().rates, wall_clock(), 0
    for message in messages(msgspec.structs.replace(PLAN, poison=0.05)):
        try:
            event = decode(message.value, message.topic)
            admit(event, now, rates)
        except UndecodableError:
            assert not message.is_event
            refused += 1
        else:
            assert message.is_event
            assert PLAN.start <= event.occurred_at <= PLAN.end
    assert refused > 100


@pytest.mark.parametrize(
    ("field", "share"), [("duplicates", 0.05), ("late", 0.05), ("misplaced", 0.01), ("hot", 0.5), ("poison", 0.05)]
)
def test_shares_are_as_asked_for(field: str, share: float) -> None:
    without = {"duplicates": 0.0, "late": 0.0, "misplaced": 0.0, "poison": 0.0, "hot": 0.0}
    plan = msgspec.structs.replace(Plan(seed=1, seconds=5.0), **(without | {field: share}))
    sent = list(messages(plan))
    bodies = [orjson.loads(message.value) for message in sent if message.is_event]
    found = {
        "duplicates": len(sent) - len({message.value for message in sent}),
        "late": sum(body["occurred_at"] < rfc3339(plan.at(number)) for number, body in enumerate(bodies)),
        "misplaced": sum(message.key.startswith("k") for message in sent),
        "hot": sum(body.get("customer_id") == HOT for body in bodies),
        "poison": sum(not message.is_event for message in sent),
    }
    assert 0.8 * share < found[field] / len(sent) < 1.2 * share


def test_a_plan_lasts_for_months_of_event_time() -> None:
    assert PLAN.end - PLAN.start > 30 * DAY


def test_the_clock_of_a_plan_stands_still_runs_and_stops(tmp_path: Path) -> None:
    page = Page(tmp_path / "page")
    assert event_time(PLAN, page, 10**15) == PLAN.start
    page.begin = 10**15
    assert event_time(PLAN, page, 10**15 - 5) == PLAN.start
    assert event_time(PLAN, page, 10**15 + 1_000_000) == PLAN.at(PLAN.rate)
    assert event_time(PLAN, page, 2 * 10**15) == PLAN.end
    page.end = PLAN.start + 7
    assert event_time(PLAN, page, 2 * 10**15) == PLAN.start + 7
