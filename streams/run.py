"""Runs a worker in this process until it is told to stop or cannot go on."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys

import uvloop

from streams.app import SegmentsApp, create_app
from streams.settings import Settings

log = logging.getLogger(__name__)

GC_THRESHOLDS = (5_000, 1_000_000, 1_000_000)
"""Nearly nothing here lives in cycles, but a worker holds millions of objects. A look at the young ones takes 2 ms for
5,000; for 500,000 it was a pause of 190 ms, which every event of that time waited for. The old ones are never walked:
that takes a second for 20,000 customers."""
SWITCH_INTERVAL = 0.0005
"""Seconds. Faust's consumer reads in a thread of its own, which must not wait 5 ms for its turn at each step."""

CRASHED = 1
"""Exit code of a worker that could not go on."""
STOP_TIMEOUT = 3.0
"""Seconds that a worker which cannot go on takes to leave its group; what it leaves undone, the next owner does."""


class CrashError(Exception):
    """A worker could not go on; the cause says why."""


def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then the shards are handed over cleanly. A crash ends the process with 1.

    Raises:
        Exception: whatever kept the worker from starting.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # Faust's reading thread makes its own loop
    with asyncio.Runner() as runner:
        try:
            runner.run(serve(settings))
        except CrashError as crash:
            # At once: Faust restarts agents that a crash has cancelled, and cleaning up would wait for them for ever.
            log.critical("%s", crash, exc_info=crash.__cause__)
            logging.shutdown()
            os._exit(CRASHED)


async def serve(settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Run a worker on the current loop until `stop` is set, a signal comes, or it crashes.

    Raises:
        CrashError: it started, and could not go on.
    """
    told = stop or asyncio.Event()
    app = create_app(settings)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: no signals
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told.set)
    try:
        await app.start()
        await _until(app, told)
    except BaseException:
        await app.stop()
        raise
    await _stop(app)
    if app.crash_reason is not None:
        raise CrashError("the worker cannot go on, and ends") from app.crash_reason


async def _stop(app: SegmentsApp) -> None:
    """Stop in good order. After a crash only so long: Faust may wait for what will never come."""
    stopping = asyncio.ensure_future(app.stop())
    await asyncio.wait({stopping}, timeout=None if app.crash_reason is None else STOP_TIMEOUT)
    if stopping.done() and app.crash_reason is None:
        stopping.result()


async def _until(app: SegmentsApp, told: asyncio.Event) -> None:
    """Wait until told to stop, or until the app stops of itself."""
    await app.wait(told)
