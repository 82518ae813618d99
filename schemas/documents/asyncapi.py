"""The AsyncAPI document of all topics, from the classifier's view: it receives events and sends segment changes.

Source: AsyncAPI 3.0.0; Kafka bindings 0.5.0. Payloads stand in the default schema format, JSON Schema draft 7 with
additions, of which the models use only what draft 2020-12 reads the same.
"""

from typing import Any, get_args

from schemas.documents.examples import EXAMPLES
from schemas.documents.models import DEAD_LETTER, SCHEMAS, SEGMENT_CHANGE, component_schemas
from schemas.documents.topics import BY_ID, DEDUPLICATION, KEY, RECEIVED, REFUSED, SENT, TOPICS, VERSIONS, Topic
from schemas.transitions import SOURCE, Direction, headers_of

_BINDING = "0.5.0"
_JSON = "application/json"
_TRANSPORT_HEADERS = {"content-type"}
"""Said by `contentType` already."""

_HEADERS: dict[str, dict[str, Any]] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": {"description": "`id` of the change."},
    "ce_source": {"const": SOURCE},
    "ce_type": {"enum": list(get_args(Direction))},
    "ce_time": {"format": "date-time", "description": "`effective_at` of the change."},
    "ce_subject": {"description": "`customer_id` of the change, or `anonymous_id` where there is none."},
}

_ABOUT = (
    "Live customer segments: orders, site events and support contacts in, exact segment changes out, each with its "
    "reason. All topics of customers have the same number of partitions; partition p of all of them is shard p. Every "
    "name may have a prefix before it that the installation chooses (`SEGMENTS_TOPIC_PREFIX`). Unknown fields are "
    f"ignored, so that either side may add some. {REFUSED}"
)


def asyncapi() -> dict[str, Any]:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:live-segments",
        "info": {"title": "Live segments", "version": "1.0.0", "description": _ABOUT},
        "defaultContentType": _JSON,
        "servers": {"kafka": _server()},
        "channels": {name: _channel(name, topic) for name, topic in TOPICS.items()},
        "operations": _operations(),
        "components": {
            "schemas": component_schemas() | {"CloudEventHeaders": _header_schema()},
            "messages": {name: _message(name) for topic in TOPICS.values() for name in topic.messages},
            "correlationIds": {
                "change": {"description": DEDUPLICATION, "location": "$message.payload#/id"},
            },
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "{bootstrap}",
        "protocol": "kafka",
        "description": "The Kafka that producers, the classifier and subscribers share.",
        "variables": {
            "bootstrap": {
                "default": "localhost:9092",
                "description": "Host and port of a bootstrap server, as in KAFKA_BOOTSTRAP_SERVERS.",
            }
        },
    }


def _channel(name: str, topic: Topic) -> dict[str, Any]:
    return {
        "address": name,
        "summary": topic.purpose,
        "description": f"Written by {topic.written_by}. {topic.key} Kept {topic.kept}.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in topic.messages},
        "bindings": {"kafka": {"topicConfiguration": topic.configuration(), "bindingVersion": _BINDING}},
    }


def _operations() -> dict[str, Any]:
    received = {f"receive-{name}": _operation("receive", name, "Apply the events of") for name in RECEIVED}
    sent = {f"send-{name}": _operation("send", name, "Write to") for name in SENT}
    return received | sent


def _operation(action: str, topic: str, verb: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": f"{verb} `{topic}`.",
        "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in TOPICS[topic].messages],
    }


def _message(name: str) -> dict[str, Any]:
    model = SCHEMAS[name].model
    message: dict[str, Any] = {
        "name": name,
        "title": model.__name__,
        "summary": model.__doc__,
        "contentType": _JSON,
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }
    example: dict[str, Any] = {"name": "example", "payload": EXAMPLES[name]}
    if name == SEGMENT_CHANGE:
        message["description"] = DEDUPLICATION
        message["headers"] = {"$ref": "#/components/schemas/CloudEventHeaders"}
        message["correlationId"] = {"$ref": "#/components/correlationIds/change"}
        example["headers"] = _headers()
    if name != DEAD_LETTER:
        message["bindings"] = {
            "kafka": {"key": _key_schema(BY_ID if name in VERSIONS else KEY), "bindingVersion": _BINDING}
        }
    return message | {"examples": [example]}


def _key_schema(key: str) -> dict[str, Any]:
    """Not a reference: the official schema of the binding takes one for two things at once, and refuses it."""
    return {"type": "string", "minLength": 1, "description": key}


def _headers() -> dict[str, str]:
    """The CloudEvents headers of the example, as text."""
    headers = headers_of(EXAMPLES[SEGMENT_CHANGE])
    return {name: value.decode() for name, value in headers if name not in _TRANSPORT_HEADERS}


def _header_schema() -> dict[str, Any]:
    """What the headers of a segment change hold; one of them that is missing here is a `KeyError`."""
    return {
        "type": "object",
        "title": "CloudEventHeaders",
        "description": "CloudEvents 1.0 attributes, in the binary mode of its Kafka binding; all are UTF-8 text.",
        "properties": {name: {"type": "string"} | _HEADERS[name] for name in _headers()},
        "required": list(_headers()),
    }
