"""Features: what customers are compared by. Each is a term of the rule language, read by the core itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schemas.instants import DAY, HOUR, MINUTE, Duration, Instant
from streams.core.errors import Fault, RuleError
from streams.core.language.catalogue import FIELDS, MAX_LAST, SERIES
from streams.core.language.parse import parse_rule
from streams.core.language.rule import Rule
from streams.core.language.terms import Count, Kind, Term
from streams.core.profile import Profile

_WINDOWS = (30 * DAY, 90 * DAY)
_LONGEST = 100_000 * DAY
"""No rule can ask for a longer duration."""
_STEPS = ((2 * DAY, DAY), (2 * HOUR, HOUR), (0, MINUTE))
"""(from which age, rounded down to what): a threshold among such values is a whole number of something, and exact."""
_ZERO = {Kind.DURATION: " >= days(0)", Kind.TRUTH: ""}


@dataclass(frozen=True)
class Feature:
    """One thing that customers differ in."""

    text: str
    """As a rule writes it."""
    kind: Kind
    """`DURATION`, `MONEY`, `NUMBER` or `TRUTH`."""
    term: Term

    def value(self, profile: Profile, now: Instant) -> float | None:
        """What it is for a customer: microseconds in `_STEPS`, minor units, a number, 1 or 0; None: missing."""
        found = self.term.read(profile, now)
        if self.kind is Kind.TRUTH:
            return float(bool(found))
        if found is None:
            return None
        if self.kind is Kind.DURATION:
            return float(_in_steps(min(found, _LONGEST)))
        return float(min(found, self.term.most) if isinstance(self.term, Count) else found)


def features() -> list[Feature]:
    """All that the catalogue offers, in its order: fields, how often, and the mean of what is no money.

    Texts and attributes are left out: they have no more and less. So are predictions, which need parameters.
    """
    return [_feature(text, kind) for text, kind in _texts()]


def _texts() -> Iterator[tuple[str, Kind]]:
    for name, entry in FIELDS.items():
        if entry.kind is Kind.INSTANT:
            yield f"since({name})", Kind.DURATION
        elif entry.kind in {Kind.NUMBER, Kind.MONEY, Kind.TRUTH}:
            yield name, entry.kind
    for name, series in SERIES.items():
        windows = [window // DAY for window in _WINDOWS if window <= series.max_window]
        yield from ((f"count({name}, within=days({days}))", Kind.NUMBER) for days in windows)
        for value, kind in series.values.items():
            if kind is Kind.NUMBER and windows:
                yield f"mean({name}.{value}, last={MAX_LAST}, within=days({windows[-1]}))", Kind.NUMBER


def _feature(text: str, kind: Kind) -> Feature:
    """Its term, as a rule that compares it with nothing much has it."""
    (clause,) = parse_rule(text + _ZERO.get(kind, " >= 0"), _no_other).clauses
    return Feature(text, kind, clause.term)


def _no_other(key: str) -> Rule:
    raise RuleError(Fault(0, f"no segment '{key}' here"))


def _in_steps(age: Duration) -> Duration:
    step = next(step for least, step in _STEPS if age >= least)
    return age - age % step


def judged_at(profile: Profile, now: Instant) -> Instant:
    """The instant at which a customer is looked at: `now`, and never before what is already known of them."""
    return max(now, profile.seen_at)


def rows_of(profiles: Iterable[Profile], of: list[Feature], now: Instant) -> list[list[float | None]]:
    """The features of each customer."""
    return [[feature.value(profile, judged_at(profile, now)) for feature in of] for profile in profiles]
