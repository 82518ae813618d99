"""Instants and durations: whole microseconds, so that a crossing has one exact place in time.

An *instant* is an `int`, microseconds since 1970-01-01T00:00:00Z. A *duration* is an `int`, microseconds.
`NEVER` is later than every instant: "this answer holds until further notice".
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

Instant = int
Duration = int

MICROSECOND: Duration = 1
SECOND: Duration = 1_000_000
MINUTE: Duration = 60 * SECOND
HOUR: Duration = 60 * MINUTE
DAY: Duration = 24 * HOUR
NEVER: Instant = 2**62

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_DAY = _EPOCH.toordinal()


def to_instant(moment: datetime) -> Instant:
    """Whole microseconds since the epoch of an aware datetime; exact over the whole range of `datetime`.

    >>> to_instant(datetime(1970, 1, 2, 0, 0, 0, 5, tzinfo=UTC))
    86400000005
    """
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: Instant) -> datetime:
    """The aware UTC datetime of an instant.

    Raises:
        OverflowError: outside years 1 to 9999, as with `NEVER`.
    """
    return _EPOCH + timedelta(microseconds=instant)


def parse_rfc3339(text: str) -> Instant:
    """An instant from RFC 3339 text with an offset ("2026-01-31T12:00:00Z").

    Raises:
        ValueError: the text is not a date and time, or has no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no offset; write it as in 2026-01-31T12:00:00Z")
    return to_instant(moment)


@lru_cache(maxsize=8_192)  # the same few instants come again and again within one message, and within one batch
def rfc3339(instant: Instant) -> str:
    """RFC 3339 in UTC, with as many fraction digits as the instant needs.

    >>> rfc3339(86_400_000_000)
    '1970-01-02T00:00:00Z'
    >>> rfc3339(1_500_000)
    '1970-01-01T00:00:01.5Z'
    """
    day, rest = divmod(instant, DAY)
    minute, rest = divmod(rest, MINUTE)
    second, fraction = divmod(rest, SECOND)
    text = f"{_date(day)}T{_MINUTES[minute]}:{_SECONDS[second]}"
    return f"{text}.{f'{fraction:06}'.rstrip('0')}Z" if fraction else f"{text}Z"


_MINUTES = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
_SECONDS = [f"{second:02}" for second in range(60)]


@lru_cache(maxsize=1_024)
def _date(day: int) -> str:
    return date.fromordinal(_FIRST_DAY + day).isoformat()
