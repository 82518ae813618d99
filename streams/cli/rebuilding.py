"""`segments rebuild`: state made anew from the inputs."""

from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from streams.cli.common import command, err, out, print_json, progress, run
from streams.rebuild.rebuild import rebuild
from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("rebuild", rich_help_panel="Running system")(_rebuild)


class Bars:
    """`streams.rebuild.rebuild.Watch` as one progress bar for each shard."""

    def __init__(self, bars: Progress) -> None:
        """Show them here."""
        self._bars = bars
        self._task: TaskID | None = None

    def begin(self, shard: int, total: int) -> None:
        """See `Watch.begin`."""
        self._task = self._bars.add_task(f"shard {shard}", total=total)

    def advance(self, count: int) -> None:
        """See `Watch.advance`."""
        if self._task is not None:
            self._bars.advance(self._task, count)


@command
def _rebuild(
    shard: Annotated[list[int] | None, typer.Option(help="Only this shard; may be given again. Else all.")] = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Go on although Kafka no longer has the first events.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as one JSON object.")] = False,
) -> None:
    """Make the state anew from the inputs, beside the live one, and put it in its place. Workers may run.

    Subscribers are told only what is otherwise than they know, with `cause: rebuild`.
    """
    with progress() as bars:
        done = run(rebuild(Settings(), shard, watch=Bars(bars), incomplete=incomplete))
    if as_json:
        print_json({"shards": [vars(one) for one in done]})
    else:
        for one in done:
            out.print(f"shard {one.shard}: {one.customers} customers from {one.records} records")
    silent = [one.shard for one in done if not one.speaks]
    if silent:
        err.print(f"shards {silent} are silent until a worker has caught up", style="yellow")
