"""The definitions file: segments as data, checked with these models. Rules are compiled by the core."""

import re
import tomllib
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import DefinitionsError
from schemas.fields import Currency, Id, When
from schemas.places import find, place

SegmentKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class CurrencyTable(BaseModel):
    """The currency that profiles count in, and what others are worth in it (major units for one major unit)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Currency = "GBP"
    rates: dict[Currency, Annotated[Decimal, Field(gt=0, max_digits=20)]] = Field(default_factory=dict)


class SegmentDefinition(BaseModel):
    """One segment: what it is called and when somebody is in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=128)]
    when: Annotated[str, Field(min_length=1, max_length=2_000)]
    description: Annotated[str, Field(max_length=1_000)] = ""


class DefinitionsFile(BaseModel):
    """A whole definitions file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[int, Field(ge=1)] = 1
    currency: CurrencyTable = CurrencyTable()
    segments: Annotated[dict[SegmentKey, SegmentDefinition], Field(min_length=1, max_length=256)]


class DefinitionsVersion(BaseModel):
    """A version of all segments, as published. Numbers count up by one; of two with one number the first counts."""

    model_config = ConfigDict(frozen=True)

    id: Id = Field(description="Of this message; two that were published at once differ in it.")
    version: int = Field(ge=1, description="What changes of segments name as `definitions_version`.")
    published_at: When = Field(description="Wall clock of whoever published it.")
    origin: Literal["start", "apply", "rollback", "fit"] = Field(
        description="A worker that found no version; `segments apply`; `segments rollback`; `segments fit --publish`."
    )
    restores: int | None = Field(None, description="The version that a rollback took the text from.")
    model_version: int | None = Field(
        None, description="The version of the parameters of predictions that goes with it; null: there were none."
    )
    text: str = Field(description="The definitions file.")


def read_version(value: bytes | None) -> DefinitionsVersion | None:
    """The version in a message; None: it is none."""
    try:
        return DefinitionsVersion.model_validate_json(value or b"")
    except ValidationError:
        return None


def parse_definitions(text: str) -> DefinitionsFile:
    """A definitions file from its text; rules are not compiled here.

    Raises:
        DefinitionsError: not TOML, or not of this form; one line per fault, with its place where that is known.
    """
    try:
        body: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionsError([_syntax_fault(text, str(error))]) from None
    try:
        return DefinitionsFile.model_validate(body)
    except ValidationError as error:
        raise DefinitionsError([_form_fault(text, fault) for fault in error.errors(include_url=False)]) from None


def _syntax_fault(text: str, message: str) -> str:
    """Tomllib's message, its place first: it ends in "(at line 2, column 14)" or "(at end of document)"."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL)
    if found is None:
        return f"not TOML: {message}"
    where = f"line {found[2]} column {found[3]}" if found[2] else place(text, len(text))
    return f"{where}: not TOML: {found[1]}"


def _form_fault(text: str, fault: ErrorDetails) -> str:
    """A fault that pydantic found, with its place, and for an unknown key the nearest one that there is."""
    path = [str(step) for step in fault["loc"] if step != "[key]"]
    message = fault["msg"]
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(path[-1], _keys_of(path[:-1]), 1, 0.5)
        known = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_keys_of(path[:-1]))}"
        message = f"unknown key; {known}"
    offset = find(text, path)
    where = "" if offset is None else f"{place(text, offset)}: "
    return f"{where}{'.'.join(path)}: {message}"


def _keys_of(path: list[str]) -> list[str]:
    """What the table at a path may hold."""
    models: dict[tuple[str, ...], type[BaseModel]] = {(): DefinitionsFile, ("currency",): CurrencyTable}
    return list(models.get(tuple(path), SegmentDefinition).model_fields)
