"""`segments worker`, `topics`, `health`, `check --running`: the running system."""

import logging
from typing import Annotated, Any

import typer
from rich.logging import RichHandler

from schemas.names import TOPICS
from streams.cli.common import FAULT, command, err, out, print_json, run
from streams.clock import wall_clock
from streams.kafka.topics import ensure_topics
from streams.preflight.check import look
from streams.preflight.rules import Finding
from streams.settings import Settings
from streams.state.reader import Reader
from streams.state.redis_store import connect


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    panel = "Running system"
    app.command("worker", rich_help_panel=panel)(_worker)
    app.command("topics", rich_help_panel=panel)(_topics)
    app.command("health", rich_help_panel=panel)(_health)


@command
def _worker(
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run a worker until SIGTERM or Ctrl-C. Settings come from the environment: SEGMENTS_…, see docs/operations.md."""
    from streams.run import run_worker  # noqa: PLC0415 # Faust takes a second to import; only this command needs it

    logging.basicConfig(
        level=log_level.upper(),
        format="%(message)s" if err.is_terminal else "%(asctime)s %(levelname)s %(name)s %(message)s",
        handlers=[RichHandler(console=err, show_path=False)] if err.is_terminal else None,
    )
    for noisy in ("aiokafka", "faust", "mode"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    run_worker(Settings())


@command
def _topics(
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as one JSON object.")] = False,
) -> None:
    """Create the topics that are missing, and check that all have the same number of partitions."""
    settings = Settings()
    prefix = settings.topic_prefix
    count = run(ensure_topics(settings.kafka_bootstrap_servers, prefix, settings.partitions, settings.replication))
    if as_json:
        print_json({"topics": [prefix + name for name in TOPICS], "partitions": count})
    else:
        out.print(f"{count} partitions each: {', '.join(prefix + name for name in TOPICS)}")


def check_running(*, as_json: bool) -> None:
    """Whether a worker with these settings would start: what is not as it must be, refused, accepted or only told of.

    Raises:
        Exit: with 1, if it would not.
    """
    settings = Settings()
    findings = run(_findings(settings))
    refused = [finding for finding in findings if finding.is_refused(settings.allow_unsafe)]
    if as_json:
        print_json({"ok": not refused, "findings": [_row(one, is_refused=one in refused) for one in findings]})
    else:
        for finding in findings:
            out.print(f"{'refused' if finding in refused else 'told'}: {finding}", markup=False)
        out.print("a worker would not start" if refused else "a worker would start")
    if refused:
        raise typer.Exit(FAULT)


def _row(finding: Finding, *, is_refused: bool) -> dict[str, Any]:
    rule = finding.rule
    return {
        "places": finding.places,
        "setting": rule.setting,
        "value": finding.value,
        "must": rule.must,
        "accept": rule.hazard,
        "refused": is_refused,
        "breaks": rule.breaks,
    }


async def _findings(settings: Settings) -> list[Finding]:
    redis = connect(settings.redis_url, patience=1)
    try:
        return await look(redis, settings.kafka_bootstrap_servers, settings.topic_prefix)
    finally:
        await redis.aclose()


@command
def _health(
    as_json: Annotated[bool, typer.Option("--json", help="The outcome as one JSON object.")] = False,
) -> None:
    """Whether every shard has a live worker. Exit 1 if not."""
    shards, alive = run(_look())
    owned = {shard for sign in alive.values() for shard in sign["shards"]}
    missing = sorted(set(range(shards)) - owned)
    silent = sorted(shard for sign in alive.values() for shard in sign["silent"])
    lag = sum(sum(sign["lag"].values()) for sign in alive.values())
    if as_json:
        answer = {"ok": not missing, "workers": sorted(alive), "shards": shards, "unowned": missing, "silent": silent}
        print_json(answer | {"lag": lag})
    else:
        state = f"shards without a worker: {missing}" if missing else "all shards are served"
        state += f"; making their state anew: {silent}" if silent else ""
        out.print(f"{len(alive)} workers, {shards} shards, {lag} events waiting; {state}")
    if missing:
        raise typer.Exit(FAULT)


async def _look() -> tuple[int, dict[str, dict[str, Any]]]:
    redis = connect(Settings().redis_url, patience=1)
    try:
        reader = Reader(redis)
        return await reader.shards(), await reader.alive(wall_clock())
    finally:
        await redis.aclose()
