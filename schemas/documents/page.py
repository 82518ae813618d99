"""The page for people: every topic, and every message with its fields, on one page of Markdown."""

from collections.abc import Iterable, Iterator
from inspect import cleandoc
from typing import Any

from pydantic.json_schema import JsonSchemaMode

from schemas import live
from schemas.documents.kinds import MONEY, WHEN, kind, nullable
from schemas.documents.models import DEFINITIONS, IN, LIVE, OUT, SCHEMAS, schema_document
from schemas.documents.topics import DEDUPLICATION, KEY, REFUSED, TOPICS
from schemas.events import Event, Item
from schemas.names import COMPACTED, SEGMENT_CHANGES, STREAMS, live_key

_COMMON = tuple(f"`{name}`" for name in Event.model_fields)
_TOLD_ONCE = {MONEY["description"], WHEN["description"]}
"""Said at the top of the page, and not again at each field."""

Row = tuple[str, str, str, str]

_HEAD = f"""\
# Topics and messages

Made by `segments docs` from the models in `schemas/`: change those, not this page. The same for programs: the JSON
Schemas in [schemas/](schemas/), and [asyncapi.json](asyncapi.json). `segments.toml` is described by
[schemas/{DEFINITIONS}.json](schemas/{DEFINITIONS}.json).
"""
_RULES = f"""\
{KEY} All topics but {" and ".join(f"`{name}`" for name in COMPACTED)} have the same number of partitions.

Messages are JSON in UTF-8. Unknown fields are ignored. In an event, a field that is not required
may be null, unless it says otherwise. {REFUSED}

- An *instant* is {WHEN["description"][:-1]}: `{WHEN["examples"][0]}`.
- *Money*: {MONEY["description"][0].lower()}{MONEY["description"][1:]}
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, *_topics(), _RULES, *_every_event()]
    for name in TOPICS:
        parts += _events(name) if name in STREAMS else _output(name)
    return "\n".join([*parts, *_read_model()])


def _topics() -> Iterator[str]:
    rows = [(f"[{name}](#{name})", topic.written_by, topic.purpose) for name, topic in TOPICS.items()]
    yield _table(("topic", "written by", "what is on it"), rows)


def _every_event() -> Iterator[str]:
    """What all events share, told once."""
    yield "## Every event\n\n`customer_id` or `anonymous_id` must be there; with both, the customer counts.\n"
    order = schema_document(TOPICS[STREAMS[0]].messages[0])
    common = [row for row in _rows(order, IN) if row[0] in _COMMON]
    yield _fields(common, IN)
    yield "Beside these, each event has a `type`, and what stands under its type below.\n"
    yield from _part(Item.__name__, order["$defs"][Item.__name__], IN)


def _events(topic: str) -> Iterator[str]:
    """A topic of events: what all of its types share, and then each with its own."""
    yield from _head(topic)
    schemas = {name: schema_document(name) for name in TOPICS[topic].messages}
    rows = {
        name: [row for row in _rows(schema, IN) if row[0] not in (*_COMMON, "`type`")]
        for name, schema in schemas.items()
    }
    shared = [row for row in next(iter(rows.values())) if all(row in others for others in rows.values())]
    if shared:
        yield "Each of these events may have:\n"
        yield _fields(shared, IN)
    for name, schema in schemas.items():
        yield f"### {name}\n\n{schema['description']} ([schema](schemas/{name}.json))\n"
        own = [row for row in rows[name] if row not in shared]
        if own:
            yield _fields(own, IN)


def _output(topic: str) -> Iterator[str]:
    """A topic that the classifier writes; what is on it is described here, unless it is an event."""
    yield from _head(topic)
    for name in TOPICS[topic].messages:
        if SCHEMAS[name].mode == OUT:
            yield from _whole(name, 3)
    if topic == SEGMENT_CHANGES:
        yield f"{DEDUPLICATION} The headers are the change's CloudEvents attributes (`ce_id`, `ce_type`, …).\n"


def _head(topic: str) -> Iterator[str]:
    purpose, kept = TOPICS[topic].purpose, TOPICS[topic].kept
    key = "" if TOPICS[topic].key == KEY else f" {TOPICS[topic].key}"
    yield f"## {topic}\n\n{purpose}{key} Kept {kept}.\n"


def _read_model() -> Iterator[str]:
    yield f"## The read model\n\n{cleandoc(live.__doc__ or '')}\n"
    yield f"The key of shard 3 is `{live_key(3)}`. `schemas.live.read_live` makes this of what is stored:\n"
    yield from _whole(LIVE, 3)


def _whole(name: str, level: int) -> Iterator[str]:
    """Something that we write, with all its parts."""
    schema = schema_document(name)
    yield f"{'#' * level} {name}\n\n{schema['description']} ([schema](schemas/{name}.json))\n"
    yield _fields(_rows(schema, OUT), OUT)
    for title, part in schema.get("$defs", {}).items():
        yield from _part(title, part, OUT)


def _part(title: str, schema: dict[str, Any], mode: JsonSchemaMode) -> Iterator[str]:
    """A part of a message that has fields, or values, of its own."""
    yield f"#### {title}\n\n{schema['description']}\n"
    yield f"{kind(schema)}.\n" if "enum" in schema else _fields(_rows(schema, mode), mode)


def _rows(schema: dict[str, Any], mode: JsonSchemaMode) -> list[Row]:
    """Name, value, whether it is required, meaning."""
    rows = []
    for name, field in schema["properties"].items():
        meaning = field.get("description", "")
        required = name in schema.get("required", ())
        value = kind(field)
        if mode == IN and not required:  # may be null, as the page says once; what may not is the exception
            value = value.removesuffix(" or null") if nullable(field) else f"{value}, not null"
        rows.append((f"`{name}`", value, "yes" if required else "", "" if meaning in _TOLD_ONCE else meaning))
    return rows


def _fields(rows: Iterable[Row], mode: JsonSchemaMode) -> str:
    if mode == OUT:
        return _table(("field", "value", "meaning"), [(name, value, meaning) for name, value, _, meaning in rows])
    return _table(("field", "value", "required", "meaning"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
