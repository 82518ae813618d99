"""The change stream of a shard: no sequence missing, nothing said twice in different words, and what it adds up to."""

from array import array
from collections.abc import Callable
from typing import Any

import orjson

from schemas.instants import Instant, parse_rfc3339
from schemas.names import ANONYMOUS
from streams.verify.replay import digest
from streams.verify.report import Report

Since = dict[str, Instant]
"""Segments that a customer is in -> when they were entered."""


class ChangeFold:
    """The fold of one shard's changes. Feed them in the order in which they stand in Kafka, then the outbox."""

    def __init__(self, bound: Callable[[str], int | None], report: Report, *, whole: bool = True) -> None:
        """Nothing was said yet.

        Args:
            bound: up to which sequence the changes of a customer count; None: the customer is not looked at.
            report: takes what differs.
            whole: Kafka still has the first change. Else what somebody was in before the first one seen is not known.
        """
        self._bound = bound
        self._report = report
        self.whole = whole
        self._gone = 0
        """Changes before the first that Kafka has."""
        self._said = array("Q")
        self._now: dict[str, Since] = {}
        self.memberships: dict[str, Since] = {}
        """By customer, by the changes that count."""

    @property
    def last(self) -> int:
        """The latest sequence."""
        return self._gone + len(self._said)

    def feed(self, value: bytes, place: str) -> None:
        """One change."""
        body = orjson.loads(value)
        sequence = body["sequence"]
        content = digest(orjson.dumps({**body, "emitted_at": None}, option=orjson.OPT_SORT_KEYS))
        self._report.looked("sequences")
        if not self.whole and not self._said:
            self._gone = sequence - 1
        if sequence <= self.last:
            self._report.count("changes repeated")
            if sequence > self._gone and self._said[sequence - self._gone - 1] != content:
                self._report.differ("sequences", place, f"sequence {sequence} came again and says something else")
            return
        if sequence != self.last + 1:
            self._report.differ("sequences", place, "sequences are missing before it", self.last + 1, sequence)
            self._said.extend([0] * (sequence - 1 - self.last))
        self._said.append(content)
        self._fold(body, sequence, place)

    def _fold(self, body: dict[str, Any], sequence: int, place: str) -> None:
        customer, segment = body["customer_id"] or f"{ANONYMOUS}{body['anonymous_id']}", body["segment"]
        entered, at = body["type"] == "segment.entered", parse_rfc3339(body["effective_at"])
        before = self._now.get(customer, {}) if self.whole or customer in self._now else _before(body, at)
        self._report.looked("changes")
        if entered == (segment in before):
            verb = "enters" if entered else "leaves"
            what = f"{verb} {segment} and is {'already' if entered else 'not'} in it ({place})"
            self._report.differ("changes", customer, what, sorted(before), sequence)
        after = {key: since for key, since in before.items() if key != segment}
        if entered:
            after[segment] = at
        if sorted(after) != body["memberships"]:
            what = f"sequence {sequence} names other memberships than the changes add up to"
            self._report.differ("changes", customer, what, sorted(after), body["memberships"])
        self._now[customer] = after
        bound = self._bound(customer)
        if bound is not None and sequence <= bound:
            self.memberships[customer] = after


def _before(body: dict[str, Any], at: Instant) -> Since:
    """The memberships before the first change of a customer that Kafka still has; since when is not known."""
    inside, segment = set(body["memberships"]), body["segment"]
    return dict.fromkeys(inside - {segment} if body["type"] == "segment.entered" else inside | {segment}, at)
