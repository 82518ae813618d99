"""`segments fit` and `segments models`: the parameters of predictions, fitted, published, listed."""

from collections.abc import Iterator
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from schemas.instants import DAY, Instant, rfc3339
from schemas.names import MODEL_PARAMETERS
from schemas.parameters import ModelParameters
from streams.cli.common import FAULT, command, err, instant, load_definitions, out, print_json, progress, run
from streams.cli.populating import all_profiles, events_in
from streams.clock import clock_of, wall_clock
from streams.core.admission import profile_id_of
from streams.core.advance import advance
from streams.core.definitions import Definitions
from streams.core.profile import Profile
from streams.editing import refit
from streams.fit.errors import ExtraError
from streams.fit.sample import Sample
from streams.kafka.following import FollowedTopic
from streams.models import Models
from streams.settings import Settings
from streams.sources.files import write_atomically
from streams.state.reader import Reader
from streams.state.redis_store import connect

if TYPE_CHECKING:
    from streams.fit.report import FitReport

_EXTRA = ("numpy", "scipy", "matplotlib")


class Unit(StrEnum):
    """The unit of time that models count in."""

    DAY = "day"
    WEEK = "week"


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    panel = "Predictions"
    app.command("fit", rich_help_panel=panel)(_fit)
    app.command("models", rich_help_panel=panel)(_models)


@command
def _fit(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Events, one JSON object a line, plain or .gz; '-' is standard input. Else the running system's."
        ),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="Fit to what had happened by then; what came later is the holdout. Else to all there is."),
    ] = None,
    unit: Annotated[Unit, typer.Option(help="The unit of time of the parameters.")] = Unit.WEEK,
    output: Annotated[Path | None, typer.Option("--out", help="Write the parameters, for --models.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw fit and holdout: a file that ends in .svg or .png.")] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Make them the version that all workers judge by.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The parameters as one JSON object.")] = False,
) -> None:
    """Fit the models behind predicted.*: BG/NBD and Gamma-Gamma, by maximum likelihood. Purchases of a day count once.

    Exit 1 where there is too little to fit to, and nothing is published.
    """
    _check_extra()
    from streams.fit.fitting import fit  # noqa: PLC0415 # scipy takes a second to import; only this command needs it
    from streams.fit.report import report_on  # noqa: PLC0415 # as above

    _check_picture(plot)
    definitions, until = load_definitions(), instant(as_of, "--as-of")
    sample = run(_running(until)) if file is None else _from_file(file, definitions, until)
    with progress() as bar:
        bar.add_task("fit", total=None)
        parameters = fit(sample, unit.value, definitions.currency, wall_clock())
        report = report_on(parameters, sample)
    version = None
    if publish:
        refitted = run(refit(Settings(), parameters))
        parameters, version = refitted.parameters, refitted.version
    if output is not None:
        with write_atomically(output) as sink:
            sink.write(parameters.model_dump_json(indent=2).encode() + b"\n")
    if plot is not None:
        from streams.fit.picture import draw  # noqa: PLC0415 # as above

        draw(report, plot)
    _tell(parameters, report, version, as_json=as_json)


def _check_extra() -> None:
    """Whether the libraries are there.

    Raises:
        ExtraError: one is missing.
    """
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise ExtraError(f"fitting needs {', '.join(missing)}; install the extra: pip install 'live-segments[fit]'")


def _check_picture(plot: Path | None) -> None:
    """Before anything long begins.

    Raises:
        BadParameter: no picture can be written there.
    """
    if plot is None:
        return
    from streams.fit.picture import FORMATS  # noqa: PLC0415 # see `_fit`

    if plot.suffix not in FORMATS:
        raise typer.BadParameter(f"'{plot}' must end in one of {', '.join(FORMATS)}", param_hint="--plot")


def _from_file(file: Path, definitions: Definitions, until: Instant | None) -> Sample:
    """The sample of a file; a line that a worker would refuse is counted, and left out."""
    events = events_in(file, definitions, until or 0)
    sample = Sample((events[-1].occurred_at if events else 0) if until is None else until)
    profiles: dict[str, Profile] = {}
    before = [event for event in events if event.occurred_at <= sample.as_of]
    for some, take in ((before, sample.add), (events[len(before) :], sample.hold_out)):
        for event in some:
            profile_id = profile_id_of(event)
            advance(profiles.setdefault(profile_id, Profile(profile_id)), event, definitions.rates)
        for profile in profiles.values():
            take(profile)
    return sample


async def _running(until: Instant | None) -> Sample:
    """The sample of the running system's profiles."""
    settings = Settings()
    sample = Sample(clock_of(settings)() if until is None else until)
    redis = connect(settings.redis_url, patience=2)
    try:
        with progress() as bar:
            task = bar.add_task("read profiles", total=None)
            async for profile in all_profiles(Reader(redis)):
                sample.add(profile)
                sample.hold_out(profile)
                bar.advance(task)
    finally:
        await redis.aclose()
    return sample


def _tell(parameters: ModelParameters, report: "FitReport", version: int | None, *, as_json: bool) -> None:
    body = parameters.model_dump(mode="json", include={"customers", "bgnbd", "gamma_gamma"})
    if as_json:
        print_json(body | ({"version": parameters.version} if parameters.version else {}))
        return
    table = Table(
        title=f"{parameters.customers} customers, {report.repeaters} bought again; as of {rfc3339(parameters.as_of)}"
    )
    table.add_column("model", no_wrap=True)
    table.add_column("parameters")
    for name in ("bgnbd", "gamma_gamma"):
        table.add_row(
            name, ", ".join(f"{key} {value:.4g}" for key, value in body[name].items() if key != "log_likelihood")
        )
    out.print(table)
    out.print(f"  log-likelihood: {parameters.bgnbd.log_likelihood:.1f}; the unit is a {parameters.unit}")
    if report.groups:
        actual, expected = report.held_out
        off = f" ({expected / actual - 1:+.1%})" if actual else ""
        out.print(f"  holdout of {report.holdout // DAY} days: {actual} purchases, {expected:.0f} expected{off}")
    if report.nobody_stops:
        err.print("  nobody stops in this data: predicted.alive stays near 1", style="yellow")
    if parameters.version:
        out.print(f"  published as version {parameters.version}; {_when(version)}")


def _when(version: int | None) -> str:
    """When published parameters are judged by; `version` is of the definitions."""
    if version is None:
        return "the first worker that starts takes them"
    return f"in force with version {version} of the definitions; how far it has got: segments versions"


@command
def _models(
    output: Annotated[Path | None, typer.Option("--out", help="Write one version, for --models of classify.")] = None,
    version: Annotated[int | None, typer.Option(help="Which one; else the latest.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """The published versions of the parameters. Exit 1 where the one that is asked for is not there."""
    library = run(_read()).library
    wanted = library.last if version is None else library.find(version)
    if output is not None or version is not None:
        if wanted is None:
            err.print("no such version is published; segments fit --publish", style="red")
            raise typer.Exit(FAULT)
        if output is not None:
            with write_atomically(output) as sink:
                sink.write(wanted.model_dump_json(indent=2).encode() + b"\n")
    rows = library.versions if version is None else [wanted] if wanted else []
    if as_json:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    table = Table(title=f"{len(rows)} versions of the model parameters")
    for column in ("version", "fitted at", "as of", "customers", "parameters"):
        table.add_column(column)
    for row in rows:
        table.add_row(*_columns(row))
    out.print(table)


def _columns(row: ModelParameters) -> Iterator[str]:
    yield from (str(row.version), rfc3339(row.fitted_at), rfc3339(row.as_of), str(row.customers))
    values: dict[str, Any] = {**row.bgnbd.model_dump(exclude={"log_likelihood"}), **row.gamma_gamma.model_dump()}
    yield ", ".join(f"{name} {value:.4g}" for name, value in values.items())


async def _read() -> Models:
    settings = Settings()
    topic = FollowedTopic(settings.kafka_bootstrap_servers, settings.topic_prefix + MODEL_PARAMETERS)
    try:
        models = Models(topic)
        await models.refresh()
        return models
    finally:
        await topic.close()
