"""`segments members`, `show`, `why`, `watch`: who is in, who is this, why, and what changes right now."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from consumers.subscription import ChangeStream
from schemas.instants import NEVER, Instant, rfc3339
from schemas.transitions import SegmentChange
from streams.cli.common import FAULT, command, err, instant, load_definitions, out, print_json, run
from streams.clock import clock_of
from streams.core.definitions import Definitions, Segment
from streams.core.errors import CoreError
from streams.core.language.catalogue import unknown
from streams.core.language.explain import explain, instant_text
from streams.core.money import to_text
from streams.settings import Settings
from streams.state.reader import CustomerState, Reader
from streams.state.redis_store import connect

_JSON = typer.Option("--json", help="As JSON, for programs.")


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    panel = "Looking at a running system"
    app.command("members", rich_help_panel=panel)(_members)
    app.command("show", rich_help_panel=panel)(_show)
    app.command("why", rich_help_panel=panel)(_why)
    app.command("watch", rich_help_panel=panel)(_watch)


@asynccontextmanager
async def _reader() -> AsyncIterator[Reader]:
    redis = connect(Settings().redis_url, patience=2)
    try:
        yield Reader(redis)
    finally:
        await redis.aclose()


def _segment(definitions: Definitions, key: str) -> Segment:
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
    key = _segment(load_definitions(), segment).key

    async def read() -> list[tuple[str, Instant]]:
        async with _reader() as reader:
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


def _state(customer: str) -> CustomerState:
    async def read() -> CustomerState | None:
        async with _reader() as reader:
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
    state, definitions = _state(customer), load_definitions()
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
def _why(
    customer: Annotated[str, typer.Argument(help="Customer id, or anonymous:ID.")],
    segment: Annotated[str, typer.Argument(help="The segment's key.")],
    at: Annotated[str | None, typer.Option(help="An instant after the customer's last event; else now.")] = None,
    definitions_file: Annotated[Path | None, typer.Option("--definitions", help="Another definitions file.")] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Why a customer is in a segment or not: each clause with its value, its threshold, and until when that holds."""
    definitions = load_definitions(definitions_file)
    rule, asked = _segment(definitions, segment), instant(at, "--at")
    state = _state(customer)
    now = max(clock_of(Settings())() if asked is None else asked, state.profile.seen_at)
    holds, until = rule.judge(state.profile, now)
    clauses = explain(rule.rule, state.profile, now, definitions.currency)
    answer = {
        "customer": customer,
        "segment": segment,
        "member": holds,
        "at": rfc3339(now),
        "until": None if until >= NEVER else instant_text(until),
        "rule": " ".join(rule.when.split()),
        "definitions_version": definitions.version,
        "clauses": clauses,
    }
    if as_json:
        print_json(answer)
        return
    for line in why_lines(answer):
        out.print(line, markup=False)


def why_lines(answer: dict[str, Any]) -> list[str]:
    """The answer of `why` for people. Not a table: clauses are long, and none of their figures may be cut off."""
    verb = "leaves" if answer["member"] else "may enter"
    ending = f"{verb} at {answer['until']} if nothing else happens" if answer["until"] else "until something happens"
    is_in = "is in" if answer["member"] else "is not in"
    lines = [
        f"{answer['customer']} {is_in} {answer['segment']} at {answer['at']}: {ending}",
        f"rule: {answer['rule']}",
    ]
    for row in answer["clauses"]:
        value, threshold = ("none" if row[name] is None else row[name] for name in ("value", "threshold"))
        lines += [
            f"  {'yes' if row['holds'] else 'no':<3}  {row['clause']}",
            f"       value {value}, threshold {threshold}, until {row['until'] or 'something happens'}",
        ]
    return lines


@command
def _watch(
    segment: Annotated[str | None, typer.Option(help="Only this segment.")] = None,
    count: Annotated[int | None, typer.Option(help="End after so many changes.", min=1)] = None,
    seconds: Annotated[float | None, typer.Option(help="End after so long.", min=0.1)] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="From the oldest change that Kafka has.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """The change stream, live, until Ctrl-C."""
    if segment is not None:
        _segment(load_definitions(), segment)
    run(_follow(segment, count, seconds, from_start=from_start, as_json=as_json))


async def _follow(
    segment: str | None, count: int | None, seconds: float | None, *, from_start: bool, as_json: bool
) -> None:
    settings, shown = Settings(), 0
    try:
        async with (
            asyncio.timeout(seconds),
            ChangeStream(settings.kafka_bootstrap_servers, settings.topic_prefix, from_start=from_start) as changes,
        ):
            async for change in changes:
                if segment is not None and change.segment != segment:
                    continue
                if as_json:
                    print_json(change.model_dump(mode="json"))
                else:
                    out.print(_line(change), markup=False)
                shown += 1
                if shown == count:
                    return
    except TimeoutError:
        return


def _line(change: SegmentChange) -> str:
    who = change.customer_id or f"anonymous:{change.anonymous_id}"
    sign = "+" if change.type == "segment.entered" else "-"
    cause = change.cause.event_type or change.cause.kind
    return f"{rfc3339(change.effective_at):<24} {sign} {change.segment:<20} {who}  ({cause})"
