"""Field types that several models share: ids, money, instants, short texts."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from schemas.instants import Instant, rfc3339, to_instant

_RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
"""Source: RFC 3339, section 5.6. Without it, "1767225600" would be taken as Unix time."""
_FIRST, _LAST = to_instant(datetime(1, 1, 1, tzinfo=UTC)), to_instant(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))


def _instant(moment: datetime) -> Instant:
    """The instant of a date and time that can be written down again."""
    instant = to_instant(moment)
    if not _FIRST <= instant <= _LAST:
        raise ValueError("the instant lies outside the years 1 to 9999 in UTC")
    return instant


_text_of_an_instant = core_schema.custom_error_schema(
    core_schema.str_schema(pattern=_RFC3339, strict=True),
    custom_error_type="rfc3339",
    custom_error_message="must be RFC 3339 with an offset, as in 2026-01-31T12:00:00Z",
)


class InstantOnTheWire:
    """RFC 3339 with an offset on the wire, integer microseconds in the program."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """For pydantic."""
        del source, handler
        moment = core_schema.chain_schema(
            [_text_of_an_instant, core_schema.datetime_schema(strict=False, tz_constraint="aware")]
        )
        from_text = core_schema.no_info_after_validator_function(_instant, moment)
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
