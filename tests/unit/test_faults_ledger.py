"""The fault suite's own parts: its ledger sees what it must see, and takes at-least-once for what it is."""

from typing import Any

import orjson
import pytest

from tests.faults.checks import differences
from tests.faults.ledger import Ledger


def change(sequence: int, who: str = "ann", **other: Any) -> bytes:
    """A change of shard 0: somebody enters `vip`."""
    body = {
        "type": "segment.entered",
        "segment": "vip",
        "customer_id": who,
        "anonymous_id": None,
        "cause": {"kind": "event"},
        "shard": 0,
        "sequence": sequence,
    }
    return orjson.dumps(body | other)


def fed(*changes: bytes) -> Ledger:
    """A ledger that took these changes of partition 0."""
    ledger = Ledger()
    for number, value in enumerate(changes):
        ledger.take(0, value, float(number))
    return ledger


def test_what_comes_again_is_dropped_and_counted() -> None:
    ledger = fed(change(1), change(2, "bob"), change(1), change(2, "bob"), change(3, "eve"))
    assert ledger.inside == {"vip": {"ann", "bob", "eve"}}
    assert (ledger.changes, ledger.repeated, ledger.faults) == (3, 2, [])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([change(1), change(3, "bob")], "shard 0: 1 is followed by 3"),
        ([change(2)], "shard 0: 0 is followed by 2"),
        ([change(1), change(1, "bob")], "shard 0: sequence 1 came again with another content"),
        ([change(1), change(2)], "ann enters vip twice (shard 0 sequence 2, cause event)"),
        ([change(1, type="segment.exited")], "ann leaves vip twice (shard 0 sequence 1, cause event)"),
        ([change(1, shard=3)], "shard 3 writes to partition 0"),
    ],
)
def test_what_must_not_be_is_a_fault(changes: list[bytes], fault: str) -> None:
    assert fed(*changes).faults == [fault]


def test_shards_have_sequences_of_their_own() -> None:
    ledger = fed(change(1))
    ledger.take(1, change(1, "bob", shard=1), 1.0)
    assert ledger.faults == []
    assert ledger.latest == {0: 1, 1: 1}


def test_an_anonymous_visitor_is_not_the_customer_of_the_same_id() -> None:
    ledger = fed(change(1), change(2, customer_id=None, anonymous_id="ann"))
    assert ledger.inside == {"vip": {"ann", "anonymous:ann"}}


def test_the_longest_gap_is_between_two_changes_or_an_end_of_the_load() -> None:
    ledger = Ledger()
    for sequence, at in enumerate((1.0, 2.0, 5.0), start=1):
        ledger.take(0, change(sequence, f"c{sequence}"), at)
    assert ledger.longest_gap(0.5, 6.0) == 3.0
    assert ledger.longest_gap(0.5, 10.0) == 5.0
    assert ledger.longest_gap(4.0, 4.5) == 0.5


def test_a_shard_may_be_silent_longer_than_the_whole_stream() -> None:
    ledger = Ledger()
    for sequence, at in enumerate((1.0, 2.0, 3.0, 4.0), start=1):
        ledger.take(0, change(sequence, f"c{sequence}"), at)
    ledger.take(1, change(1, shard=1), 1.5)
    assert ledger.longest_gap(1.0, 4.0) == 1.0
    assert ledger.longest_silence(1.0, 4.0) == 2.5


def test_differences_name_who_lacks_what() -> None:
    right = {"vip": {"ann", "bob"}, "lapsed": set[str]()}
    assert differences("Redis", right, {"vip": {"bob", "ann"}}) == (0, [])
    count, said = differences("Redis", right, {"vip": {"ann"}, "lapsed": {"eve"}})
    assert count == 2
    assert said == ["Redis has eve in lapsed", "Redis lacks bob in vip", "Redis: 2 differences"]


def test_the_most_sequences_that_are_left_out_in_a_row_are_counted() -> None:
    assert fed(change(1), change(2, "bob")).skipped == 0
    assert fed(change(1), change(3, "bob"), change(7, "eve"), change(9, "dan")).skipped == 3
