"""A TCP proxy that can hold back either direction, or lose a reply after the request was carried out."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

_CHUNK = 64 * 1024
_PATIENCE = 10.0
_ADDRESS = "127.0.0.1"


class Way(StrEnum):
    """A direction."""

    UP = "up"
    """From the client to the server."""
    DOWN = "down"
    """From the server to the client."""


class Proxy:
    """Carries connections from one loopback port to another, in a thread of its own.

    What is held back is delivered when the way is open again, as TCP does after a cut: also a request whose sender has
    given up on it long ago.
    """

    def __init__(self, port: int, target: int) -> None:
        """Nothing is open before `start`."""
        self.port, self._target = port, target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{port}", daemon=True)
        self._ways: dict[Way, asyncio.Event] = {}
        self._ready = threading.Event()
        self._lives: set[asyncio.Task[None]] = set()
        self._marker = b""
        self._doomed: Callable[[], bool] | None = None
        self.lost = 0
        """Replies that were lost."""

    def start(self) -> None:
        """Listen.

        Raises:
            TimeoutError: it does not.
        """
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise TimeoutError(f"no proxy on port {self.port}")

    def stop(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE)

    def hold(self, *ways: Way) -> None:
        """Let nothing through in these directions until `release`; neither side is told."""
        self._do([self._ways[way].clear for way in ways])

    def release(self) -> None:
        """Let everything through again, what was held back first."""
        self._do([way.set for way in self._ways.values()])

    def lose_replies(self, marker: bytes, doomed: Callable[[], bool] | None) -> None:
        """From now on, requests with `marker` in them that `doomed` picks get no reply: the connection ends instead.

        None ends that.
        """
        self._marker, self._doomed = marker, doomed

    def _do(self, acts: list[Callable[[], None]]) -> None:
        """Have the thread do things, and wait until it has."""
        done = threading.Event()
        for act in (*acts, done.set):
            self._loop.call_soon_threadsafe(act)
        done.wait(_PATIENCE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for life in self._lives:
            life.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._lives, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        self._ways = {way: asyncio.Event() for way in Way}
        for way in self._ways.values():
            way.set()
        return await asyncio.start_server(self._accept, _ADDRESS, self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        life = asyncio.ensure_future(self._carry(reader, writer))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(_ADDRESS, self._target)
        except OSError:
            writer.transport.abort()
            return
        doomed = asyncio.Event()
        pumps = [
            asyncio.ensure_future(self._pump(Way.UP, reader, server_writer, doomed)),
            asyncio.ensure_future(self._pump(Way.DOWN, server_reader, writer, doomed)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in (writer, server_writer):
                end.transport.abort() if doomed.is_set() else end.close()

    async def _pump(
        self, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter, doomed: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                await self._ways[way].wait()
                if way is Way.UP and self._doomed and self._marker in data and self._doomed():
                    doomed.set()
                elif way is Way.DOWN and doomed.is_set():
                    self.lost += 1
                    return
                sink.write(data)
                await sink.drain()
