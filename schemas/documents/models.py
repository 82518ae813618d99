"""JSON Schemas (draft 2020-12) of the models, as a reader in another language needs them."""

from typing import Any, NamedTuple, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from schemas.deadletters import DeadLetter
from schemas.definitions import DefinitionsFile, DefinitionsVersion
from schemas.documents.examples import EXAMPLES
from schemas.events import Catalogue, Event
from schemas.live import Live
from schemas.parameters import ModelParameters
from schemas.transitions import SegmentChange

URN = "urn:live-segments:schema:1:"
"""What `$id` of every schema begins with; the number is the version of the messages. A name, not a place."""

IN: JsonSchemaMode = "validation"
OUT: JsonSchemaMode = "serialization"

SEGMENT_CHANGE, DEAD_LETTER, LIVE, DEFINITIONS = "segment-change", "dead-letter", "live", "definitions"
DEFINITIONS_VERSION, PARAMETERS = "definitions-version", "model-parameters"


class Contract(NamedTuple):
    """A model that somebody outside writes (`IN`) or reads (`OUT`)."""

    model: type[BaseModel]
    mode: JsonSchemaMode


def type_of(model: type[Event]) -> str:
    """The event type of a model.

    >>> from schemas.events import OrderPlaced
    >>> type_of(OrderPlaced)
    'order.placed'
    """
    name: str = get_args(model.model_fields["type"].annotation)[0]
    return name


SCHEMAS: dict[str, Contract] = {
    **{type_of(model): Contract(model, IN) for models in Catalogue.by_topic.values() for model in models},
    SEGMENT_CHANGE: Contract(SegmentChange, OUT),
    DEAD_LETTER: Contract(DeadLetter, OUT),
    DEFINITIONS_VERSION: Contract(DefinitionsVersion, OUT),
    LIVE: Contract(Live, OUT),
    DEFINITIONS: Contract(DefinitionsFile, IN),
    PARAMETERS: Contract(ModelParameters, OUT),
}
"""Name of a schema -> what it is of."""


class Plain(GenerateJsonSchema):
    """pydantic's generator, with what it leaves unsaid or says twice put right."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: "Order Id" says no more than `order_id`."""
        del schema
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 # pydantic's own signature
        """Of what we write, every field is there; a default only matters to those who write to us."""
        return self.mode == OUT or super().field_is_required(field, total)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """One flat list of alternatives, and what is said about the value beside it instead of within."""
        inner = self.generate_inner(schema["schema"])
        notes: JsonSchemaValue = {key: inner[key] for key in ("description", "examples") if key in inner}
        value = {key: inner[key] for key in inner if key not in notes}
        alternatives = value["anyOf"] if set(value) == {"anyOf"} else [value]
        return {"anyOf": [*alternatives, {"type": "null"}], **notes}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Where keys have a pattern, others are refused."""
        made = super().dict_schema(schema)
        return made | {"additionalProperties": False} if "patternProperties" in made else made


def schema_document(name: str) -> dict[str, Any]:
    """The JSON Schema of one contract, complete in itself, with examples."""
    model, mode = SCHEMAS[name]
    made = model.model_json_schema(mode=mode, schema_generator=Plain)
    head = {
        "$schema": Plain.schema_dialect,
        "$id": URN + name,
        "title": made.pop("title"),
        "description": made.pop("description"),
    }
    definitions = {"$defs": made.pop("$defs")} if "$defs" in made else {}
    return head | made | definitions | {"examples": [EXAMPLES[name]]}


def component_schemas() -> dict[str, Any]:
    """The schemas of all messages by the names of their models, which refer to each other within one document."""
    wanted = [SCHEMAS[name] for name in SCHEMAS if name not in {LIVE, DEFINITIONS}]
    _, made = models_json_schema(wanted, schema_generator=Plain, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = made["$defs"]
    return schemas
