"""`segments demo`: everything at once, on one machine, for a minute."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.common import command, load_definitions, out
from streams.clock import wall_clock
from streams.demo.closing import last_words
from streams.demo.pictures import LiveScreen, PlainLines
from streams.demo.plan import MAX_SPEED, PARTITIONS, plan_demo
from streams.demo.show import Show, running_worker
from streams.demo.state import DemoState
from streams.stacks.embedded import embedded_stack
from streams.stacks.guarded import GuardedProcess

_INTERRUPTED, _TERMINATED = 130, 143
"""Exit codes after Ctrl-C and after SIGTERM."""


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("demo", rich_help_panel="Start here")(_demo)


@command
def _demo(
    seconds: Annotated[
        float, typer.Option(help="End after so long, counted from when the shop's past is read.", min=1, max=3600)
    ] = 60,
    customers: Annotated[int, typer.Option(help="How many people the shop has.", min=1, max=1_000)] = 300,
    speed: Annotated[
        float | None,
        typer.Option(help="Days that pass in a second; else what suits the length.", min=0.01, max=MAX_SPEED),
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the last view as a picture.", hidden=True)] = None,
) -> None:
    """A shop, a worker and a live view of who enters and leaves. Needs no server, leaves nothing behind."""
    segments = [segment.key for segment in load_definitions().segments]
    with _orderly_end(), embedded_stack(PARTITIONS) as stack:
        plan = plan_demo(seconds, customers, speed, wall_clock())
        settings, state = plan.settings(stack), DemoState(segments, plan.lag_ms)
        picture = LiveScreen(out) if out.is_terminal else PlainLines(out)

        async def play(worker: GuardedProcess) -> bool:
            return await Show(plan, settings, worker, state, picture).run(svg)

        with running_worker(settings) as worker:
            finished = asyncio.run(play(worker))
    if state.live:
        out.print(last_words(state))
        out.print("Kafka and Redis were in memory, and are gone: a demo promises nothing of docs/guarantees.md.")
    if not finished:
        raise typer.Exit(_INTERRUPTED)


@contextmanager
def _orderly_end() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C does, so that every `with` block of ours ends what it started."""

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
