"""The generated documents: valid examples, references that lead somewhere, and `segments docs`."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from pydantic import TypeAdapter
from typer.testing import CliRunner

from schemas.documents import documents
from schemas.documents.examples import EXAMPLES
from schemas.documents.models import DEAD_LETTER, LIVE, OUT, SCHEMAS, SEGMENT_CHANGE
from schemas.documents.topics import TOPICS
from schemas.errors import UndecodableError
from schemas.events import Catalogue
from schemas.names import COMPACTED
from schemas.names import TOPICS as CUSTOMER_TOPICS
from schemas.placement import shard_of
from schemas.transitions import headers_of
from schemas.wire import decode
from streams.cli.documents import register
from streams.kafka.topics import configuration

TEXTS = documents()
JSON_SCHEMAS = {name: json.loads(TEXTS[f"schemas/{name}.json"]) for name in SCHEMAS}
ASYNCAPI = json.loads(TEXTS["asyncapi.json"])
PAGE = TEXTS["topics.md"]
TOPIC_NAMES = (*CUSTOMER_TOPICS, *COMPACTED)
REPOSITORY = Path(__file__).parents[2]

app = typer.Typer()
register(app)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(inner)


def resolve(document: Any, ref: str) -> Any:
    assert ref.startswith("#/"), f"{ref} leads out of its document"
    for step in ref[2:].split("/"):
        document = document[step.replace("~1", "/").replace("~0", "~")]
    return document


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as the rule about the customer's two ids uses."""
    holds: dict[str, Callable[[Any], bool]] = {
        "anyOf": lambda options: any(accepts(option, value) for option in options),
        "type": lambda name: isinstance(value, str) if name == "string" else value is None,
        "not": lambda refused: not accepts(refused, value),
        "pattern": lambda pattern: re.search(pattern, value) is not None,
        "minLength": lambda least: len(value) >= least,
        "maxLength": lambda most: len(value) <= most,
        "required": lambda names: set(names) <= set(value),
        "properties": lambda parts: all(accepts(part, value[key]) for key, part in parts.items() if key in value),
    }
    keywords = [keyword for keyword in ("type", *holds) if keyword in schema]  # a pattern is for text only
    return all(holds[keyword](schema[keyword]) for keyword in keywords)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_example_is_an_instance_of_its_model(name: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(SCHEMAS[name].model)
    read = adapter.validate_json(orjson.dumps(EXAMPLES[name]))
    if SCHEMAS[name].mode == OUT:
        assert adapter.dump_python(read, mode="json") == EXAMPLES[name]


@pytest.mark.parametrize(("kind", "topic"), Catalogue.topic_of.items())
def test_the_example_of_an_event_is_decoded_on_its_topic(kind: str, topic: str) -> None:
    event = decode(orjson.dumps(EXAMPLES[kind]), topic)
    assert event.type == kind


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_says_what_it_is_and_shows_an_example(name: str) -> None:
    schema = JSON_SCHEMAS[name]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:live-segments:schema:1:{name}"
    assert schema["title"] == SCHEMAS[name].model.__name__
    assert schema["description"] == SCHEMAS[name].model.__doc__
    assert schema["examples"] == [EXAMPLES[name]]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_example_holds_what_its_schema_requires_and_nothing_unknown(name: str) -> None:
    schema = JSON_SCHEMAS[name]
    assert set(schema["required"]) <= set(EXAMPLES[name]) <= set(schema["properties"])


@pytest.mark.parametrize("name", [SEGMENT_CHANGE, DEAD_LETTER, LIVE])
def test_of_what_we_write_every_field_is_required(name: str) -> None:
    schema = JSON_SCHEMAS[name]
    for part in (schema, *schema.get("$defs", {}).values()):
        assert set(part.get("required", ())) == set(part.get("properties", ()))


@pytest.mark.parametrize("document", [*JSON_SCHEMAS.values(), ASYNCAPI], ids=[*JSON_SCHEMAS, "asyncapi"])
def test_every_reference_leads_somewhere_in_the_same_document(document: dict[str, Any]) -> None:
    for node in nodes(document):
        if isinstance(node.get("$ref"), str):
            assert isinstance(resolve(document, node["$ref"]), dict)


@pytest.mark.parametrize("name", [SEGMENT_CHANGE, DEAD_LETTER, LIVE, "order.placed"])
def test_every_instant_is_a_date_time(name: str) -> None:
    told = [
        (field, one.get("format"))
        for node in nodes(JSON_SCHEMAS[name])
        for field, schema in node.get("properties", {}).items()
        if field.endswith("_at") or field in {"since", "until"}
        for one in schema.get("anyOf", [schema])
        if one["type"] != "null"
    ]
    assert told
    assert {form for _, form in told} == {"date-time"}


WHO: list[tuple[dict[str, Any], bool]] = [
    ({"customer_id": "c"}, True),
    ({"anonymous_id": "v"}, True),
    ({"customer_id": "c", "anonymous_id": "v"}, True),
    ({"customer_id": None, "anonymous_id": "v"}, True),
    ({}, False),
    ({"customer_id": None}, False),
    ({"customer_id": None, "anonymous_id": None}, False),
    ({"customer_id": "anonymous:v"}, False),
]


@pytest.mark.parametrize(("who", "good"), WHO)
@pytest.mark.parametrize("kind", Catalogue.topic_of)
def test_the_schema_and_the_decoder_agree_on_whose_event_it_is(kind: str, who: dict[str, Any], *, good: bool) -> None:
    event = {name: value for name, value in EXAMPLES[kind].items() if name not in {"customer_id", "anonymous_id"}} | who
    schema = JSON_SCHEMAS[kind]
    ids = {name: schema["properties"][name] for name in ("customer_id", "anonymous_id")}
    assert accepts({"anyOf": schema["anyOf"], "properties": ids}, event) is good
    if good:
        decode(orjson.dumps(event))
    else:
        with pytest.raises(UndecodableError):
            decode(orjson.dumps(event))


def test_a_segment_with_a_bad_key_is_no_part_of_a_definitions_file() -> None:
    assert JSON_SCHEMAS["definitions"]["properties"]["segments"]["additionalProperties"] is False


def test_the_channels_are_all_topics_with_all_their_messages() -> None:
    assert tuple(ASYNCAPI["channels"]) == TOPIC_NAMES
    for name, channel in ASYNCAPI["channels"].items():
        assert channel["address"] == name
        assert tuple(channel["messages"]) == TOPICS[name].messages
    streams = {name: tuple(ASYNCAPI["channels"][name]["messages"]) for name in Catalogue.by_topic}
    assert {kind: name for name, kinds in streams.items() for kind in kinds} == Catalogue.topic_of


def test_every_channel_has_an_operation_and_every_operation_the_messages_of_its_channel() -> None:
    operated = set()
    for operation in ASYNCAPI["operations"].values():
        channel = resolve(ASYNCAPI, operation["channel"]["$ref"])
        operated.add((channel["address"], operation["action"]))
        assert [resolve(ASYNCAPI, row["$ref"]) for row in operation["messages"]] == [*channel["messages"].values()]
    assert operated == {
        ("orders", "receive"),
        ("site-events", "receive"),
        ("support-contacts", "receive"),
        ("rerouted", "receive"),
        ("rerouted", "send"),
        ("segment-changes", "send"),
        ("dead-letters", "send"),
        ("definitions", "receive"),
        ("model-parameters", "receive"),
        ("model-parameters", "send"),
        ("definitions", "send"),
    }


def test_the_payloads_read_the_same_in_draft_7_of_json_schema() -> None:
    later = {"$defs", "$dynamicRef", "prefixItems", "unevaluatedProperties", "dependentRequired", "minContains"}
    for node in nodes(ASYNCAPI["components"]["schemas"]):
        assert not later & set(node)
        assert "$ref" not in node or set(node) == {"$ref"}, "draft 7 ignores what stands beside a reference"


def test_the_headers_of_a_segment_change_are_those_that_are_sent() -> None:
    sent = {name: value.decode() for name, value in headers_of(EXAMPLES[SEGMENT_CHANGE])}
    message = ASYNCAPI["components"]["messages"][SEGMENT_CHANGE]
    assert sent.pop("content-type") == message["contentType"]
    assert message["examples"][0]["headers"] == sent
    assert resolve(ASYNCAPI, message["headers"]["$ref"])["required"] == list(sent)


def test_the_correlation_id_is_shard_and_sequence() -> None:
    message = ASYNCAPI["components"]["messages"][SEGMENT_CHANGE]
    location = resolve(ASYNCAPI, message["correlationId"]["$ref"])["location"]
    change = EXAMPLES[SEGMENT_CHANGE]
    assert resolve(change, location.removeprefix("$message.payload")) == f"{change['shard']}-{change['sequence']}"


def test_the_examples_are_in_the_shard_that_their_key_leads_to() -> None:
    change, letter = EXAMPLES[SEGMENT_CHANGE], EXAMPLES[DEAD_LETTER]
    assert change["shard"] == letter["partition"] == shard_of(change["customer_id"], 8)
    assert letter["id"] == f"{letter['topic']}-{letter['partition']}-{letter['offset']}"


@pytest.mark.parametrize("name", TOPIC_NAMES)
def test_a_topic_is_described_as_it_is_created(name: str) -> None:
    told = ASYNCAPI["channels"][name]["bindings"]["kafka"]["topicConfiguration"]
    flat = {key: ",".join(value) if isinstance(value, list) else str(value) for key, value in told.items()}
    assert flat == configuration(name)


def test_the_page_has_every_topic_and_every_message_and_its_links_lead_somewhere() -> None:
    headings = set(re.findall(r"^#+ (.+)$", PAGE, flags=re.MULTILINE))
    assert {*TOPIC_NAMES, *SCHEMAS} <= headings
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert target in {*TEXTS, "schemas/"} or target[1:] in {heading.lower() for heading in headings}


def test_a_field_that_may_be_left_out_may_be_null() -> None:
    decode(orjson.dumps(EXAMPLES["cart.item_added"] | {"quantity": None}))


def test_the_documents_are_the_same_each_time_and_end_with_one_newline() -> None:
    assert documents() == TEXTS
    assert all(text.endswith("\n") and not text.endswith("\n\n") for text in TEXTS.values())


def test_what_was_written_has_no_difference(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path / "new")) == (
        0,
        f"{tmp_path / 'new'}: {len(TEXTS)} documents, {len(TEXTS)} changed\n",
    )
    assert run("--out", str(tmp_path / "new"), "--check") == (
        0,
        f"{tmp_path / 'new'}: {len(TEXTS)} documents, no difference\n",
    )
    assert run("--out", str(tmp_path / "new")) == (0, f"{tmp_path / 'new'}: {len(TEXTS)} documents, 0 changed\n")


def test_a_check_names_each_file_that_differs_and_a_write_settles_them(tmp_path: Path) -> None:
    run("--out", str(tmp_path))
    (tmp_path / "topics.md").write_text("by hand")
    (tmp_path / "schemas" / "live.json").unlink()
    (tmp_path / "schemas" / "order.gone.json").write_text(TEXTS["schemas/order.placed.json"])
    (tmp_path / "schemas" / "of-somebody-else.json").write_text("{}")
    code, output = run("--out", str(tmp_path), "--check")
    assert code == 1
    assert output.splitlines()[:-1] == [
        f"{tmp_path}/schemas/live.json: missing",
        f"{tmp_path}/topics.md: differs",
        f"{tmp_path}/schemas/order.gone.json: left over",
    ]
    assert (tmp_path / "topics.md").read_text() == "by hand"
    assert run("--out", str(tmp_path))[0] == 0
    assert run("--out", str(tmp_path), "--check")[0] == 0
    assert (tmp_path / "schemas" / "of-somebody-else.json").read_text() == "{}"
    assert not (tmp_path / "schemas" / "order.gone.json").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, output = run("--out", str(tmp_path / "file"))
    assert code == 1
    assert "file" in output
    assert "Traceback" not in output


def test_the_documents_of_this_repository_are_what_the_models_say() -> None:
    assert run("--out", str(REPOSITORY / "docs"), "--check")[0] == 0
