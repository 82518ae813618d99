"""Files of an import: what is read, in which order it comes out, and that a file is whole or not there."""

import gzip
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from streams.sources.files import SourceError, read_lines, write_atomically
from streams.sources.ordering import EventSorter


def lines_of(path: Path) -> list[str]:
    return list(read_lines(path, lambda _: None))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", ["a\n", "b\n"]),
        (b"\xef\xbb\xbfa\nb", ["a\n", "b"]),
        ("caf\u00e9\n".encode(), ["caf\u00e9\n"]),
        ("caf\u00e9\n".encode("latin-1"), ["caf\u00e9\n"]),
        ("caf\u00e9\n".encode("latin-1") + "caf\u00e9\n".encode(), ["caf\u00e9\n", "caf\u00e9\n"]),
        (b"", []),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_are_read_plain_or_packed_in_either_encoding(
    tmp_path: Path, content: bytes, lines: list[str], pack: type[bytes]
) -> None:
    path = tmp_path / "no-telling-name"
    path.write_bytes(pack(content))
    assert lines_of(path) == lines


def test_progress_counts_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"12345678\n" * 10_000)
    reports: list[int] = []
    assert len(list(read_lines(path, reports.append))) == 10_000
    assert reports == sorted(reports)
    assert 0 < reports[-1] <= path.stat().st_size


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (gzip.compress(os.urandom(5_000))[:-1_000], "damaged or incomplete gzip"),
        (gzip.compress(b"a\n" * 999)[:10] + b"nonsense" * 9, "damaged or incomplete gzip"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "file.csv.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=f"file.csv.gz .*{message}"):
        lines_of(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        lines_of(tmp_path)


def test_a_torn_run_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"old\n")

    def tear() -> None:
        with write_atomically(path) as sink:
            sink.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tear()
    assert [entry.name for entry in tmp_path.iterdir()] == ["events.jsonl"]
    assert path.read_bytes() == b"old\n"


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(target)
    with write_atomically(link) as sink:
        sink.write(b"new\n")
    assert link.is_symlink()
    assert target.read_bytes() == b"new\n"


def test_a_device_is_written_to_and_not_replaced() -> None:
    with write_atomically(Path(os.devnull)) as sink:
        sink.write(b"gone\n")
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("out", ["missing/events.jsonl", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, out: str) -> None:
    with pytest.raises(SourceError, match="cannot be written"), write_atomically(tmp_path / out):
        pass


def events(times: Iterable[int]) -> list[dict[str, object]]:
    return [{"n": n, "occurred_at": f"2024-01-01T00:00:{second:02}Z"} for n, second in enumerate(times)]


@pytest.mark.parametrize("run_length", [1, 2, 3, 100])
def test_events_come_in_order_of_time_then_of_input_whatever_the_memory(run_length: int) -> None:
    unsorted = events([5, 3, 3, 9, 1, 3, 5])
    with EventSorter(run_length) as sorter:
        for event in unsorted:
            sorter.add(event)
        found = list(sorter)
    order = [4, 1, 2, 5, 0, 6, 3]
    assert [int(line.split(b":")[1].split(b",")[0]) for line in found] == order
