"""The importers against the published facts of the public data sets, and against counts made in another way."""

import csv
import gzip
import io
from collections import Counter, defaultdict
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, TypeAdapter

from schemas.events import AnyEvent, OrderPlaced, OrderRefunded
from streams.sources.importing import FormatName, import_events
from streams.sources.summary import Skip, Summary

pytestmark = pytest.mark.data

SHARED = Path(__file__).parents[3] / "shared" / "data"
SCHEMA: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="type")])
FILES = {
    FormatName.ONLINE_RETAIL: "online_retail_to_2011-05.csv.gz",
    FormatName.TAOBAO: "taobao_behaviour_part.csv.gz",
    FormatName.ECOM: "ecom_synthetic_part.csv.gz",
    FormatName.CDNOW: "cdnow_sample.txt.gz",
}


def path_of(form: FormatName) -> Path:
    path = SHARED / FILES[form]
    if not path.is_file():
        pytest.skip(f"the public data set {path.name} is not here; it is not part of the repository")
    return path


@cache
def imported(path: Path, form: FormatName) -> tuple[list[bytes], Summary]:
    sink = io.BytesIO()
    summary = import_events(form, path, sink)
    return sink.getvalue().splitlines(), summary


@cache
def events_of(path: Path, form: FormatName) -> list[AnyEvent]:
    return [SCHEMA.validate_json(line) for line in imported(path, form)[0]]


def rows_of(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.mark.parametrize("form", FormatName)
def test_every_event_is_valid_has_an_id_of_its_own_and_comes_in_order(form: FormatName) -> None:
    events = events_of(path_of(form), form)
    assert len({event.id for event in events}) == len(events)
    times = [event.occurred_at for event in events]
    assert times == sorted(times)


@pytest.mark.parametrize("form", FormatName)
def test_two_runs_are_byte_for_byte_alike(form: FormatName) -> None:
    path = path_of(form)
    sink = io.BytesIO()
    import_events(form, path, sink)
    assert sink.getvalue().splitlines() == imported(path, form)[0]


def test_online_retail_has_the_published_counts() -> None:
    path = path_of(FormatName.ONLINE_RETAIL)
    events, summary = events_of(path, FormatName.ONLINE_RETAIL), imported(path, FormatName.ONLINE_RETAIL)[1]
    rows = rows_of(path)
    assert summary.lines_read == len(rows) == 209_029
    assert len({row[0] for row in rows}) == 10_783
    assert summary.skipped[Skip.WITHOUT_CUSTOMER] == sum(not row[6] for row in rows)
    skipped = summary.skipped[Skip.INVOICE_NOT_POSITIVE] + summary.skipped[Skip.CREDIT_NOTE_ZERO]
    assert len(events) + skipped == len({row[0] for row in rows if row[6]})
    assert len({row[6] for row in rows if row[6]}) == 2_767


def test_online_retail_amounts_are_the_sums_of_the_lines() -> None:
    path = path_of(FormatName.ONLINE_RETAIL)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows_of(path):
        if row[6]:
            sums[row[0]] += Decimal(row[3]) * Decimal(row[5])
    pennies = {number: int((abs(amount) * 100).quantize(Decimal(1), ROUND_HALF_UP)) for number, amount in sums.items()}
    orders = {number: pennies[number] for number, amount in sums.items() if amount > 0 and number[0] != "C"}
    refunds = {number: pennies[number] for number, amount in sums.items() if amount != 0 and number[0] == "C"}
    events = events_of(path, FormatName.ONLINE_RETAIL)
    assert {event.order_id: event.total for event in events if isinstance(event, OrderPlaced)} == orders
    assert {event.refund_id: event.amount for event in events if isinstance(event, OrderRefunded)} == refunds


def test_taobao_has_the_published_counts() -> None:
    path = path_of(FormatName.TAOBAO)
    assert imported(path, FormatName.TAOBAO)[1].as_json() == {
        "format": "taobao",
        "lines_read": 42_650,
        "events_written": 42_650,
        "events": {
            "cart.item_added": 2_412,
            "order.placed": 888,
            "product.favourited": 1_149,
            "product.viewed": 38_201,
        },
        "skipped": {},
    }
    assert len({event.customer_id for event in events_of(path, FormatName.TAOBAO)}) == 407


def test_ecom_has_the_published_counts() -> None:
    path = path_of(FormatName.ECOM)
    summary = imported(path, FormatName.ECOM)[1]
    assert summary.lines_read == summary.events.total() == 15_446
    assert summary.events["cart.item_added"] == 659
    assert summary.events["order.placed"] == 233
    assert summary.events["support.contacted"] == 139
    names = Counter(row[2] for row in rows_of(path))
    assert summary.events["search.performed"] == names["search"] + names["filter_results"]
    assert len({event.customer_id for event in events_of(path, FormatName.ECOM)}) == 300


def test_cdnow_has_the_published_counts() -> None:
    path = path_of(FormatName.CDNOW)
    orders = [event for event in events_of(path, FormatName.CDNOW) if isinstance(event, OrderPlaced)]
    assert len(orders) == imported(path, FormatName.CDNOW)[1].lines_read == 6_919
    assert len({order.customer_id for order in orders}) == 2_357
    with gzip.open(path, "rt", encoding="utf-8") as file:
        dollars = sum(Decimal(line.split()[4]) for line in file)
    assert sum(int(order.total) for order in orders) == dollars * 100
