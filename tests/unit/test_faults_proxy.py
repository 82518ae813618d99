"""The fault suite's proxy: holds back one direction, delivers later, and loses replies of what was carried out."""

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from streams.stacks.guarded import free_port
from tests.faults.proxy import Proxy, Way

_SOON = 5.0
_NOT = 0.2


class _Echo(socketserver.StreamRequestHandler):
    """Answers each line with itself, and remembers it."""

    seen: list[bytes]

    def handle(self) -> None:
        while line := self.rfile.readline():
            self.seen.append(line)
            self.wfile.write(line)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def seen() -> list[bytes]:
    """What the server was told."""
    return []


@pytest.fixture
def proxy(seen: list[bytes]) -> Iterator[Proxy]:
    """A proxy before a server that answers each line with itself."""
    handler = type("Echo", (_Echo,), {"seen": seen})
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = Proxy(free_port(), server.server_address[1])
        made.start()
        yield made
        made.stop()
        server.shutdown()


def connect(proxy: Proxy) -> socket.socket:
    """A connection by way of the proxy."""
    made = socket.create_connection(("127.0.0.1", proxy.port), timeout=_SOON)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def hears(client: socket.socket, seconds: float = _SOON) -> bytes | None:
    """What comes next; None if nothing does, empty if the connection has ended."""
    client.settimeout(seconds)
    try:
        return client.recv(100)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


def test_it_carries_both_directions(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"one\n")
        assert hears(client) == b"one\n"


@pytest.mark.parametrize(("ways", "reaches"), [([Way.UP], False), ([Way.DOWN], True), ([Way.UP, Way.DOWN], False)])
def test_what_is_held_back_comes_later(proxy: Proxy, seen: list[bytes], ways: list[Way], *, reaches: bool) -> None:
    with connect(proxy) as client:
        client.sendall(b"one\n")
        assert hears(client) == b"one\n"
        proxy.hold(*ways)
        client.sendall(b"two\n")
        assert hears(client, _NOT) is None
        assert (b"two\n" in seen) == reaches
        proxy.release()
        assert hears(client) == b"two\n"


def test_a_lost_reply_ends_the_connection_after_the_request_was_carried_out(proxy: Proxy, seen: list[bytes]) -> None:
    proxy.lose_replies(b"commit", lambda: True)
    with connect(proxy) as client:
        client.sendall(b"read\n")
        assert hears(client) == b"read\n"
        client.sendall(b"commit\n")
        assert hears(client) == b""
    assert seen == [b"read\n", b"commit\n"]
    assert proxy.lost == 1
    proxy.lose_replies(b"", None)
    with connect(proxy) as client:
        client.sendall(b"commit\n")
        assert hears(client) == b"commit\n"


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    proxy = Proxy(free_port(), free_port())
    proxy.start()
    with connect(proxy) as client:
        assert hears(client) == b""
    proxy.stop()
