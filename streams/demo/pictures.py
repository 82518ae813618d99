"""Where a demo is looked at: a live screen in a terminal, plain lines elsewhere, and a picture for a document."""

import re
import time
from io import StringIO
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from streams.demo.closing import summary
from streams.demo.state import DemoState
from streams.demo.view import screen

_EVERY = 2.0
"""Seconds between two summaries in plain lines."""
_SVG_SIZE = (110, 24)
"""Columns and lines of the picture."""


class Picture(Protocol):
    """Something that shows a demo. Use as a context manager."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *_exception: object) -> None:
        """End; a terminal is as it was before."""

    def show(self, state: DemoState) -> None:
        """Show the state as it is now."""


class LiveScreen:
    """The view on the terminal's second screen, drawn anew in one write at each `show`."""

    def __init__(self, console: Console) -> None:
        """Nothing is drawn yet."""
        self._console = console
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        """Switch to the second screen."""
        self._live.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Switch back."""
        self._live.stop()

    def show(self, state: DemoState) -> None:
        """Draw, for the size that the terminal has now."""
        width, height = self._console.size
        self._live.update(screen(state, width, height), refresh=True)


class PlainLines:
    """A summary every few seconds."""

    def __init__(self, console: Console) -> None:
        """Nothing is printed yet."""
        self._console = console
        self._next: float | None = None

    def __enter__(self) -> Self:
        """Say what will come."""
        self._console.print("starting the embedded Kafka and Redis, a worker and a shop; reading the shop's past")
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nothing to undo."""

    def show(self, state: DemoState) -> None:
        """Print a summary, if it is time for one."""
        now = time.monotonic()
        if not state.live:
            return
        if self._next is None or now >= self._next:
            self._console.print(summary(state), markup=False)
            self._next = now + _EVERY


def svg(state: DemoState) -> str:
    """The view as an SVG document; it refers to no font or other file elsewhere."""
    width, height = _SVG_SIZE
    console = Console(record=True, width=width, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(screen(state, width, height))
    text = console.export_svg(title="segments demo", unique_id="demo")
    return re.sub(r"@font-face\s*\{.*?\}\s*", "", text, flags=re.DOTALL)
