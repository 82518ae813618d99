"""A `redis-server` of our own on a loopback port: which program, how it is started, how it is known to be ready."""

import socket
from collections.abc import Sequence
from pathlib import Path

from streams.stacks.guarded import GuardedProcess, free_port

_START_TIMEOUT_S = 10
_PROBE_TIMEOUT_S = 0.5

IN_MEMORY = ("--save", "", "--appendonly", "no")
"""Nothing is written to disk."""
APPEND_ONLY = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
"""What a shop would run: a crash of the machine costs the last second at most."""


class RedisServer:
    """A Redis that starts, stops, crashes and comes back on the same port with the same directory.

    Args:
        program: the `redis-server` to run.
        directory: where its log and, if `persistence` asks for it, its data go.
        persistence: `IN_MEMORY` or `APPEND_ONLY`.
    """

    def __init__(self, program: Path, directory: Path, persistence: Sequence[str] = IN_MEMORY) -> None:
        """Choose the port; nothing starts yet."""
        self.port = free_port()
        command = [
            str(program),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory)),
            *("--loglevel", "warning", "--maxmemory-policy", "noeviction"),
            *persistence,
        ]
        self._process = GuardedProcess("redis", command, directory)

    @property
    def url(self) -> str:
        """`redis://` address of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the server, 0 while it does not run."""
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers, that is, until its data is loaded.

        Raises:
            StackError: it did not come up.
        """
        self._process.start(self._answers, _START_TIMEOUT_S)

    def stop(self) -> None:
        """End it in good order; what is persistent stays."""
        self._process.stop()

    def kill(self) -> None:
        """Crash it."""
        self._process.kill()

    def restart(self) -> None:
        """End it if it runs, and start it on the same data and port."""
        self.stop()
        self.start()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_PROBE_TIMEOUT_S) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
