"""A synthetic shop's event log: page views, searches, carts, purchases and support chats of the same users.

Columns `user_id,session_id,event,timestamp,platform,acquisition_channel,user_cohort,user_lifecycle`, with a header.
There are no products and no amounts: products are `unspecified`, each purchase is one order of total 0.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from streams.sources.parsing import Columns, each, identifier, iso_time
from streams.sources.records import Record, record
from streams.sources.summary import LineError, Skip, Summary

NAME = "ecom"
WANTED = ("user_id", "session_id", "event", "timestamp")
UNSPECIFIED = "unspecified"
"""Product id where the data names none."""
TYPES = {
    "product_view": "product.viewed",
    "add_to_cart": "cart.item_added",
    "wishlist_add": "product.favourited",
    "search": "search.performed",
    "filter_results": "search.performed",
    "shipping_details": "checkout.started",
    "purchase": "order.placed",
    "support_chat": "support.contacted",
    "home": "page.viewed",
    "catalog": "page.viewed",
    "promo_page": "page.viewed",
    "compare": "page.viewed",
    "review_page": "page.viewed",
    "account_page": "page.viewed",
    "cart": "page.viewed",
    "payment_details": "page.viewed",
    "payment_error": "page.viewed",
    "checkout_bug": "page.viewed",
    "error_page": "page.viewed",
}
"""Their event name -> our event type."""

_WITH_A_PRODUCT = frozenset({"product.viewed", "cart.item_added", "product.favourited"})
_WITHOUT_A_SESSION = frozenset({"order.placed", "support.contacted"})
"""Types whose schema has no session; theirs stays visible in the order's or the contact's id."""


def read(lines: Iterable[str], currency: str, summary: Summary) -> Iterator[Record]:
    """One event for each line. Equal lines are several events: a page can be opened twice within a second.

    Raises:
        ColumnsError: there is no header with this format's columns.
    """
    rest = iter(lines)
    columns = Columns.of(next(rest, ""), WANTED)
    seen: Counter[str] = Counter()
    return each(rest, summary, lambda line: _parse(columns, currency, seen, line))


def _parse(columns: Columns, currency: str, seen: Counter[str], line: str) -> Record:
    user, session, name, timestamp = columns.pick(line)
    kind = TYPES.get(name)
    if kind is None:
        raise LineError(Skip.UNKNOWN_EVENT)
    if not user:
        raise LineError(Skip.WITHOUT_CUSTOMER)
    user, session, occurred_at = identifier(user), identifier(session), iso_time(timestamp)
    visit = f"{session}:{occurred_at}"
    key = f"{user}:{visit}:{name}"
    seen[key] += 1
    again = f":{seen[key]}" if seen[key] > 1 else ""
    event = record(NAME, key + again, kind, occurred_at, user)
    if kind not in _WITHOUT_A_SESSION:
        event["session_id"] = session
    return event | _particulars(kind, name, visit + again, currency)


def _particulars(kind: str, name: str, own_id: str, currency: str) -> Record:
    """The fields of one type only."""
    if kind in _WITH_A_PRODUCT:
        return {"product_id": UNSPECIFIED}
    if kind == "page.viewed":
        return {"url": f"/{name}"}
    if kind == "order.placed":
        return {"order_id": own_id, "total": 0, "currency": currency}
    if kind == "support.contacted":
        return {"contact_id": own_id, "channel": "chat"}
    return {}
