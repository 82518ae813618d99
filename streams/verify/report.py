"""What verify found: named checks, how much each looked at, and the first differences with both sides."""

from dataclasses import dataclass, field
from typing import Any

SHOWN = 10
"""Differences of one check that are kept; all are counted."""

CHECKS = {
    "inputs": "every input record that was read is applied, in the dead letters, or forwarded to its customer's shard",
    "profiles": "the stored profiles are those that the pure core makes of the inputs",
    "sequences": "the sequences of segment-changes have no gap, and what came twice says the same",
    "changes": "nobody enters a segment that they are in, or leaves one that they are not in",
    "memberships": "the changes folded, the live read model and the sets of members agree",
    "rules": "the memberships are what the rules say of the profile as of when the customer was last settled",
    "dues": "whoever crosses some day is due by then",
    "offsets": "the applied offsets are not behind the group's, nor beyond the end of their topic",
    "outbox": "nothing waits to be sent while no worker runs",
}
"""Name of a check -> what holds when it passes."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be."""

    where: str
    """The customer; else the record or the shard."""
    what: str
    """One sentence."""
    expected: Any = None
    found: Any = None


@dataclass
class Check:
    """One check and what came of it."""

    name: str
    checked: int = 0
    """Records, changes, customers or partitions that were looked at."""
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    """The first of them."""

    @property
    def ok(self) -> bool:
        """Nothing differed."""
        return self.differing == 0


@dataclass
class Report:
    """All checks, and figures about what was read."""

    checks: dict[str, Check] = field(default_factory=lambda: {name: Check(name) for name in CHECKS})
    figures: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What could not be compared, and why."""

    @property
    def ok(self) -> bool:
        """Every check passed."""
        return all(check.ok for check in self.checks.values())

    def looked(self, name: str, count: int = 1) -> None:
        """So many more were looked at."""
        self.checks[name].checked += count

    def differ(self, name: str, where: str, what: str, expected: Any = None, found: Any = None) -> None:
        """One more differs."""
        check = self.checks[name]
        check.differing += 1
        if len(check.differences) < SHOWN:
            check.differences.append(Difference(where, what, expected, found))

    def count(self, figure: str, number: int = 1) -> None:
        """Add to a figure."""
        self.figures[figure] = self.figures.get(figure, 0) + number

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "ok": self.ok,
            "checks": {
                name: {
                    "ok": check.ok,
                    "says": CHECKS[name],
                    "checked": check.checked,
                    "differing": check.differing,
                    "differences": [vars(difference) for difference in check.differences],
                }
                for name, check in self.checks.items()
            },
            "figures": self.figures,
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """The differences, for a person or a test that failed."""
        found = [f"{name}: {check.differing} differ" for name, check in self.checks.items() if not check.ok]
        found += [
            f"{name}: {one.where}: {one.what}; expected {one.expected!r}, found {one.found!r}"
            for name, check in self.checks.items()
            for one in check.differences
        ]
        return found
