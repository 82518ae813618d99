"""Files: lines in (plain or gzip, UTF-8 or Latin-1), events out (all of them, or no file); `-` is a pipe."""

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINES_PER_REPORT = 2_000
PIPE = Path("-")
"""Standard input where a file is read, standard output where one is written."""


class SourceError(Exception):
    """A file that cannot be imported, or a place that cannot be written to; the message is for the user."""


def read_lines(path: Path, on_progress: Callable[[int], None]) -> Generator[str, None, None]:
    """The lines of a file, each with its line end, so that a torn last line can be told.

    Whether the file is gzip is told by its first bytes, not by its name. A line that is not UTF-8 is taken as Latin-1.

    Args:
        path: the file.
        on_progress: called now and then with the bytes of the file (compressed, if it is) read so far.

    Raises:
        SourceError: the file is missing, unreadable, or a damaged gzip file.
    """
    with _opened(path) as raw:
        for number, line in enumerate(_unpacked(raw)):
            if number % _LINES_PER_REPORT == 0 and raw.seekable():
                on_progress(raw.tell())
            yield _decoded(line.removeprefix(_BYTE_ORDER_MARK) if number == 0 else line)


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    """A file to read; every trouble with it becomes one sentence."""
    try:
        with nullcontext(sys.stdin.buffer) if path == PIPE else path.open("rb") as raw:
            yield cast("io.BufferedReader", raw)
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path} is a damaged or incomplete gzip file; fetch it again") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def _unpacked(raw: io.BufferedReader) -> BinaryIO:
    """The file's content; `raw` itself where it is not compressed."""
    if raw.peek(2)[:2] == _GZIP_MAGIC:
        return cast("BinaryIO", io.BufferedReader(gzip.GzipFile(fileobj=raw)))
    return raw


def _decoded(line: bytes) -> str:
    """UTF-8, or else Latin-1: line by line, because a file may mix them, and no line can fail."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


@contextmanager
def write_atomically(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when the block ends without an error.

    A device or a pipe (`/dev/null`, `-`) is written to directly: it must not be replaced by a file. A symbolic link
    stays, and the file that it names is replaced.

    Raises:
        SourceError: the file cannot be written.
    """
    if path == PIPE:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as sink:
                yield sink
            return
        with _renamed_at_the_end(target) as sink:
            yield sink
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SourceError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _renamed_at_the_end(target: Path) -> Iterator[BinaryIO]:
    """A file beside the target (a rename is atomic within one file system only), gone if the block fails."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as sink:
            yield sink
            sink.flush()
            os.fsync(sink.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def open_events(path: Path) -> Iterator[bytes]:
    """The lines of a file of events (plain or gzip) as raw bytes without their line ends; blank lines are left out.

    Raises:
        SourceError: the file is missing, unreadable, or a damaged gzip file.
    """
    return (line for _number, line in numbered_events(path))


def numbered_events(path: Path) -> Iterator[tuple[int, bytes]]:
    """The same, each with the number of its line in the file, as an editor counts."""
    with _opened(path) as raw:
        for number, line in enumerate(_unpacked(raw), start=1):
            if stripped := (line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line).strip():
                yield number, stripped
