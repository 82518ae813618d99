"""What values a JSON Schema allows, in a few words for people."""

from typing import Any

from pydantic import TypeAdapter

from schemas.fields import Money, When

MONEY: dict[str, Any] = TypeAdapter(Money).json_schema()
WHEN: dict[str, Any] = TypeAdapter(When).json_schema()

NULL = {"type": "null"}
_NAMES = {"string": "text", "boolean": "true or false"}


def kind(schema: dict[str, Any]) -> str:
    """The values of a field.

    >>> kind({"anyOf": [{"type": "string", "maxLength": 256}, {"type": "null"}]})
    'text (up to 256 characters) or null'
    """
    if "anyOf" in schema:
        values = [one for one in schema["anyOf"] if one != NULL]
        names = ["money"] if values == MONEY["anyOf"] else [kind(one) for one in values]
        return " or ".join(names + ["null"] * nullable(schema))
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    return _of_type(schema)


def nullable(schema: dict[str, Any]) -> bool:
    """Whether null is among the values."""
    return NULL in schema.get("anyOf", ())


def _of_type(schema: dict[str, Any]) -> str:
    if schema.get("format") == WHEN["format"]:
        return "instant"
    if "items" in schema:
        return f"list of {kind(schema['items'])}"
    if "additionalProperties" in schema:
        return f"names, each with {kind(schema['additionalProperties'])}"
    if "pattern" in schema:
        return f"text like `{schema['pattern']}`"
    name: str = schema.get("type", "any")
    return _NAMES.get(name, name) + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    if "maxLength" in schema:
        return f" (up to {schema['maxLength']} characters)"
    words = [f"{word} {schema[end]}" for word, end in (("from", "minimum"), ("to", "maximum")) if end in schema]
    return f" ({' '.join(words)})" if words else ""
