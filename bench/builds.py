"""Makes the peers ready to run: Java ones by Maven, Python ones in environments of their own.

What is built or installed stays in a folder for the next run: `.stack/peers` of the repository, or what
`SEGMENTS_BENCH_CACHE` names.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from bench.system import BenchError, say

PEERS = Path(__file__).parent / "peers"
_ROOT = PEERS.parents[1]
_SHARED = PEERS / "java_mini"
_TIMEOUT = 900.0
_COPY = "dependency:copy-dependencies"


class UnavailableError(BenchError):
    """A peer that cannot be had on this machine; the message says why."""


def cache() -> Path:
    """Where builds are kept."""
    folder = Path(os.environ.get("SEGMENTS_BENCH_CACHE") or _ROOT / ".stack" / "peers")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def java(peer: str, main: str, *options: str) -> list[str]:
    """The command that runs a Java peer, which is built if it was not yet.

    Raises:
        UnavailableError: there is no Java or no Maven, or the build failed.
    """
    programs = {name: shutil.which(name) for name in ("java", "mvn")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        raise UnavailableError(f"not on the PATH: {', '.join(missing)}")
    folder = PEERS / peer
    built = cache() / f"{peer}-{_digest([*folder.rglob('*'), *_SHARED.rglob('*')])}"
    if not built.is_dir():
        _build(folder / "pom.xml", built)
    return [str(programs["java"]), *options, "-cp", f"{built / 'classes'}:{built / 'jars'}/*", main]


def _build(pom: Path, built: Path) -> None:
    # Complete or not there: built beside, then renamed.
    say(f"building {pom.parent.name} with Maven")
    work = Path(mkdtemp(dir=built.parent, prefix="build-"))
    try:
        out, jars = f"-Dout={work}", f"-DoutputDirectory={work / 'jars'}"
        _run(["mvn", "-B", "-q", "-f", str(pom), "compile", _COPY, out, jars, "-DincludeScope=runtime"])
        work.rename(built)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def java_version() -> str:
    """Which Java runs the Java peers, as it says itself; empty if there is none."""
    program = shutil.which("java")
    if program is None:
        return ""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return said[1] if len(said) > 1 else ""


def python(peer: str) -> list[str]:
    """The command that runs a Python peer.

    Raises:
        UnavailableError: its requirements could not be installed.
    """
    return [str(environment(PEERS / f"{peer}.txt") / "python"), "-m", f"bench.peers.{peer}"]


def environment(requirements: Path) -> Path:
    """The folder of the programs of an environment of its own, where requirements are installed if they were not yet.

    Raises:
        UnavailableError: they could not be.
    """
    home = cache() / f"{requirements.stem}-{_digest([requirements])}"
    programs, stamp = home / "bin", home / ".installed"
    if not stamp.exists():
        say(f"installing what {requirements.name} says")
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(home)])
        _run([str(programs / "python"), "-m", "pip", "install", "--quiet", "-r", str(requirements)])
        stamp.touch()
    return programs


def _digest(paths: list[Path]) -> str:
    found = sha256()
    for path in sorted(path for path in paths if path.is_file()):
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:12]


def _run(command: list[str]) -> None:
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{Path(command[0]).name} took longer than {_TIMEOUT:.0f} s") from None
    if result.returncode:
        said = (result.stdout + result.stderr).strip()
        raise UnavailableError(f"{Path(command[0]).name} failed: {said[-1000:]}")
