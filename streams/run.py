"""Runs a worker in this process until it is told to stop or cannot go on."""

import asyncio
import contextlib
import gc
import logging
import signal
import sys

import uvloop

from streams.app import SegmentsApp, create_app
from streams.settings import Settings

log = logging.getLogger(__name__)

GC_THRESHOLDS = (500_000, 50, 1_000_000)
"""Nearly nothing here lives in cycles, but a worker holds millions of objects: by default Python would walk all of
them again and again, for up to a third of the time. The last figure keeps it from ever walking the old ones, which
takes a second for 20,000 customers."""
SWITCH_INTERVAL = 0.0005
"""Seconds. Faust's consumer reads in a thread of its own, which must not wait 5 ms for its turn at each step."""


def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then the shards are handed over cleanly.

    Raises:
        Exception: whatever ended the worker.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # Faust's reading thread makes its own loop
    with asyncio.Runner() as runner:
        runner.run(serve(settings))


async def serve(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Run a worker on the current loop until `stop` is set, a signal comes, or it crashes."""
    told = stop or asyncio.Event()
    app = create_app(settings)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: no signals
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
    try:
        await app.start()
        await _until(app, told)
    finally:
        await app.stop()
    if app.crash_reason is not None:
        raise app.crash_reason


async def _until(app: SegmentsApp, told: asyncio.Event) -> None:
    """Wait until told to stop, or until the app stops of itself."""
    await app.wait(told)
