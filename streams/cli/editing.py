"""`segments preview`, `apply`, `versions`, `rollback`: definitions that are changed while the system runs."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from schemas.instants import rfc3339
from streams.cli.common import command, err, out, print_json, progress, run
from streams.core.definitions import compile_definitions
from streams.core.preview import Moving, SegmentPreview
from streams.editing import EditError, Taken, follow, previewed, publish, standing
from streams.settings import Settings
from streams.versions import in_force

_JSON = typer.Option("--json", help="As JSON, for programs.")
_NO_WAIT = typer.Option("--no-wait", help="Come back once it is published; the sweep goes on without this command.")
_CURRENCY = typer.Option(
    "--currency", help="Accept another base currency or other rates: amounts that are stored stay as they are."
)


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    panel = "Definitions"
    app.command("preview", rich_help_panel=panel)(_preview)
    app.command("apply", rich_help_panel=panel)(_apply)
    app.command("versions", rich_help_panel=panel)(_versions)
    app.command("rollback", rich_help_panel=panel)(_rollback)


@command
def _preview(
    file: Annotated[Path, typer.Argument(help="The definitions file that might be applied.")],
    examples: Annotated[int, typer.Option(help="Customers named on each side of a change.", min=0, max=1_000)] = 3,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """How many would join and leave each segment, by the profiles of the running system. Changes nothing."""
    text = file.read_text()
    compile_definitions(text)
    with progress() as bar:
        task = bar.add_task("preview", total=None)
        version, seen = run(
            previewed(Settings(), text, examples, lambda done, of: bar.update(task, completed=done, total=of))
        )
    if as_json:
        segments = {key: _as_json(one) for key, one in seen.segments.items()}
        print_json({"in_force": version, "customers": seen.customers, "segments": segments})
        return
    table = Table(title=f"{file} beside version {version}: {seen.customers} customers")
    table.add_column("segment", no_wrap=True)
    for column in ("now", "join", "leave", "then"):
        table.add_column(column, justify="right")
    table.add_column("for example")
    for key, one in seen.segments.items():
        name = key if one.edit == "same" else f"{key} ({one.edit})"
        table.add_row(name, str(one.now), _some(one.joining), _some(one.leaving), str(one.then), _named(one))
    out.print(table)


def _as_json(one: SegmentPreview) -> dict[str, Any]:
    moving = {"joining": vars(one.joining), "leaving": vars(one.leaving)}
    return {"edit": one.edit, "now": one.now, **moving, "then": one.then}


def _some(moving: Moving) -> str:
    return str(moving.count) if moving.count else "-"


def _named(one: SegmentPreview) -> str:
    signed = [("+", one.joining.examples), ("-", one.leaving.examples)]
    return " ".join(f"{sign}{customer}" for sign, customers in signed for customer in customers)


@command
def _apply(
    file: Annotated[Path, typer.Argument(help="The definitions file.")],
    no_wait: Annotated[bool, _NO_WAIT] = False,
    currency: Annotated[bool, _CURRENCY] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Put definitions in force, without a stop: checked, published as the next version, taken over by every shard.

    Everybody is then judged by them; what that changes is told with `cause: definition`. Ctrl-C does not end that.
    """
    text = file.read_text()
    compile_definitions(text)
    _put_in_force(text, None, no_wait=no_wait, currency=currency, as_json=as_json)


@command
def _rollback(
    version: Annotated[
        int | None, typer.Argument(help="The version to go back to; the one before if not given.")
    ] = None,
    no_wait: Annotated[bool, _NO_WAIT] = False,
    currency: Annotated[bool, _CURRENCY] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Put an earlier version in force again, as the next one."""
    versions = run(in_force(Settings()))
    number = versions.latest.version - 1 if version is None else version
    message = versions.library.find(number)
    if message is None:
        there = ", ".join(str(one.version) for one in versions.library.versions)
        raise EditError(f"there is no version {number} to go back to; there are: {there}")
    _put_in_force(message.text, number, no_wait=no_wait, currency=currency, as_json=as_json)


def _put_in_force(text: str, restores: int | None, *, no_wait: bool, currency: bool, as_json: bool) -> None:
    settings = Settings()
    published = run(publish(settings, text, restores, accept_currency=currency))
    if published.is_news:
        err.print(f"version {published.version} is published", markup=False)
    else:
        err.print(f"version {published.version}, which is in force, says the same: nothing is published", markup=False)
    if no_wait:
        taken = run(standing(settings, published.version))
    else:
        with progress() as bar:
            task = bar.add_task(f"version {published.version}", total=None)

            def show(now: Taken) -> None:
                bar.update(task, completed=now.judged, total=now.customers)

            taken = run(follow(settings, published.version, show))
    _tell(published.version, taken, is_news=published.is_news, as_json=as_json)


def _tell(version: int, taken: Taken, *, is_news: bool, as_json: bool) -> None:
    if as_json:
        print_json({"version": version, "published": is_news, **vars(taken)})
        return
    if taken.done:
        out.print(f"version {version} is in force in all {taken.shards} shards; everybody is judged by it")
    else:
        state = f"version {version}: taken over by {taken.taken_over} of {taken.shards} shards, swept in {taken.swept}"
        why = "" if taken.workers else "; no worker runs: it goes on when one is started"
        out.print(state + why)


@command
def _versions(
    show: Annotated[int | None, typer.Option(help="Print the definitions file of this version.")] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Every version of the definitions, and how far the latest has got."""
    settings = Settings()
    versions = run(in_force(settings))
    if show is not None:
        message = versions.library.find(show)
        if message is None:
            raise EditError(f"there is no version {show}")
        typer.echo(message.text, nl=not message.text.endswith("\n"))
        return
    taken = run(standing(settings, versions.latest.version))
    rows: list[dict[str, Any]] = [
        {
            "version": one.version,
            "published_at": rfc3339(one.published_at),
            "origin": one.origin,
            "restores": one.restores,
            "model_version": one.model_version,
            "segments": len((versions.library.compiled(one.version) or versions.latest).segments),
        }
        for one in versions.library.versions
    ]
    if as_json:
        print_json({"versions": rows, "latest": {"version": versions.latest.version, **vars(taken)}})
        return
    table = Table()
    for column in ("version", "published", "by", "segments", "models"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        by = row["origin"] if row["restores"] is None else f"{row['origin']} to {row['restores']}"
        models = "-" if row["model_version"] is None else str(row["model_version"])
        table.add_row(str(row["version"]), row["published_at"], by, str(row["segments"]), models)
    out.print(table)
    _tell(versions.latest.version, taken, is_news=False, as_json=False)
