"""`segments why`, `history`: what a customer's membership rests on, now or then, and how it came about."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.instants import NEVER, Instant, rfc3339
from schemas.transitions import SegmentChange
from streams.cli.common import command, err, instant, load_definitions, out, print_json, run
from streams.cli.looking import change_line, reading, segment_of, state_of
from streams.clock import clock_of
from streams.core.advance import MODELS
from streams.core.definitions import Definitions, Segment
from streams.core.language.explain import explain, instant_text
from streams.core.language.outlook import Outlook, outlook
from streams.core.profile import Profile
from streams.core.trace import Trace, kept, trace
from streams.past import changes_of, events_of
from streams.settings import Settings
from streams.state.reader import CustomerState
from streams.versions import in_force

_JSON = typer.Option("--json", help="As JSON, for programs.")


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    panel = "Looking at a running system"
    app.command("why", rich_help_panel=panel)(_why)
    app.command("history", rich_help_panel=panel)(_history)


@command
def _why(
    customer: Annotated[str, typer.Argument(help="Customer id, or anonymous:ID.")],
    segment: Annotated[str, typer.Argument(help="The segment's key.")],
    at: Annotated[str | None, typer.Option(help="An instant, past or to come; now if not given.")] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Read the customer's events from Kafka, and name those behind each clause.")
    ] = False,
    definitions_file: Annotated[
        Path | None, typer.Option("--definitions", help="Judge by this file, not by what was in force.")
    ] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Why a customer is in a segment or not: each clause with its value, its threshold, what is behind it, until when.

    For an instant before the customer's last event, their events up to then are read from Kafka.
    """
    asked, settings = instant(at, "--at"), Settings()
    state = state_of(customer)
    now = max(clock_of(settings)(), state.profile.seen_at) if asked is None else asked
    definitions = (
        _definitions_at(settings, state, asked) if definitions_file is None else load_definitions(definitions_file)
    )
    segment_of(definitions, segment)
    past = None
    if events or now < state.profile.seen_at:
        past = trace(customer, run(events_of(settings, customer, state.shard, now)), definitions.rates)
    answer = why(_Asked(customer, segment, now, definitions), state.profile if past is None else past.profile, past)
    if as_json:
        print_json(answer)
        return
    for line in why_lines(answer):
        out.print(line, markup=False)


def _definitions_at(settings: Settings, state: CustomerState, at: Instant | None) -> Definitions:
    """The version that is in force where the customer lives; or that was the latest published at an instant."""
    versions = run(in_force(settings))
    library = versions.library
    number = state.version or versions.latest.version
    if at is not None:
        published = [one.version for one in library.versions if one.published_at <= at]
        number = min(number, published[-1] if published else library.versions[0].version)
    return library.compiled(number) or versions.latest


@dataclass(frozen=True)
class _Asked:
    """A question."""

    customer: str
    segment: str
    at: Instant
    definitions: Definitions


def why(asked: _Asked, profile: Profile, past: Trace | None) -> dict[str, Any]:
    """The answer for programs. `past` is how the profile came about, where it was read from Kafka."""
    rule, now = segment_of(asked.definitions, asked.segment), asked.at
    holds, until = rule.judge(profile, now)
    ahead: Outlook = outlook(rule.rule, profile, now)
    clauses = explain(rule.rule, profile, now, asked.definitions.currency)
    for row, clause in zip(clauses, rule.rule.clauses, strict=True):
        row["events"] = kept(profile, clause.groups) if past is None else past.behind(clause.groups)
    return {
        "customer": asked.customer,
        "segment": asked.segment,
        "member": holds,
        "at": rfc3339(now),
        "until": None if until >= NEVER else instant_text(until),
        "changes_at": instant_text(ahead.changes_at),
        "not_before": instant_text(ahead.not_before),
        "turning": ahead.turning,
        "unless": ahead.unless,
        "needs": ahead.needs,
        "rule": " ".join(rule.when.split()),
        "definitions_version": asked.definitions.version,
        "model_version": asked.definitions.model_version,
        "clauses": clauses,
        "notes": _notes(asked.definitions, rule, profile),
        "events_from": "profile" if past is None else "kafka",
    }


def _notes(definitions: Definitions, segment: Segment, profile: Profile) -> list[str]:
    """What the predictions of a rule are made with, or why they have no value."""
    if not segment.rule.groups & MODELS:
        return []
    if definitions.parameters is None:
        return ["predictions have no value: no model parameters are published; segments fit --publish"]
    if not profile.orders.count:
        return ["predictions have no value for who has no order that counts"]
    return [f"predictions by version {definitions.model_version} of the model parameters"]


def why_lines(answer: dict[str, Any]) -> list[str]:
    """The answer of `why` for people. Not a table: clauses are long, and none of their figures may be cut off."""
    is_in = "is in" if answer["member"] else "is not in"
    lines = [
        f"{answer['customer']} {is_in} {answer['segment']} at {answer['at']}",
        *(f"  {line}" for line in _ending(answer)),
        f"rule of version {answer['definitions_version']}: {answer['rule']}",
    ]
    lines += answer["notes"]
    for row in answer["clauses"]:
        value, threshold = ("none" if row[name] is None else row[name] for name in ("value", "threshold"))
        lines += [
            f"  {'yes' if row['holds'] else 'no':<3}  {row['clause']}",
            f"       value {value}, threshold {threshold}, until {row['until'] or 'something happens'}",
        ]
        if row["events"]:
            behind = ", ".join(f"{event['type']} {event['id']}" for event in row["events"])
            lines.append(f"       behind it: {behind}")
    return lines


def _ending(answer: dict[str, Any]) -> list[str]:
    """What may become of it."""
    verb = "leaves" if answer["member"] else "would enter"
    needs = f"{verb} when {answer['needs']}"
    if answer["changes_at"]:
        unless = f", unless there are {' or '.join(answer['unless'])} before" if answer["unless"] else ""
        return [f"{verb} at {answer['changes_at']}, by {' and '.join(answer['turning']) or 'time'}{unless}", needs]
    if answer["not_before"]:
        return [f"by time alone, {verb} not before {answer['not_before']}", needs]
    return [f"by time alone, never {verb.removeprefix('would ')}", needs]


@command
def _history(
    customer: Annotated[str, typer.Argument(help="Customer id, or anonymous:ID.")],
    segment: Annotated[str | None, typer.Option(help="Only this segment.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many, the latest.", min=1)] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: the changes as subscribers got them.")
    ] = False,
) -> None:
    """Every change of a customer's segments, as Kafka has them. Exit 1 if nobody of that id has been seen."""
    found = run(_changes(customer))
    if not found:
        state_of(customer)
    shown = [change for change in found if segment in {None, change.segment}]
    for change in shown if limit is None else shown[-limit:]:
        if as_json:
            print_json(change.model_dump(mode="json"))
        else:
            out.print(f"{change_line(change)}  version {change.definitions_version}", markup=False)
    if not shown and not as_json:
        err.print(f"nothing was ever said of {customer}{'' if segment is None else f' and {segment}'}", markup=False)


async def _changes(customer: str) -> list[SegmentChange]:
    async with reading() as reader:
        shard = await reader.shard_of(customer)
    return [change async for change in changes_of(Settings(), customer, shard)]
