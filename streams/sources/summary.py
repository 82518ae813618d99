"""What an import did: lines read, events written by type, and every line left out, counted by reason."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Skip(StrEnum):
    """Why a line, or all lines of an invoice, became no event. Stable codes; they stand in the summary."""

    BLANK_LINE = "blank_line"
    WRONG_COLUMNS = "wrong_columns"
    BAD_ID = "bad_id"
    BAD_NUMBER = "bad_number"
    BAD_TIME = "bad_time"
    UNKNOWN_EVENT = "unknown_event"
    TORN_LAST_LINE = "torn_last_line"
    DUPLICATE_LINE = "duplicate_line"
    WITHOUT_CUSTOMER = "without_customer"
    OTHER_CUSTOMER = "other_customer"
    INVOICE_NOT_POSITIVE = "invoice_not_positive"
    CREDIT_NOTE_ZERO = "credit_note_zero"
    AMOUNT_TOO_LARGE = "amount_too_large"


MEANING: dict[Skip, str] = {
    Skip.BLANK_LINE: "empty lines",
    Skip.WRONG_COLUMNS: "lines with a wrong number of columns",
    Skip.BAD_ID: "lines with an empty or overlong identifier",
    Skip.BAD_NUMBER: "lines with something that is not a number in range",
    Skip.BAD_TIME: "lines with something that is not a date and time",
    Skip.UNKNOWN_EVENT: "lines with an unknown event name",
    Skip.TORN_LAST_LINE: "torn last line",
    Skip.DUPLICATE_LINE: "exact duplicates of a line that is an event already",
    Skip.WITHOUT_CUSTOMER: "lines without customer",
    Skip.OTHER_CUSTOMER: "lines that name another customer than their invoice's first line",
    Skip.INVOICE_NOT_POSITIVE: "invoices (not lines) whose sum is not positive",
    Skip.CREDIT_NOTE_ZERO: "credit notes (not lines) whose sum is 0",
    Skip.AMOUNT_TOO_LARGE: "invoices (not lines) whose sum is too large for an event",
}
"""The same for a person."""


class LineError(Exception):
    """A line that cannot become an event; caught where lines are read, and counted."""

    def __init__(self, skip: Skip) -> None:
        """Keep the reason; never the line, which may hold personal data."""
        super().__init__(skip.value)
        self.skip = skip


@dataclass
class Summary:
    """The counts of one import; filled while it runs.

    Attributes:
        format: name of the format that was read.
        lines_read: lines after the header, blank and broken ones included.
        events: events written, by type.
        skipped: what was left out, by reason; reasons that did not occur are absent.
    """

    format: str
    lines_read: int = 0
    events: Counter[str] = field(default_factory=Counter)
    skipped: Counter[Skip] = field(default_factory=Counter)

    def as_json(self) -> dict[str, object]:
        """The summary as plain JSON values, in a fixed order."""
        return {
            "format": self.format,
            "lines_read": self.lines_read,
            "events_written": self.events.total(),
            "events": {name: self.events[name] for name in sorted(self.events) if self.events[name]},
            "skipped": {skip.value: self.skipped[skip] for skip in Skip if self.skipped[skip]},
        }
