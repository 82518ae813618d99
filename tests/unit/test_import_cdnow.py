"""CDNOW: each line is an order."""

import pytest

from streams.sources import cdnow
from streams.sources.parsing import ColumnsError
from streams.sources.records import Record
from streams.sources.summary import Skip, Summary


def read(text: str) -> tuple[list[Record], Summary]:
    summary = Summary("cdnow")
    return list(cdnow.read(text.splitlines(keepends=True), "USD", summary)), summary


ORDER = {
    "id": "cdnow:00011:19970118:1",
    "type": "order.placed",
    "version": 1,
    "occurred_at": "1997-01-18T00:00:00Z",
    "source": "import:cdnow",
    "customer_id": "00011",
    "order_id": "00011:19970118:1",
    "total": 970,
    "currency": "USD",
}


@pytest.mark.parametrize(
    "text",
    [
        " 00011 0001 19970118  1    9.70\n",
        " 00011 19970118  1    9.70\n",
        " id date cds dollars\n 00011 19970118  1    9.70\n",
        "customer id  date of purchase  number of CDs  dollar value\n 00011 19970118  1    9.70\n",
        "master_id sample_id date cds dollars\r\n 00011 0001 19970118  1    9.70\r\n",
        "id,date,cds,dollars\n00011,19970118,1,9.7\n",
        '"id","date","cds","dollars"\n"00011","1997-01-18",1,9.7\n',
        "\nid\tdate\tcds\tdollars\n\n00011\t1997-01-18\t1\t9.70\n",
    ],
)
def test_both_layouts_with_and_without_header_make_the_same_order(text: str) -> None:
    events, summary = read(text)
    assert events == [ORDER]
    assert summary.lines_read == 1


def test_several_purchases_of_a_day_are_several_orders() -> None:
    events, _ = read("00022 19970101 1 14.96\n00022 19970101 1 14.96\n00022 19970101 0 0.00\n")
    assert [(event["order_id"], event["total"]) for event in events] == [
        ("00022:19970101:1", 1496),
        ("00022:19970101:2", 1496),
        ("00022:19970101:3", 0),
    ]


def test_order_ids_do_not_depend_on_other_customers() -> None:
    own = ["00022 19970101 1 14.96\n", "00022 19970101 2 20.00\n"]
    alone, _ = read("".join(own))
    among_others, _ = read(f"00001 19970101 1 1.00\n{own[0]}00003 19970101 1 1.00\n{own[1]}")
    assert [event for event in among_others if event["customer_id"] == "00022"] == alone


@pytest.mark.parametrize(
    ("broken", "skip"),
    [
        ("00022 19970101 1", Skip.WRONG_COLUMNS),
        ("00022 0002 19970101 1 14.96", Skip.WRONG_COLUMNS),
        ("00022 19970230 1 14.96", Skip.BAD_TIME),
        ("00022 yesterday 1 14.96", Skip.BAD_TIME),
        ("00022 1997-0101 1 14.96", Skip.BAD_TIME),
        ("00022 19970101 one 14.96", Skip.BAD_NUMBER),
        ("00022 19970101 1 -14.96", Skip.BAD_NUMBER),
        ("00022 19970101 1 free", Skip.BAD_NUMBER),
    ],
)
def test_a_broken_line_is_counted_and_the_lines_around_it_are_read(broken: str, skip: Skip) -> None:
    events, summary = read(f"00001 19970101 1 1.00\n{broken}\n00003 19970101 1 1.00\n")
    assert [event["customer_id"] for event in events] == ["00001", "00003"]
    assert summary.skipped == {skip: 1}


@pytest.mark.parametrize("torn", ["00022", "00022 19970101 1", "00022 19970101 1 14", "00022 19970101 1 14.9"])
def test_a_torn_last_line_is_counted(torn: str) -> None:
    events, summary = read(f"00001 19970101 1 1.00\n{torn}")
    assert len(events) == 1
    assert summary.skipped == {Skip.TORN_LAST_LINE: 1}


@pytest.mark.parametrize("text", ["", "id date cds dollars\n", "7,100,10,pv,1511539225\n", "a b\nc d\n"])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ColumnsError, match="YYYYMMDD"):
        read(text)
