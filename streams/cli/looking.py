"""`segments members`, `show`, `watch`: who is in, who is this, and what changes right now."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from rich.table import Table

from consumers.subscription import ChangeStream
from schemas.instants import Instant, rfc3339
from schemas.transitions import CauseKind, SegmentChange
from streams.cli.common import FAULT, command, err, out, print_json, run
from streams.core.definitions import Definitions, Segment
from streams.core.errors import CoreError
from streams.core.language.catalogue import unknown
from streams.core.language.explain import instant_text
from streams.core.money import to_text
from streams.settings import Settings
from streams.state.reader import CustomerState, Reader
from streams.state.redis_store import connect
from streams.versions import in_force

_JSON = typer.Option("--json", help="As JSON, for programs.")


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    panel = "Looking at a running system"
    app.command("members", rich_help_panel=panel)(_members)
    app.command("show", rich_help_panel=panel)(_show)
    app.command("watch", rich_help_panel=panel)(_watch)


@asynccontextmanager
async def reading() -> AsyncIterator[Reader]:
    """A reader of the running system."""
    redis = connect(Settings().redis_url, patience=2)
    try:
        yield Reader(redis)
    finally:
        await redis.aclose()


def segment_of(definitions: Definitions, key: str) -> Segment:
    """The segment of a key.

    Raises:
        CoreError: there is none.
    """
    segment = definitions.segment(key)
    if segment is None:
        raise CoreError(unknown("segment", key, [known.key for known in definitions.segments]))
    return segment


@command
def _members(
    segment: Annotated[str, typer.Argument(help="The segment's key.")],
    limit: Annotated[int | None, typer.Option(help="At most so many, the earliest first.", min=1)] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Who is in a segment right now, and since when."""
    key = segment_of(run(in_force(Settings())).latest, segment).key

    async def read() -> list[tuple[str, Instant]]:
        async with reading() as reader:
            return await reader.members(key, limit)

    rows = run(read())
    if as_json:
        print_json([{"customer": customer, "since": rfc3339(since)} for customer, since in rows])
        return
    table = Table(title=f"{segment}: {len(rows)} members")
    table.add_column("customer", no_wrap=True)
    table.add_column("since")
    for customer, since in rows:
        table.add_row(customer, rfc3339(since))
    out.print(table)


def state_of(customer: str) -> CustomerState:
    """What is stored of a customer.

    Raises:
        Exit: with 1, if nobody of that id has been seen.
    """

    async def read() -> CustomerState | None:
        async with reading() as reader:
            return await reader.customer(customer)

    state = run(read())
    if state is None:
        err.print(f"nobody called '{customer}' has been seen", style="red", markup=False)
        raise typer.Exit(FAULT)
    return state


@command
def _show(
    customer: Annotated[str, typer.Argument(help="Customer id, or anonymous:ID.")],
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Everything about one customer: segments with since and until, and the profile in figures."""
    state, definitions = state_of(customer), run(in_force(Settings())).latest
    profile = state.profile
    figures: dict[str, Any] = {
        "orders": profile.orders.count,
        "spend": f"{to_text(profile.orders.spend, definitions.currency)} {definitions.currency}",
        "last_order_at": instant_text(profile.orders.last_at),
        "cart_items": profile.cart.items,
        "engaged_at": instant_text(profile.engaged_at),
        "subscribed": profile.email.subscribed,
        "contacts": len(profile.support.contacts),
        "seen_at": instant_text(profile.seen_at),
        "shard": state.shard,
        "looked_at_again": instant_text(state.due),
    }
    if as_json:
        print_json({"customer": customer, **figures, **state.live.model_dump(mode="json", exclude={"customer"})})
        return
    table = Table(title=f"{customer}: {len(state.live.segments)} segments")
    for column in ("segment", "since", "until at least"):
        table.add_column(column, no_wrap=True)
    for row in state.live.segments:
        table.add_row(row.segment, rfc3339(row.since), instant_text(row.until) or "further notice")
    out.print(table)
    for name, value in figures.items():
        out.print(f"  {name.replace('_', ' ')}: {'-' if value is None else value}")


@command
def _watch(
    segment: Annotated[str | None, typer.Option(help="Only this segment.")] = None,
    count: Annotated[int | None, typer.Option(help="End after so many changes.", min=1)] = None,
    seconds: Annotated[float | None, typer.Option(help="End after so long.", min=0.1)] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="From the oldest change that Kafka has.")] = False,
    without: Annotated[
        list[CauseKind] | None, typer.Option(help="Leave out changes of this cause; may be given again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """The change stream, live, until Ctrl-C."""
    if segment is not None:
        segment_of(run(in_force(Settings())).latest, segment)
    settings = Settings()

    def changes() -> ChangeStream:
        kafka, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
        return ChangeStream(kafka, prefix, from_start=from_start, without=without or ())

    run(_follow(changes, segment, count, seconds, as_json=as_json))


async def _follow(
    stream: Callable[[], ChangeStream], segment: str | None, count: int | None, seconds: float | None, *, as_json: bool
) -> None:
    """Show changes; the stream is made here, where a loop runs."""
    shown = 0
    try:
        async with asyncio.timeout(seconds), stream() as changes:
            async for change in changes:
                if segment is not None and change.segment != segment:
                    continue
                if as_json:
                    print_json(change.model_dump(mode="json"))
                else:
                    out.print(change_line(change), markup=False)
                shown += 1
                if shown == count:
                    return
    except TimeoutError:
        return


def change_line(change: SegmentChange) -> str:
    """A change on one line."""
    who = change.customer_id or f"anonymous:{change.anonymous_id}"
    sign = "+" if change.type == "segment.entered" else "-"
    cause = change.cause.event_type or change.cause.kind
    return f"{rfc3339(change.effective_at):<24} {sign} {change.segment:<20} {who}  ({cause})"
