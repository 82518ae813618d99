"""What a valid event must still fulfil before it may touch a profile: not of the future, in a known currency."""

from collections.abc import Callable
from typing import Any

from schemas.errors import Reason, UndecodableError
from schemas.events import AnyEvent, Catalogue
from schemas.instants import MINUTE, SECOND, Duration, Instant, rfc3339
from schemas.names import ANONYMOUS, REROUTED
from streams.core.money import Rates

_AMOUNTS: dict[str, Callable[[Any], tuple[int | str, str | None]]] = {
    "order.placed": lambda event: (event.total, event.currency),
    "order.updated": lambda event: (event.total or 0, event.currency),
    "order.refunded": lambda event: (event.amount, event.currency),
}
"""The money in an event, where there is any."""

PRICED = frozenset({REROUTED, *(Catalogue.topic_of[kind] for kind in _AMOUNTS)})
"""The topics whose events may have money in them."""

ALLOWED_SKEW: Duration = 5 * MINUTE
"""How far ahead of us a producer's clock may be."""


def admit(event: AnyEvent, now: Instant, rates: Rates, skew: Duration = ALLOWED_SKEW) -> None:
    """Let an event in.

    Raises:
        UndecodableError: it is further in the future than `skew`, or in a currency without a rate.
    """
    if event.occurred_at > now + skew:
        detail = f"occurred_at is {(event.occurred_at - now) / SECOND:.0f} s ahead of {rfc3339(now)}"
        raise UndecodableError(Reason.FUTURE, detail)
    if event.type in _AMOUNTS:
        rates.minor(*_AMOUNTS[event.type](event))


def profile_id_of(event: AnyEvent) -> str:
    """The profile that an event belongs to: the customer where known, else the anonymous visitor."""
    customer = event.customer_id
    return f"{ANONYMOUS}{event.anonymous_id}" if customer is None else customer
