"""Parameters of the models, for tests."""

from typing import Any

from schemas.parameters import BgNbd, GammaGamma, ModelParameters


def parameters(**given: Any) -> ModelParameters:
    """Those of the CDNOW sample (Fader, Hardie, Lee 2005; Fader, Hardie 2013), but for what is given."""
    rows: dict[str, Any] = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426, "p": 6.25, "q": 3.74, "v": 15.44}
    rows |= {"version": 0, "unit": "week", "currency": "GBP"} | given
    return ModelParameters(
        version=rows["version"],
        fitted_at=0,
        as_of=0,
        unit=rows["unit"],
        currency=rows["currency"],
        customers=2_357,
        bgnbd=BgNbd(**{name: rows[name] for name in ("r", "alpha", "a", "b")}, log_likelihood=-9582.4),
        gamma_gamma=GammaGamma(**{name: rows[name] for name in ("p", "q", "v")}),
    )


CDNOW = parameters()
