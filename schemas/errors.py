"""Errors of this package. Every message names the thing, the place and the way out."""

from enum import StrEnum


class SchemaError(Exception):
    """Base of every error that this package raises."""


class Reason(StrEnum):
    """Why a message became a dead letter; stable codes that an alert or a replay tool may match on."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_TOPIC = "wrong_topic"
    INVALID = "invalid"
    NO_CUSTOMER = "no_customer"
    FUTURE = "future"
    UNKNOWN_CURRENCY = "unknown_currency"


class UndecodableError(SchemaError):
    """A message that is not an event of ours.

    Attributes:
        reason: the stable code.
        detail: one line for a person, without values that may be personal data.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep the code beside the sentence."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class DefinitionsError(SchemaError):
    """A definitions file that cannot be used; lists every fault found, not only the first."""

    def __init__(self, faults: "list[str]") -> None:
        """Join the faults, one a line."""
        super().__init__("\n".join(faults))
        self.faults = faults


class ParametersError(SchemaError):
    """Model parameters that cannot be used."""


class TwinError(SchemaError):
    """A model that has no fast form, because it has a rule that `schemas.twins` does not know."""


class PlacementError(SchemaError):
    """A partition count that cannot be, or that contradicts the one that the state was written with."""
