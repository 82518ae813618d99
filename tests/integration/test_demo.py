"""`segments demo` as a program: it plays, ends by itself or when told to, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scenarios.story import shipped

PROGRAM = [str(Path(sys.executable).parent / "segments"), "demo"]
PATIENCE = 120


def _environment(tmp_path: Path, mark: str) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "here").mkdir()
    # Every process that the demo starts inherits the mark: that is how those left over are found.
    return os.environ | {"TMPDIR": str(tmp_path / "tmp"), "DEMO_TEST": mark, "PYTHONDONTWRITEBYTECODE": "1"}


def _marked(mark: str) -> list[int]:
    """Processes with the mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"DEMO_TEST={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:  # ended a moment ago, or another user's
            continue
    return found


def _assert_nothing_is_left(tmp_path: Path, mark: str) -> None:
    """No process and no file; one that is about to end may take a moment."""
    end = time.monotonic() + 20
    while (left := _marked(mark)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left
    assert not list((tmp_path / "tmp").iterdir())
    assert not list((tmp_path / "here").iterdir())


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes by /proc")


@needs_proc
def test_a_demo_plays_ends_by_itself_and_leaves_nothing(tmp_path: Path) -> None:
    mark = tmp_path.name
    done = subprocess.run(
        [*PROGRAM, "--seconds", "8"],
        env=_environment(tmp_path, mark),
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout  # no terminal, no control sequences
    figures = re.findall(
        r"(\d+) events applied, (\d+) transitions, (\d+) by time alone, (\d+) dead letters", done.stdout
    )
    assert len(figures) >= 3
    assert all(int(figure) > 0 for figure in figures[-1])
    rows = dict(re.findall(r"^ ?([a-z_]+) +\d+ +(\d+) +\d+ *$", done.stdout, re.MULTILINE))
    assert int(rows["lapsed"]) > 0
    assert len(rows) == len(shipped().segments)
    assert "by time alone:" in done.stdout
    assert "further notice" in done.stdout
    _assert_nothing_is_left(tmp_path, mark)


@needs_proc
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
@pytest.mark.parametrize("until", ["starting", "events applied"])
def test_a_demo_that_is_told_to_end_leaves_nothing(
    number: signal.Signals, code: int, until: str, tmp_path: Path
) -> None:
    mark = tmp_path.name
    environment = _environment(tmp_path, mark) | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*PROGRAM, "--seconds", "100"], env=environment, cwd=tmp_path / "here", stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if until in line:
                break
        demo.send_signal(number)
        demo.stdout.read()
        assert demo.wait(PATIENCE) == code
    _assert_nothing_is_left(tmp_path, mark)
