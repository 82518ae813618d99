"""Events in order of time, however many: sorted in memory, or in runs on disk that are merged.

The original Taobao file has 100 million lines; with runs, it is imported in the memory that one run takes.
"""

import heapq
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from operator import itemgetter
from types import TracebackType
from typing import IO, Self

import orjson

from streams.sources.records import Record

RUN_LENGTH = 500_000
"""Events held in memory at most: about 200 MB of clicks, as measured."""

_TIME_WIDTH = 20
"""Bytes of a time by `streams.sources.parsing.rfc3339`; an entry is the time, then the event as a line of JSON."""
_time_of = itemgetter(slice(0, _TIME_WIDTH))


class EventSorter:
    """Takes events in any order, gives them back in order of time, equal times in the order in which they came."""

    def __init__(self, run_length: int = RUN_LENGTH) -> None:
        """Hold up to `run_length` events in memory."""
        self._run_length = run_length
        self._entries: list[bytes] = []
        self._runs: list[IO[bytes]] = []
        self._files = ExitStack()

    def __enter__(self) -> Self:
        """Nothing to do: files are opened when the first run is full."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove the runs from disk."""
        self._files.close()

    def add(self, event: Record) -> None:
        """Take an event; its `occurred_at` must come from `streams.sources.parsing.rfc3339`."""
        # Joining makes a copy of the right size: what orjson returns keeps a buffer of 4 kB for each short line.
        line = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
        self._entries.append(str(event["occurred_at"]).encode() + line)
        if len(self._entries) >= self._run_length:
            self._spill()

    def __iter__(self) -> Iterator[bytes]:
        """All events taken so far, in order, each as a line of JSON."""
        self._entries.sort(key=_time_of)
        for run in self._runs:
            run.seek(0)
        # Earlier runs stand first: the merge is stable, so ties stay in the order of input.
        for entry in heapq.merge(*self._runs, self._entries, key=_time_of):
            yield entry[_TIME_WIDTH:]

    def _spill(self) -> None:
        self._entries.sort(key=_time_of)
        run = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the stack
        run.writelines(self._entries)
        self._runs.append(run)
        self._entries = []
