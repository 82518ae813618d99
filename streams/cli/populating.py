"""Where commands that look at all customers have them from: a file of events, or the running system."""

from collections.abc import AsyncIterator
from pathlib import Path

from schemas.errors import UndecodableError
from schemas.events import AnyEvent
from schemas.instants import Instant
from schemas.wire import decode
from streams.cli.common import err, progress
from streams.clock import wall_clock
from streams.core.admission import admit
from streams.core.definitions import Definitions
from streams.core.profile import Profile
from streams.sources.files import numbered_events
from streams.state.reader import Reader


def events_in(file: Path, definitions: Definitions, until: Instant) -> list[AnyEvent]:
    """A file's events in order of event time; a line that a worker would refuse, now or then, is counted and left out.

    Raises:
        SourceError: the file cannot be read.
    """
    events: list[AnyEvent] = []
    refused, now = 0, max(wall_clock(), until)
    with progress() as bar:
        task = bar.add_task("read", total=None)
        for number, line in numbered_events(file):
            bar.update(task, completed=number)
            try:
                event = decode(line)
                admit(event, now, definitions.rates)
            except UndecodableError:
                refused += 1
            else:
                events.append(event)
    events.sort(key=lambda event: (event.occurred_at, event.id))
    if refused:
        err.print(f"refused {refused} lines; segments classify says why", style="yellow")
    return events


async def all_profiles(reader: Reader) -> AsyncIterator[Profile]:
    """Every stored profile, shard by shard."""
    for shard in range(await reader.shards()):
        async for some in reader.profiles(shard):
            for profile in some:
                yield profile
