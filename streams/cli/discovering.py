"""`segments discover`: groups among customers, what sets them apart, and a candidate rule for each."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.table import Table

from schemas.instants import Instant, rfc3339
from streams.cli.common import command, err, instant, out, print_json, progress, run
from streams.cli.populating import all_profiles, events_in
from streams.clock import clock_of
from streams.core.admission import profile_id_of
from streams.core.advance import advance
from streams.core.definitions import Definitions, compile_definitions
from streams.core.profile import Profile
from streams.discover.errors import LibrariesError
from streams.settings import Settings
from streams.sources.files import PIPE, write_atomically
from streams.state.reader import Reader
from streams.state.redis_store import connect
from streams.versions import in_force

if TYPE_CHECKING:
    from streams.discover.candidates import Candidate
    from streams.discover.clustering import Clustering
    from streams.discover.population import Population

_EXTRA = {"sklearn": "scikit-learn", "numpy": "numpy", "matplotlib": "matplotlib"}
"""Module -> the package that has it."""
_MOST = 50


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command("discover", rich_help_panel="Discovery")(_discover)


@command
def _discover(  # noqa: PLR0913, PLR0917 # each parameter is an option of the command
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Events, one JSON object a line, plain or .gz; '-' is standard input. Else the running system's."
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Look at customers as they were then; needs a file. Else as of its last event.")
    ] = None,
    clusters: Annotated[
        int | None, typer.Option(help="So many; else as many as stand apart best.", min=2, max=_MOST)
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds find equal clusters.", min=0, max=2**32 - 1)] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--out", help="Write the definitions with the candidates at their end; '-' is standard output."),
    ] = None,
    members: Annotated[Path | None, typer.Option(help="Write {candidate: [ids of its cluster, sorted]}.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw what sets clusters apart: a file that ends in .svg, .png or .pdf.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The clusters as one JSON object.")] = False,
) -> None:
    """Find groups among customers, and write a candidate rule for each, with its precision and recall. Changes nothing.

    Exit 1 where there are too few customers, or they are all alike.
    """
    _check_extra()
    from streams.discover.candidates import candidates  # noqa: PLC0415 # scikit-learn takes seconds to import
    from streams.discover.clustering import cluster  # noqa: PLC0415 # as above
    from streams.discover.population import population_of  # noqa: PLC0415 # as above

    _check_usage(file, as_of, plot)
    if output == members == PIPE:
        raise typer.BadParameter("only one of --out and --members can be standard output")
    until = instant(as_of, "--as-of")
    text, definitions, profiles, now = run(_running()) if file is None else _from_file(file, until)
    with progress() as bar:
        bar.add_task("discover", total=None)
        population = population_of(profiles, now, definitions.currency)
        clustering = cluster(population.scaled, seed, clusters)
        found = candidates(population, clustering, seed, definitions.positions)
    _write(found, population, text, output, members)
    if plot is not None:
        from streams.discover.picture import draw  # noqa: PLC0415 # as above

        draw(found, clustering, len(population.profiles), plot)
    _tell(population, clustering, found, as_json=as_json, to_stderr=PIPE in {output, members})


def _write(
    found: list["Candidate"], population: "Population", text: str, output: Path | None, members: Path | None
) -> None:
    from streams.discover.candidates import file_of  # noqa: PLC0415 # see `_discover`

    if output is not None:
        written = file_of(text, found, population)
        with write_atomically(output) as sink:
            sink.write(written.encode())
    if members is not None:
        body = {one.key: one.members for one in found}
        with write_atomically(members) as sink:
            sink.write(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _check_extra() -> None:
    """Whether the libraries are there.

    Raises:
        LibrariesError: one is missing.
    """
    missing = [package for module, package in _EXTRA.items() if find_spec(module) is None]
    if missing:
        raise LibrariesError(
            f"discovery needs {', '.join(missing)}; install the extra: pip install 'live-segments[discover]'"
        )


def _check_usage(file: Path | None, as_of: str | None, plot: Path | None) -> None:
    """Before anything long begins.

    Raises:
        BadParameter: options that do not go together, or no picture can be written there.
    """
    from streams.discover.picture import FORMATS  # noqa: PLC0415 # see `_discover`

    if as_of is not None and file is None:
        raise typer.BadParameter("stored profiles are of now; give a file of events, too", param_hint="--as-of")
    if plot is not None and plot.suffix not in FORMATS:
        raise typer.BadParameter(f"'{plot}' must end in one of {', '.join(FORMATS)}", param_hint="--plot")


def _from_file(file: Path, until: Instant | None) -> tuple[str, Definitions, list[Profile], Instant]:
    """The definitions of the settings, and the customers of a file."""
    text = Settings().definitions_path().read_text()
    definitions = compile_definitions(text)
    events = events_in(file, definitions, until or 0)
    now = until if until is not None else events[-1].occurred_at if events else 0
    profiles: dict[str, Profile] = {}
    for event in events:
        if event.occurred_at <= now:
            profile_id = profile_id_of(event)
            advance(profiles.setdefault(profile_id, Profile(profile_id)), event, definitions.rates)
    return text, definitions, list(profiles.values()), now


async def _running() -> tuple[str, Definitions, list[Profile], Instant]:
    """The definitions in force, and the customers of the running system."""
    settings = Settings()
    versions = await in_force(settings)
    message = versions.library.find(versions.latest.version)
    text = message.text if message else ""
    redis = connect(settings.redis_url, patience=2)
    try:
        now = clock_of(settings)()
        return text, versions.latest, [profile async for profile in all_profiles(Reader(redis))], now
    finally:
        await redis.aclose()


def _tell(
    population: "Population", clustering: "Clustering", found: list["Candidate"], *, as_json: bool, to_stderr: bool
) -> None:
    if as_json:
        print_json(_as_json(population, clustering, found), to_stderr=to_stderr)
        return
    title = f"{len(population.profiles)} customers as of {rfc3339(population.now)}, {len(found)} clusters"
    table = Table(title=f"{title}, mean silhouette {clustering.silhouette:.2f}", show_lines=True)
    table.add_column("candidate", no_wrap=True)
    for column in ("size", "precision", "recall"):
        table.add_column(column, justify="right")
    table.add_column("what sets it apart, and its rule")
    for one in found:
        table.add_row(
            one.key, str(len(one.members)), f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.title}\n{one.when}"
        )
    (err if to_stderr else out).print(table)
    if clustering.is_weak:
        err.print("  these clusters hardly stand apart: customers of this shop pass into one another", style="yellow")


def _as_json(population: "Population", clustering: "Clustering", found: list["Candidate"]) -> dict[str, Any]:
    return {
        "customers": len(population.profiles),
        "as_of": rfc3339(population.now),
        "features": [feature.text for feature in population.features],
        "measure": "silhouette",
        "silhouettes": clustering.silhouettes,
        "weak": clustering.is_weak,
        "clusters": [
            {
                "key": one.key,
                "title": one.title,
                "size": len(one.members),
                "when": one.when,
                "holds_for": one.judged,
                "precision": one.precision,
                "recall": one.recall,
                "apart": [trait.feature for trait in one.apart],
                "traits": [vars(trait) for trait in one.traits],
            }
            for one in found
        ],
    }
