"""The contract on paper: JSON Schemas, an AsyncAPI document and a page for people, all made from the models.

Pure: text in memory only. `segments docs` writes it, `segments docs --check` compares.
"""

import json
from typing import Any

from schemas.documents.asyncapi import asyncapi
from schemas.documents.models import SCHEMAS, URN, schema_document
from schemas.documents.page import page

FOLDER = "schemas"
"""Where the JSON Schemas stand, below the folder of the documents."""


def documents() -> dict[str, str]:
    """Every document: its path below the folder of the documents, and its text. Always the same for the same models."""
    texts = {f"{FOLDER}/{name}.json": _json(schema_document(name)) for name in SCHEMAS}
    texts["asyncapi.json"] = _json(asyncapi())
    texts["topics.md"] = page()
    return texts


def is_ours(content: bytes) -> bool:
    """Whether a JSON Schema was made here, perhaps by an earlier version: its `$id` tells.

    >>> is_ours(b'{"$id": "urn:live-segments:schema:1:order.gone"}')
    True
    """
    return f'"$id": "{URN}'.encode() in content


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
