"""The part that all imported events share."""

from collections.abc import Callable, Iterable, Iterator

from streams.sources.summary import Summary

Record = dict[str, object]
"""An event as it will stand on the wire: plain JSON values, absent fields left out."""
Reader = Callable[[Iterable[str], str, Summary], Iterator[Record]]
"""(lines of a file, currency of its amounts, counts to fill) -> events, in any order.

Raises `streams.sources.parsing.ColumnsError` if the lines are not of the reader's format."""


def record(form: str, key: str, kind: str, occurred_at: str, customer_id: str) -> Record:
    """The common fields of an event.

    Args:
        form: name of the format; the first part of the event's id.
        key: what makes the event unique within the data set.
        kind: event type, as `order.placed`.
        occurred_at: RFC 3339 in UTC.
        customer_id: the data set's customer.
    """
    return {
        "id": f"{form}:{key}",
        "type": kind,
        "version": 1,
        "occurred_at": occurred_at,
        "source": f"import:{form}",
        "customer_id": customer_id,
    }
