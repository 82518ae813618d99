"""Taobao: clicks become views, favourites, carts and orders."""

import io
from pathlib import Path

import pytest

from streams.sources import taobao
from streams.sources.importing import FormatName, import_events
from streams.sources.parsing import ColumnsError
from streams.sources.records import Record
from streams.sources.summary import Skip, Summary

HEADER = "user_id,item_id,category_id,behaviour,timestamp\n"


def read(text: str) -> tuple[list[Record], Summary]:
    summary = Summary("taobao")
    return list(taobao.read(text.splitlines(keepends=True), "CNY", summary)), summary


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [("pv", "product.viewed"), ("cart", "cart.item_added"), ("fav", "product.favourited")],
)
def test_a_click_names_its_product_and_category(behaviour: str, kind: str) -> None:
    events, _ = read(f"{HEADER}7,100,10,{behaviour},1511539225\n")
    assert events == [
        {
            "id": f"taobao:7:100:10:{behaviour}:1511539225",
            "type": kind,
            "version": 1,
            "occurred_at": "2017-11-24T16:00:25Z",
            "source": "import:taobao",
            "customer_id": "7",
            "product_id": "100",
            "category": "10",
        }
    ]


def test_a_purchase_is_one_order_of_total_0() -> None:
    events, _ = read(f"{HEADER}7,100,10,buy,1511539225\n7,101,10,buy,1511539225\n")
    assert [(event["type"], event["order_id"], event["total"], event["currency"]) for event in events] == [
        ("order.placed", "7:100:10:1511539225", 0, "CNY"),
        ("order.placed", "7:101:10:1511539225", 0, "CNY"),
    ]
    assert events[0]["items"] == [{"product_id": "100", "category": "10"}]


def test_exact_duplicate_lines_are_one_event_wherever_they_stand(tmp_path: Path) -> None:
    once, other, later = "7,100,10,buy,1511539225\n", "7,101,10,buy,1511539225\n", "7,100,10,buy,1511539226\n"
    path, sink = tmp_path / "taobao.csv", io.BytesIO()
    path.write_text(HEADER + once + later + other + once + later + once, encoding="utf-8")
    summary = import_events(FormatName.TAOBAO, path, sink)
    assert summary.skipped == {Skip.DUPLICATE_LINE: 3}
    assert summary.events == {"order.placed": 3}
    assert len(sink.getvalue().splitlines()) == 3


@pytest.mark.parametrize("header", ["", HEADER, HEADER.replace("behaviour", "behavior"), HEADER.upper()])
def test_a_file_has_a_header_or_none(header: str) -> None:
    events, summary = read(f"{header}7,100,10,pv,1511539225\n7,100,10,pv,1511539226\n")
    assert len(events) == summary.lines_read == 2


@pytest.mark.parametrize(
    "torn",
    ["7", "7,100,10", "7,100,10,p", "7,100,10,pv", "7,100,10,pv,", "7,100,10,pv,151153922"],
)
def test_a_torn_last_line_is_counted(torn: str) -> None:
    events, summary = read(f"{HEADER}7,100,10,pv,1511539225\n{torn}")
    assert len(events) == 1
    assert summary.skipped == {Skip.TORN_LAST_LINE: 1}


def test_a_whole_last_line_needs_no_line_end() -> None:
    events, summary = read(f"{HEADER}7,100,10,pv,1511539225\n7,100,10,pv,1511539226")
    assert len(events) == 2
    assert not summary.skipped


@pytest.mark.parametrize(
    ("broken", "skip"),
    [
        ("7,100,10,pv", Skip.WRONG_COLUMNS),
        ("7,100,10,stare,1511539225", Skip.UNKNOWN_EVENT),
        ("7,100,10,pv,-1511539225", Skip.BAD_TIME),
        ("7,100,10,pv,99999999999999999999", Skip.BAD_TIME),
        (",100,10,pv,1511539225", Skip.WITHOUT_CUSTOMER),
        ("7,,10,pv,1511539225", Skip.BAD_ID),
    ],
)
def test_a_broken_line_is_counted_and_the_lines_around_it_are_read(broken: str, skip: Skip) -> None:
    events, summary = read(f"{HEADER}7,100,10,pv,1511539225\n{broken}\n8,100,10,pv,1511539225\n")
    assert [event["customer_id"] for event in events] == ["7", "8"]
    assert summary.skipped == {skip: 1}


@pytest.mark.parametrize("text", ["", "hello\n", "a,b,c,d,e\n", '"user_id\n', "7,100,10,pv\n"])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ColumnsError, match="user_id, item_id, category_id, behaviour, timestamp"):
        read(text)
