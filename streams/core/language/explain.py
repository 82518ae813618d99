"""The evidence for a verdict: each clause of the rule with its value, its threshold, its truth and its until."""

from functools import lru_cache
from typing import Any

from schemas.instants import DAY, HOUR, MINUTE, NEVER, SECOND, Duration, Instant, rfc3339
from streams.core.language.rule import Clause, Rule
from streams.core.language.terms import Kind, Literal
from streams.core.money import digits_of, to_text
from streams.core.profile import Profile

_MAX_YEAR_9999: Instant = 253_402_300_799_000_000


def explain(rule: Rule, profile: Profile, now: Instant, currency: str) -> list[dict[str, Any]]:
    """Every clause as it stands at `now`, from left to right; the fields of `schemas.transitions.Evidence`."""
    found = rule.find(profile, now)
    return [_row(clause, finding, currency) for clause, finding in zip(rule.clauses, found, strict=True)]


def instant_text(instant: Instant | None) -> str | None:
    """RFC 3339, or None where there is none or it lies beyond what a date can say."""
    return None if instant is None or instant > _MAX_YEAR_9999 else rfc3339(instant)


def duration_text(duration: Duration) -> str:
    """A duration for people: "92d 3h".

    >>> duration_text(2 * DAY + 5 * HOUR)
    '2d 5h'
    """
    if duration < 0:
        return "-" + duration_text(-duration)
    days, rest = divmod(duration, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    parts = [f"{days}d"] if days else []
    if hours:
        parts.append(f"{hours}h")
    if minutes:
        parts.append(f"{minutes}m")
    if rest or not parts:
        parts.append(f"{rest / SECOND:g}s")
    return " ".join(parts)


def _row(clause: Clause, finding: tuple[bool, Instant, Any, Any], currency: str) -> dict[str, Any]:
    holds, until, value, limit = finding
    threshold = clause.threshold
    if isinstance(threshold, Literal):
        limit = _shown_literal(threshold, currency)
    elif threshold is not None:
        limit = _shown(threshold.kind, limit, currency)
    return {
        "clause": clause.text,
        "value": _shown(clause.term.kind, value, currency),
        "threshold": limit,
        "holds": holds,
        "until": None if until >= NEVER else instant_text(until),
    }


@lru_cache(maxsize=4_096)  # a rule's literals are few, and stand in every piece of evidence
def _shown_literal(term: Literal, currency: str) -> Any:
    return _shown(term.kind, term.value, currency)


def _shown(kind: Kind, value: Any, currency: str) -> Any:
    """A value as a person or a program reads it."""
    if value is None:
        return None
    if kind is Kind.NUMBER:
        return value
    if kind is Kind.INSTANT:
        return instant_text(value)
    if kind is Kind.DURATION:
        return duration_text(value)
    if kind is Kind.MONEY:
        return to_text(value, currency) if isinstance(value, int) else f"{value / 10 ** digits_of(currency):.2f}"
    return value
