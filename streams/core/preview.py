"""Preview: who would join and who would leave each segment, if other definitions were in force. Pure."""

from bisect import insort
from dataclasses import dataclass, field
from typing import Literal

from schemas.instants import Instant
from streams.core.definitions import Definitions, Segment
from streams.core.profile import Profile

Edit = Literal["same", "changed", "new", "removed"]


@dataclass
class Moving:
    """Customers on one side of a change: how many, and the first few by id."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, customer: str, most: int) -> None:
        """One more; at most so many are named."""
        self.count += 1
        insort(self.examples, customer)
        del self.examples[most:]


@dataclass
class SegmentPreview:
    """What becomes of one segment."""

    edit: Edit
    now: int = 0
    """Members by the definitions in force."""
    joining: Moving = field(default_factory=Moving)
    leaving: Moving = field(default_factory=Moving)

    @property
    def then(self) -> int:
        """Members by the other definitions."""
        return self.now + self.joining.count - self.leaving.count


class Preview:
    """The difference that definitions make, customer by customer."""

    def __init__(self, current: Definitions, other: Definitions, examples: int) -> None:
        """Between the definitions in force and others; so many customers are named on each side of a change."""
        self._examples = examples
        before = {segment.key: segment for segment in current.segments}
        after = {segment.key: segment for segment in other.segments}
        keys = [*before, *(key for key in after if key not in before)]
        self._pairs = [(key, before.get(key), after.get(key)) for key in keys]
        self.segments = {key: SegmentPreview(edit_of(old, new)) for key, old, new in self._pairs}
        self.customers = 0

    def look(self, profile: Profile, now: Instant) -> None:
        """Judge one customer by both, at one instant: crossings that are merely due are nobody's change."""
        at = max(now, profile.seen_at)
        self.customers += 1
        for key, old, new in self._pairs:
            found = self.segments[key]
            inside = old is not None and old.judge(profile, at)[0]
            found.now += inside
            if found.edit == "same":
                continue
            if (new is not None and new.judge(profile, at)[0]) != inside:
                (found.leaving if inside else found.joining).add(profile.id, self._examples)


def edit_of(old: Segment | None, new: Segment | None) -> Edit:
    """What was done to a definition. One that refers to other segments may mean something else with the same words."""
    if old is None or new is None:
        return "new" if old is None else "removed"
    same = " ".join(old.when.split()) == " ".join(new.when.split()) and "segment(" not in old.when
    return "same" if same else "changed"
