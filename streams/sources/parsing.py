"""From a line of text to checked values: columns, identifiers, decimals, times. Shared by all formats."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import TypeVar

from streams.core.money import digits_of
from streams.sources.files import SourceError
from streams.sources.summary import LineError, Skip, Summary

EXACT = Context(prec=60)
"""Decimal arithmetic in which a sum of bounded numbers (see `decimal`) never rounds."""

_MAX_ID = 64
"""Shorter than the schema's 256, so that an event id made of a few of these fits too."""
_DECIMAL = re.compile(r"-?\d{1,9}(\.\d{1,20})?", re.ASCII)
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?", re.ASCII)

Parsed = TypeVar("Parsed")


class ColumnsError(SourceError):
    """A file that has not the columns of the format that it is read as."""

    def __init__(self, wanted: str) -> None:
        """Say what was looked for; what stands in the file instead may be personal data."""
        super().__init__(f"not this format: expected {wanted}")


def each(lines: Iterable[str], summary: Summary, parse: Callable[[str], Parsed]) -> Iterator[Parsed]:
    """What `parse` makes of each line; counts the lines, and those that it refuses with a `LineError`."""
    for line in lines:
        summary.lines_read += 1
        if line.isspace():
            summary.skipped[Skip.BLANK_LINE] += 1
            continue
        try:
            parsed = parse(line)
        except LineError as error:
            torn = not line.endswith("\n") and error.skip is not Skip.WITHOUT_CUSTOMER
            summary.skipped[Skip.TORN_LAST_LINE if torn else error.skip] += 1
        else:
            yield parsed


@dataclass(frozen=True)
class Columns:
    """Where the wanted columns stand in a comma-separated line."""

    width: int
    positions: tuple[int, ...]

    @classmethod
    def of(cls, header: str, wanted: Sequence[str]) -> "Columns":
        """Find the columns by name, in any order and case; others may stand between.

        Raises:
            ColumnsError: one is missing.
        """
        missing = ColumnsError(f"a first line that names the columns {', '.join(wanted)}")
        try:
            names = [name.strip().casefold() for name in split(header)]
        except LineError as error:
            raise missing from error
        if any(name.casefold() not in names for name in wanted):
            raise missing
        return cls(len(names), tuple(names.index(name.casefold()) for name in wanted))

    def pick(self, line: str) -> list[str]:
        """The wanted fields of a line, in the wanted order, without blanks around them.

        Raises:
            LineError: the line has more or fewer columns than the header.
        """
        fields = split(line)
        if len(fields) != self.width:
            raise LineError(Skip.WRONG_COLUMNS)
        return [fields[position].strip() for position in self.positions]


def split(line: str) -> list[str]:
    """The fields of one comma-separated line.

    Each line stands alone: with a reader over the whole file, one stray quote would swallow the lines after it.

    Raises:
        LineError: a quote is not closed.
    """
    if '"' not in line:
        return line.rstrip("\r\n").split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise LineError(Skip.WRONG_COLUMNS) from error


def identifier(text: str) -> str:
    """The text, if it can be part of an id.

    Raises:
        LineError: it is empty or overlong.
    """
    if not 1 <= len(text) <= _MAX_ID:
        raise LineError(Skip.BAD_ID)
    return text


@lru_cache(maxsize=65_536)
def decimal(text: str) -> Decimal:
    """An exact decimal: up to nine digits before the point, no exponent.

    Raises:
        LineError: it is something else.
    """
    if _DECIMAL.fullmatch(text) is None:
        raise LineError(Skip.BAD_NUMBER)
    return Decimal(text)


def to_minor(amount: Decimal, currency: str) -> int:
    """Whole minor units of a currency (pennies), rounded half up.

    >>> to_minor(Decimal("1.005"), "GBP")
    101
    """
    scaled = amount.scaleb(digits_of(currency), context=EXACT)
    return int(scaled.to_integral_value(ROUND_HALF_UP, context=EXACT))


def iso_time(text: str) -> str:
    """RFC 3339 of `2010-12-01 08:26:00` (seconds may be left out), taken as UTC.

    Raises:
        LineError: it is something else.
    """
    if _ISO_TIME.fullmatch(text) is None:
        raise LineError(Skip.BAD_TIME)
    try:
        return rfc3339(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError as error:
        raise LineError(Skip.BAD_TIME) from error


def rfc3339(moment: datetime) -> str:
    """RFC 3339 of a UTC datetime, to the second: always 20 characters, so that order of text is order of time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
