"""`segments publish`: a file of events to the topics that they belong on."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import UndecodableError
from schemas.names import SITE_EVENTS
from schemas.wire import route
from streams.cli.common import FAULT, UNREACHABLE, command, err, out, print_json, progress, run
from streams.kafka.publisher import Publisher
from streams.kafka.topics import ensure_topics
from streams.settings import Settings
from streams.sources.files import open_events

_PACE = 0.005
"""Seconds; the shortest pause that is worth making."""


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("publish", rich_help_panel="Running system")(_publish)


@command
def _publish(
    file: Annotated[Path, typer.Argument(help="Events, one JSON object a line; plain or .gz; '-' is standard input.")],
    rate: Annotated[float | None, typer.Option(help="Events a second; else as fast as possible.", min=0.1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.")] = False,
) -> None:
    """Publish a file of events, keyed by customer. Lines that are no events are sent too: they become dead letters."""
    settings = Settings()
    kafka, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
    run(ensure_topics(kafka, prefix, settings.partitions, settings.replication))
    publisher = Publisher(kafka, prefix)
    sent: Counter[str] = Counter()
    broken, start = 0, time.monotonic()
    with progress() as bar:
        task = bar.add_task("publish", total=None)
        for number, line in enumerate(open_events(file), start=1):
            try:
                topic, key = route(line)
            except UndecodableError:
                topic, key, broken = SITE_EVENTS, "", broken + 1
            publisher.send(topic, key, line)
            sent[topic] += 1
            bar.update(task, completed=number)
            if rate is not None:
                ahead = start + number / rate - time.monotonic()
                if ahead > _PACE:
                    time.sleep(ahead)
        failures = publisher.finish()
    seconds = time.monotonic() - start
    if as_json:
        print_json({"sent": dict(sent), "broken": broken, "failed": len(failures), "seconds": round(seconds, 3)})
    else:
        topics = ", ".join(f"{topic} {count}" for topic, count in sorted(sent.items()))
        out.print(f"published {sent.total()} in {seconds:.1f} s ({topics}); {broken} are no events")
    if failures:
        err.print(f"{len(failures)} were not accepted; the first: {failures[0]}", style="red", markup=False)
        raise typer.Exit(FAULT if len(failures) < sent.total() else UNREACHABLE)
