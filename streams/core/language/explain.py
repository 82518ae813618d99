"""The evidence for a verdict: each clause of the rule with its value, its threshold, its truth and its until."""

from functools import lru_cache
from typing import Any

import msgspec

from schemas.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant, rfc3339
from streams.core.language.rule import Clause, Findings, Rule
from streams.core.language.terms import Kind, Literal
from streams.core.money import digits_of, to_text
from streams.core.profile import Profile

_MAX_YEAR_9999: Instant = 253_402_300_799_000_000
_TRUTHS = ("false", "true")
_encode = msgspec.json.Encoder().encode


def explain(rule: Rule, profile: Profile, now: Instant, currency: str) -> list[dict[str, Any]]:
    """Every clause as it stands at `now`, from left to right; the fields of `schemas.transitions.Evidence`."""
    rows: list[dict[str, Any]] = msgspec.json.decode(evidence_json(rule, rule.find(profile, now), currency))
    return rows


def evidence_json(rule: Rule, findings: Findings, currency: str) -> str:
    """What was found of each clause, as JSON."""
    rows = [
        f'{{"clause":{clause},"value":{_shown(kind, value, currency)},'
        f'"threshold":{_shown(limit_kind, limit, currency) if threshold is None else threshold},'
        f'"holds":{_TRUTHS[holds]},"until":{instant_json(until)}}}'
        for (clause, kind, threshold, limit_kind), (holds, until, value, limit) in zip(
            _templates(rule, currency), findings, strict=True
        )
    ]
    return f"[{','.join(rows)}]"


@lru_cache(maxsize=4_096)  # of each rule in force, once
def _templates(rule: Rule, currency: str) -> tuple[tuple[str, Kind, str | None, Kind], ...]:
    return tuple(_template(clause, currency) for clause in rule.clauses)


def _template(clause: Clause, currency: str) -> tuple[str, Kind, str | None, Kind]:
    """A clause's text, its value's kind, its threshold if that is always the same, and the threshold's kind."""
    threshold = clause.threshold
    if threshold is None:
        return json_text(clause.text), clause.term.kind, "null", Kind.ANY
    known = _shown(threshold.kind, threshold.value, currency) if isinstance(threshold, Literal) else None
    return json_text(clause.text), clause.term.kind, known, threshold.kind


def json_text(text: str) -> str:
    """A text as JSON."""
    return _encode(text).decode()


def instant_text(instant: Instant | None) -> str | None:
    """RFC 3339, or None where there is none or it lies beyond what a date can say."""
    return None if instant is None or instant > _MAX_YEAR_9999 else rfc3339(instant)


def instant_json(instant: Instant | None) -> str:
    """The same as JSON."""
    return "null" if instant is None or instant > _MAX_YEAR_9999 else f'"{rfc3339(instant)}"'


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


def _shown(kind: Kind, value: Any, currency: str) -> str:
    """A value as a person or a program reads it, as JSON."""
    if value is None:
        return "null"
    if kind is Kind.NUMBER:
        return repr(value)
    if kind is Kind.INSTANT:
        return instant_json(value)
    if kind is Kind.DURATION:
        return f'"{duration_text(value)}"'
    if kind is Kind.MONEY:
        amount = to_text(value, currency) if isinstance(value, int) else f"{value / 10 ** digits_of(currency):.2f}"
        return f'"{amount}"'
    return _encode(value).decode()
