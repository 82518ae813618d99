"""A public data set in, a file of events out: the table of formats, and the one way through."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import orjson

from streams.sources import cdnow, ecom, online_retail, taobao
from streams.sources.files import SourceError, read_lines
from streams.sources.ordering import EventSorter
from streams.sources.parsing import ColumnsError
from streams.sources.records import Reader
from streams.sources.summary import Skip, Summary


class FormatName(StrEnum):
    """The data sets that can be imported."""

    ONLINE_RETAIL = online_retail.NAME
    TAOBAO = taobao.NAME
    ECOM = ecom.NAME
    CDNOW = cdnow.NAME


@dataclass(frozen=True)
class Format:
    """How a data set is read, and the currency of its amounts where the user names none."""

    read: Reader
    currency: str


FORMATS: dict[FormatName, Format] = {
    FormatName.ONLINE_RETAIL: Format(online_retail.read, "GBP"),
    FormatName.TAOBAO: Format(taobao.read, "CNY"),
    FormatName.ECOM: Format(ecom.read, "USD"),
    FormatName.CDNOW: Format(cdnow.read, "USD"),
}


def _silent(_: int) -> None:
    """Report progress to nobody."""


def import_events(
    name: FormatName,
    path: Path,
    sink: BinaryIO,
    currency: str | None = None,
    on_progress: Callable[[int], None] = _silent,
) -> Summary:
    """Write a data set's events to `sink`: one compact JSON object a line, in order of time, then of input.

    Nothing is written before the whole file was read. The same file gives the same bytes each time.

    Args:
        name: the file's format.
        path: the file, plain or gzip.
        sink: where the lines go.
        currency: ISO 4217 code of the amounts; the format's own if not given.
        on_progress: called now and then with the bytes of the file read so far.

    Returns:
        What was read, written and left out.

    Raises:
        SourceError: the file is missing, unreadable, or not of this format.
    """
    form = FORMATS[name]
    summary = Summary(name.value)
    with EventSorter() as sorter:
        with closing(read_lines(path, on_progress)) as lines:
            try:
                for event in form.read(lines, currency or form.currency, summary):
                    sorter.add(event)
            except ColumnsError as error:
                raise SourceError(f"{path} cannot be imported as {name.value}: {error}") from error
        _write(sorter, sink, summary)
    return summary


def _write(lines: Iterable[bytes], sink: BinaryIO, summary: Summary) -> None:
    """Write each event once. Equal events have equal times, so only those of one instant need be remembered."""
    instant, written = "", set[bytes]()
    for line in lines:
        event = orjson.loads(line)
        if event["occurred_at"] != instant:
            instant, written = event["occurred_at"], set()
        if line in written:
            summary.skipped[Skip.DUPLICATE_LINE] += 1
            continue
        written.add(line)
        sink.write(line)
        summary.events[event["type"]] += 1
