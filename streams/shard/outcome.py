"""What a batch comes to: gathers what changed, customer by customer, and makes one commit of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas.instants import NEVER, Instant, rfc3339
from schemas.names import ANONYMOUS
from schemas.transitions import cloud_event_headers
from streams.core.changes import change_json
from streams.core.codec import pack
from streams.core.definitions import Definitions
from streams.core.profile import LONG_AGO
from streams.core.step import Transition
from streams.shard.customers import Entry, live_json
from streams.state.port import Commit, Outgoing


@dataclass
class Outcome:
    """The changes of one batch, before they are committed."""

    shard: int
    definitions: Definitions
    sequence: int
    """Of the latest transition; counts up."""
    emitted_at: Instant
    settled_to: Instant = LONG_AGO
    """Up to when the customers were settled; a due time up to then has been looked at, whatever came of it."""
    touched: dict[str, Entry] = field(default_factory=dict)
    moved: dict[str, set[str]] = field(default_factory=dict)
    """Customer -> segments that were entered or left."""
    outbox: list[Outgoing] = field(default_factory=list)
    in_passing: bool = False
    """Of a sweep: the profiles are as they are stored, and nobody in it is kept in memory."""

    def add(self, profile_id: str, transitions: Iterable[Transition]) -> None:
        """Transitions of one customer, in order."""
        subject = profile_id.removeprefix(ANONYMOUS)
        key, moved = subject.encode(), self.moved.setdefault(profile_id, set())
        for transition in transitions:
            self.sequence = sequence = self.sequence + 1
            body = change_json(transition, profile_id, self.definitions, self.shard, sequence, self.emitted_at)
            at = rfc3339(transition.effective_at)
            headers = cloud_event_headers(f"{self.shard}-{sequence}", transition.direction, at, subject)
            self.outbox.append(Outgoing(sequence, key, body.encode(), headers))
            moved.add(transition.segment.key)

    def write_to(self, commit: Commit) -> None:
        """Put everything into a commit; the entries then know what is stored."""
        profiles, settled_to = commit.profiles, self.settled_to
        for profile_id, entry in self.touched.items():
            customer, stored_due = entry.customer, entry.stored_due
            if not self.in_passing:
                profiles[profile_id] = pack(customer.profile)
            if stored_due > customer.due or stored_due <= customer.as_of or stored_due <= settled_to:
                self._write_due(profile_id, entry, commit)
            elif profile_id in self.moved or (customer.nearer and self._earlier(entry)):
                commit.lives[profile_id] = live_json(entry, self.definitions)
            customer.nearer = False
        for profile_id, segments in self.moved.items():
            since = self.touched[profile_id].customer.since
            for key in sorted(segments):
                if key in since:
                    commit.entered.setdefault(key, []).append(profile_id)
                else:
                    commit.exited.setdefault(key, []).append(profile_id)
        commit.outbox = self.outbox
        commit.sequence = (commit.sequence[0], self.sequence)

    def _write_due(self, profile_id: str, entry: Entry, commit: Commit) -> None:
        """A due time is written when it moves nearer, or has passed; one that moves away is left to be found early.

        So a visitor's every click, which moves the end of a 30-day window, writes neither due time nor read model.
        """
        entry.stored_due = entry.customer.due
        commit.dues[profile_id] = None if entry.stored_due >= NEVER else entry.stored_due
        commit.lives[profile_id] = live_json(entry, self.definitions)

    def _earlier(self, entry: Entry) -> bool:
        """Whether a membership ends earlier than readers were told."""
        untils, positions, shown = entry.customer.untils, self.definitions.positions, entry.shown
        for key in entry.customer.since:  # noqa: SIM110 # a generator costs more than all the rest
            if untils[positions[key]] < shown.get(key, NEVER):
                return True
        return False
