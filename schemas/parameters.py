"""Fitted parameters of the models behind `predicted.*`: what `segments fit` publishes, and what rules are judged by."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import ParametersError
from schemas.fields import Currency, When

Positive = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]

_STRICT = ConfigDict(frozen=True, extra="forbid")


class BgNbd(BaseModel):
    """How often customers buy and when they stop: BG/NBD (Fader, Hardie, Lee 2005). `alpha` is in `unit`s."""

    model_config = _STRICT

    r: Positive
    alpha: Positive
    a: Positive
    b: Positive
    log_likelihood: Annotated[float, Field(allow_inf_nan=False)] = Field(
        description="Of the data that it was fitted to."
    )


class GammaGamma(BaseModel):
    """What an order is worth: Gamma-Gamma (Fader, Hardie 2013). `v` is in major units of `currency`."""

    model_config = _STRICT

    p: Positive
    q: Positive
    v: Positive


class ModelParameters(BaseModel):
    """One version of the parameters that `predicted.*` is worked out with."""

    model_config = _STRICT

    id: str = Field("", description="Of this message; two that were published at once differ in it.")
    version: Annotated[int, Field(ge=0)] = Field(
        0, description="Counts up by one from message to message; 0 in a file that was never published."
    )
    fitted_at: When = Field(description="Wall clock of whoever fitted.")
    as_of: When = Field(description="Only what had happened by then was fitted to.")
    unit: Literal["day", "week"] = Field(description="The unit of time of `bgnbd`.")
    currency: Currency = Field(description="The base currency of the definitions that it is for.")
    customers: Annotated[int, Field(ge=1)] = Field(description="How many had bought by then.")
    bgnbd: BgNbd
    gamma_gamma: GammaGamma


def read_parameters(text: str | bytes, where: str) -> ModelParameters:
    """Parameters from JSON.

    Args:
        text: the JSON.
        where: what it was read from, for the message.

    Raises:
        ParametersError: it is not of this form.
    """
    try:
        return ModelParameters.model_validate_json(text)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors()]
        raise ParametersError(f"{where} holds no model parameters: {'; '.join(faults[:3])}") from None
