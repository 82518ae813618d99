"""The synthetic shop: its event names become ours."""

import pytest

from streams.sources import ecom
from streams.sources.parsing import ColumnsError
from streams.sources.records import Record
from streams.sources.summary import Skip, Summary

HEADER = "user_id,session_id,event,timestamp,platform,acquisition_channel,user_cohort,user_lifecycle"
COMMON = {"id", "type", "version", "occurred_at", "source", "customer_id"}


def read(*lines: str) -> tuple[list[Record], Summary]:
    summary = Summary("ecom")
    return list(ecom.read([f"{text}\n" for text in (HEADER, *lines)], "USD", summary)), summary


def line(name: str, user: str = "u1", session: str = "s1", at: str = "2024-01-06 11:35:26") -> str:
    return f"{user},{session},{name},{at},mobile,direct,2024-01,new"


@pytest.mark.parametrize(
    ("name", "kind", "particulars"),
    [
        ("product_view", "product.viewed", {"session_id": "s1", "product_id": "unspecified"}),
        ("add_to_cart", "cart.item_added", {"session_id": "s1", "product_id": "unspecified"}),
        ("wishlist_add", "product.favourited", {"session_id": "s1", "product_id": "unspecified"}),
        ("search", "search.performed", {"session_id": "s1"}),
        ("filter_results", "search.performed", {"session_id": "s1"}),
        ("shipping_details", "checkout.started", {"session_id": "s1"}),
        ("purchase", "order.placed", {"order_id": "s1:2024-01-06T11:35:26Z", "total": 0, "currency": "USD"}),
        ("support_chat", "support.contacted", {"contact_id": "s1:2024-01-06T11:35:26Z", "channel": "chat"}),
        ("home", "page.viewed", {"session_id": "s1", "url": "/home"}),
        ("payment_details", "page.viewed", {"session_id": "s1", "url": "/payment_details"}),
    ],
)
def test_each_event_name_has_its_type(name: str, kind: str, particulars: Record) -> None:
    events, summary = read(line(name))
    (event,) = events
    assert event["type"] == kind
    assert event["id"] == f"ecom:u1:s1:2024-01-06T11:35:26Z:{name}"
    assert event["customer_id"] == "u1"
    assert {key: value for key, value in event.items() if key not in COMMON} == particulars
    assert not summary.skipped


@pytest.mark.parametrize("name", ["purchase", "support_chat", "home"])
def test_equal_lines_are_several_events_with_ids_of_their_own(name: str) -> None:
    events, _ = read(line(name), line(name), line(name, user="u2"))
    assert len({str(event["id"]) for event in events}) == 3
    own_ids = {event.get("order_id", event.get("contact_id")) for event in events[:2]}
    assert len(own_ids) == (1 if name == "home" else 2)


@pytest.mark.parametrize(
    ("broken", "skip"),
    [
        (line("teleport"), Skip.UNKNOWN_EVENT),
        (line("home", at="2024-02-30 11:35:26"), Skip.BAD_TIME),
        (line("home", at="1704540926"), Skip.BAD_TIME),
        (line("home", user=""), Skip.WITHOUT_CUSTOMER),
        (line("home", session=""), Skip.BAD_ID),
        ("u1,s1,home", Skip.WRONG_COLUMNS),
    ],
)
def test_a_broken_line_is_counted_and_the_lines_around_it_are_read(broken: str, skip: Skip) -> None:
    events, summary = read(line("home"), broken, line("cart"))
    assert [event["url"] for event in events] == ["/home", "/cart"]
    assert summary.skipped == {skip: 1}


def test_another_file_is_refused() -> None:
    with pytest.raises(ColumnsError, match="user_id, session_id, event, timestamp"):
        list(ecom.read(["InvoiceNo,StockCode\n"], "USD", Summary("ecom")))
