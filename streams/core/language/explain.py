"""The evidence for a verdict: each clause of the rule with its value, its threshold, its truth and its until."""

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from schemas.instants import DAY, HOUR, MINUTE, NEVER, SECOND, Duration, Instant, rfc3339
from streams.core.language.rule import Clause, Findings, Rule
from streams.core.language.terms import Kind, Literal
from streams.core.money import digits_of, to_text
from streams.core.profile import Profile

_MAX_YEAR_9999: Instant = 253_402_300_799_000_000
_TRUTHS = ("false,", "true,")
_encode = msgspec.json.Encoder().encode


def explain(rule: Rule, profile: Profile, now: Instant, currency: str) -> list[dict[str, Any]]:
    """Every clause as it stands at `now`, from left to right; the fields of `schemas.transitions.Evidence`."""
    rows: list[dict[str, Any]] = msgspec.json.decode(evidence_json(rule, rule.find(profile, now), currency))
    return rows


def evidence_json(rule: Rule, findings: Findings, currency: str) -> str:
    """What was found of each clause, as JSON."""
    rows = []
    for template, (holds, until, value, limit) in zip(_templates(rule, currency), findings, strict=True):
        shown = "null" if value is None else repr(value) if template.plain else _shown(template.kind, value, currency)
        middle = template.middle
        if middle is None:
            middle = f',"threshold":{_shown(template.limit_kind, limit, currency)},"holds":'
        end = '"until":null}' if until >= NEVER else f'"until":{instant_json(until)}}}'
        rows.append(f"{template.start}{shown}{middle}{_TRUTHS[holds]}{end}")
    return f"[{','.join(rows)}]"


class _Template(NamedTuple):
    """What is the same in every piece of evidence of a clause."""

    start: str
    kind: Kind
    plain: bool
    """The value is a number."""
    middle: str | None
    """None: the threshold differs from time to time."""
    limit_kind: Kind


@lru_cache(maxsize=4_096)  # of each rule in force, once
def _templates(rule: Rule, currency: str) -> tuple[_Template, ...]:
    return tuple(_template(clause, currency) for clause in rule.clauses)


def _template(clause: Clause, currency: str) -> _Template:
    kind, threshold = clause.term.kind, clause.threshold
    middle: str | None = ',"threshold":null,"holds":'
    if threshold is not None:
        known = _shown(threshold.kind, threshold.value, currency) if isinstance(threshold, Literal) else None
        middle = None if known is None else f',"threshold":{known},"holds":'
    start = f'{{"clause":{json_text(clause.text)},"value":'
    return _Template(start, kind, kind is Kind.NUMBER, middle, threshold.kind if threshold else Kind.ANY)


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
