"""What the inputs of a shard come to by the pure core alone, each customer up to the offsets that were read of them."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from schemas.errors import UndecodableError
from schemas.events import AnyEvent
from schemas.placement import shard_of
from schemas.wire import decode
from streams.core.admission import profile_id_of
from streams.core.advance import advance
from streams.core.definitions import Definitions
from streams.core.profile import Profile
from streams.verify.report import Report

Offsets = Mapping[str, int]
"""Input topic -> the offset after the last record that counts."""


def digest(value: bytes) -> int:
    """64 bits that stand for a message: equal for equal bytes, and for others once in many millions of millions."""
    return int.from_bytes(blake2b(value, digest_size=8).digest(), "little")


@dataclass
class Forwards:
    """Events that were read on another shard than their customer's: what must be, and what is, on `rerouted`."""

    wanted: dict[int, str] = field(default_factory=dict)
    """Digest of an event and its home -> where it was read."""
    seen: set[int] = field(default_factory=set)

    @staticmethod
    def sign(home: int, value: bytes) -> int:
        """An event in the partition of a shard."""
        return digest(value) ^ home

    def missing(self) -> dict[int, str]:
        """What was read and is not on `rerouted`."""
        return {sign: place for sign, place in self.wanted.items() if sign not in self.seen}


@dataclass
class ShardReplay:
    """The replay of one shard. Feed every record of its inputs, topic by topic in order of offsets."""

    shard: int
    shards: int
    definitions: Definitions
    bound: Callable[[str], Offsets | None]
    """How far the inputs of a customer count; None: the customer is not looked at."""
    applied: Offsets
    """How far every record must have come to something."""
    refused: Mapping[tuple[str, int], Any]
    """(topic, offset) -> the dead letter."""
    forwards: Forwards
    report: Report
    all_letters: bool = True
    """Kafka still has every dead letter."""
    profiles: dict[str, Profile] = field(default_factory=dict)
    doubtful: dict[str, list[AnyEvent]] = field(default_factory=dict)
    """Customer -> events that are dead letters although they can be read now. A crash between letter and commit, and a
    clock or a rate that changed in between, may have let them in at second sight: both is right."""

    def feed(self, topic: str, offset: int, value: bytes | None) -> None:
        """One input record."""
        raw, place = value or b"", f"{topic}[{self.shard}] offset {offset}"
        must = offset < self.applied[topic]
        if must:
            self.report.looked("inputs")
        letter = self.refused.get((topic, offset))
        try:
            event = decode(raw, topic)
            profile_id = profile_id_of(event)
        except UndecodableError as refusal:
            if letter is None and must and self.all_letters:
                self.report.differ("inputs", place, f"neither applied nor a dead letter ({refusal.reason})")
            elif letter is not None:
                self._letter(letter, raw, place)
            return
        home = shard_of(profile_id, self.shards)
        if letter is not None:
            self._letter(letter, raw, place)
            if home == self.shard and self._counts(profile_id, topic, offset):
                self.doubtful.setdefault(profile_id, []).append(event)
        elif home != self.shard:
            if must:
                self.report.count("forwarded")
                self.forwards.wanted[Forwards.sign(home, raw)] = place
        elif self._counts(profile_id, topic, offset):
            self._apply(profile_id, event, place)

    def _counts(self, profile_id: str, topic: str, offset: int) -> bool:
        bound = self.bound(profile_id)
        return bound is not None and offset < bound[topic]

    def _apply(self, profile_id: str, event: AnyEvent, place: str) -> None:
        profile = self.profiles.get(profile_id)
        if profile is None:
            profile = self.profiles[profile_id] = Profile(profile_id)
        try:
            advance(profile, event, self.definitions.rates)
        except UndecodableError as refusal:
            self.report.differ("inputs", place, f"neither applied nor a dead letter ({refusal.reason})")

    def _letter(self, letter: Any, raw: bytes, place: str) -> None:
        self.report.count("dead letters")
        if letter["complete"] and letter["raw_base64"] != b64encode(raw).decode():
            self.report.differ("inputs", place, "its dead letter holds other bytes", len(raw), letter["size"])
