"""A server process that never outlives the program that started it.

A context manager cannot clean up after SIGTERM's default action or SIGKILL. So a small shell stands between: it holds
a pipe to us, and when that closes without a word (we are gone, however it came about) it kills the server and removes
its directory. After an orderly stop the directory stays, so that a restart finds its data.
"""

import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from streams.stacks import StackError

_LOG_TAIL = 2_000
_PAUSE_S = 0.02

# The server holds descriptor 3, the guard lets go of it: end of file there means that the server has ended.
_GUARD = """
directory=$1; log=$2; shift 2
"$@" 3>&1 </dev/null >>"$log" 2>&1 &
server=$!
echo "$server"
exec >/dev/null 2>&1
read -r _ || { kill -9 "$server"; wait "$server"; rm -rf "$directory"; exit 0; }
wait "$server"
"""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class GuardedProcess:
    """One server process with a directory of its own; starts, stops, is killed and starts again on the same data.

    Args:
        name: what to call it in errors.
        command: program and arguments; the program by its full path.
        directory: where its data and its log are; the caller makes it and, after an orderly stop, removes it.
        environment: variables to add to ours.
    """

    def __init__(
        self, name: str, command: Sequence[str], directory: Path, environment: dict[str, str] | None = None
    ) -> None:
        """Remember the command; nothing starts yet."""
        self.name = name
        self.log = directory / f"{name}.log"
        self._command = list(command)
        self._directory = directory
        self._environment = os.environ | (environment or {})
        self._guard: subprocess.Popen[bytes] | None = None
        self.pid = 0
        self.exit_code: int | None = None
        """Of the process that ended last, as a shell counts: 128 and the signal's number if it was killed."""

    def start(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Start, and return once `is_ready` says so.

        Raises:
            StackError: it runs already, or it ended, or was not ready within `timeout_s`; then nothing is left running.
        """
        if self._guard is not None:
            raise StackError(f"{self.name} was started before; stop it first")
        shell = shutil.which("sh") or "/bin/sh"
        command = [shell, "-c", _GUARD, "guard", str(self._directory), str(self.log), *self._command]
        # A session of its own: Ctrl-C in a terminal goes to us alone, and we stop the server in good order.
        self._guard = subprocess.Popen(  # noqa: S603 - our own command, no shell text from outside
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment, start_new_session=True
        )
        try:
            self.pid = int(_pipe(self._guard.stdout).readline())
            self._wait_until(is_ready, time.monotonic() + timeout_s)
        except BaseException:
            self.kill()
            raise

    def is_alive(self) -> bool:
        """Whether the server process has not ended."""
        if self._guard is None:
            return False
        readable, _, _ = select.select([_pipe(self._guard.stdout)], [], [], 0)
        return not readable

    def stop(self, timeout_s: float = 15) -> None:
        """SIGTERM and wait; SIGKILL where that is not enough. The data stays. Nothing to do if it does not run."""
        self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> None:
        """SIGKILL and wait: a crash. The data stays as the crash left it."""
        self._end(signal.SIGKILL, timeout_s=15)

    def _end(self, how: signal.Signals, timeout_s: float) -> None:
        alive = self.is_alive()
        guard, self._guard = self._guard, None
        pid, self.pid = self.pid, 0
        if guard is None:
            return
        with guard:
            if not pid:
                # Interrupted before the guard told us the number: it sees its pipe close, and kills by itself.
                return
            if alive:
                _send(pid, how)
            _pipe(guard.stdin).write(b"\n")
            _pipe(guard.stdin).close()
            try:
                guard.wait(timeout_s)
            except subprocess.TimeoutExpired:
                _send(pid, signal.SIGKILL)
        self.exit_code = guard.returncode

    def _wait_until(self, is_ready: Callable[[], bool], deadline: float) -> None:
        while not is_ready():
            if not self.is_alive():
                raise StackError(f"{self.name} ended while it started; its log ends: {self._tail()}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} did not get ready in time; its log ends: {self._tail()}")
            time.sleep(_PAUSE_S)

    def _tail(self) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text[-_LOG_TAIL:]


def _send(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended by itself a moment ago
        os.kill(pid, how)


def _pipe(end: IO[Any] | None) -> IO[Any]:
    if end is None:
        raise StackError("a guarded process was started without its pipes")
    return end
