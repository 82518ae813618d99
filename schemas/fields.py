"""Field types that several models share: ids, money, instants, short texts."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from pydantic import Field, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas.instants import Instant, rfc3339, to_instant

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""Read by one parser, msgspec's, in the models and in their twins: RFC 3339 with an offset, section 5.6, its notes
included (a blank for the T), and ISO 8601's "+0100"; more than six decimals are rounded."""
FIRST, LAST = to_instant(datetime(1, 1, 1, tzinfo=UTC)), to_instant(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
"""The instants that can be written down again."""


def _instant(text: str) -> Instant:
    """The instant of a date and time on the wire."""
    try:
        instant = to_instant(msgspec.convert(text, Moment))
    except msgspec.ValidationError:
        raise PydanticCustomError("rfc3339", "must be RFC 3339 with an offset, as in 2026-01-31T12:00:00Z") from None
    if not FIRST <= instant <= LAST:
        raise ValueError("the instant lies outside the years 1 to 9999 in UTC")
    return instant


class InstantOnTheWire:
    """RFC 3339 with an offset on the wire, integer microseconds in the program."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """For pydantic."""
        del source, handler
        from_text = core_schema.no_info_after_validator_function(_instant, core_schema.str_schema(strict=True))
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema([core_schema.int_schema(strict=True), from_text]),
        )


When = Annotated[
    int,
    InstantOnTheWire,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339 with an offset.",
            "examples": ["2026-01-31T12:00:00Z"],
        }
    ),
]
"""An instant: RFC 3339 with an offset on the wire ("2026-01-31T12:00:00Z"), microseconds in the program."""

Id = Annotated[str, Field(min_length=1, max_length=256)]
"""An identifier of the shop's."""

Label = Annotated[str, Field(max_length=256)]
"""A short text: a category, a channel, a coupon."""

Text = Annotated[str, Field(max_length=20_000)]
"""A long text that a person wrote."""

Url = Annotated[str, Field(max_length=4_096)]

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["GBP"])]
"""ISO 4217 code."""

MAX_MONEY = 10**13
"""Minor units."""

Money = Annotated[
    Annotated[int, Field(ge=0, le=MAX_MONEY)] | Annotated[str, Field(pattern=r"^[0-9]{1,11}(\.[0-9]{1,3})?$")],
    Field(
        description="An integer counts minor units (5990 is 59.90 GBP); text is a decimal number of major units "
        "('59.90'). A JSON fraction is refused: binary fractions are not money.",
        examples=[5990, "59.90"],
    ),
]

Quantity = Annotated[int, Field(ge=1, le=1_000_000)]

Version1 = Annotated[int, Field(ge=1, le=1, json_schema_extra={"const": 1})]
"""The only version that there is. Not a literal: to Python, true and 1.0 equal 1."""
