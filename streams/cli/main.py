"""The command line `segments`: what there is, in the order in which a newcomer meets it."""

import typer

from streams.cli import (
    classifying,
    defining,
    demonstrating,
    discovering,
    documents,
    editing,
    explaining,
    fitting,
    generating,
    importing,
    looking,
    publishing,
    rebuilding,
    running,
    verifying,
)

app = typer.Typer(
    name="segments",
    help="Who is this customer, right now? Live segments from orders, site events and support contacts, "
    "with the reason for every change.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    demonstrating,
    defining,
    editing,
    classifying,
    importing,
    generating,
    running,
    verifying,
    rebuilding,
    publishing,
    looking,
    explaining,
    fitting,
    discovering,
    documents,
):
    group.register(app)


def run() -> None:
    """The entry point."""
    app()
