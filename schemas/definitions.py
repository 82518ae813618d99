"""The definitions file: segments as data, checked with these models. Rules are compiled by the core."""

import tomllib
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import DefinitionsError
from schemas.fields import Currency

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


def parse_definitions(text: str) -> DefinitionsFile:
    """A definitions file from its text; rules are not compiled here.

    Raises:
        DefinitionsError: not TOML, or not of this form; one line per fault.
    """
    try:
        body: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionsError([f"not TOML: {error}"]) from None
    try:
        return DefinitionsFile.model_validate(body)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)]
        raise DefinitionsError(faults) from None
