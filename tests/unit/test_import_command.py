"""The command `segments import`, on small hand-made files."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Annotated, NamedTuple

import orjson
import pytest
import typer
from pydantic import Field, TypeAdapter
from typer.testing import CliRunner

from schemas.events import AnyEvent
from streams.cli.importing import register

DATA = Path(__file__).parent.parent / "data"
SCHEMA: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="type")])


class Case(NamedTuple):
    form: str
    name: str
    lines: int
    by_type: dict[str, int]
    skipped: dict[str, int]


FILES = [
    Case(
        "online-retail",
        "online_retail.csv",
        8,
        {"order.placed": 2, "order.refunded": 1},
        {"without_customer": 1, "invoice_not_positive": 1, "credit_note_zero": 1},
    ),
    Case("online-retail", "online_retail_original.csv", 2, {"order.placed": 2}, {}),
    Case(
        "taobao",
        "taobao.csv",
        5,
        {"product.viewed": 1, "cart.item_added": 1, "product.favourited": 1, "order.placed": 1},
        {"duplicate_line": 1},
    ),
    Case("taobao", "taobao_headerless.csv", 3, {"product.viewed": 1, "order.placed": 1}, {"torn_last_line": 1}),
    Case(
        "ecom",
        "ecom.csv",
        10,
        {
            "page.viewed": 1,
            "search.performed": 1,
            "product.viewed": 2,
            "cart.item_added": 1,
            "product.favourited": 1,
            "checkout.started": 1,
            "order.placed": 1,
            "support.contacted": 1,
        },
        {"unknown_event": 1},
    ),
    Case("cdnow", "cdnow_sample.txt", 5, {"order.placed": 5}, {}),
    Case("cdnow", "cdnow_master.txt", 4, {"order.placed": 4}, {}),
]
each_file = pytest.mark.parametrize("case", FILES, ids=lambda case: case.name)


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return app


@each_file
@pytest.mark.parametrize("packed", [False, True])
def test_the_summary_counts_what_was_written_and_what_was_not(
    app: typer.Typer, tmp_path: Path, case: Case, *, packed: bool
) -> None:
    content = (DATA / case.name).read_bytes()
    source, out = tmp_path / case.name, tmp_path / "events.jsonl"
    source.write_bytes(gzip.compress(content) if packed else content)
    result = CliRunner().invoke(app, ["import", case.form, str(source), "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "format": case.form,
        "lines_read": case.lines,
        "events_written": sum(case.by_type.values()),
        "events": case.by_type,
        "skipped": case.skipped,
    }
    events = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert Counter(event["type"] for event in events) == case.by_type


@each_file
def test_events_are_valid_in_order_of_time_with_ids_of_their_own_and_the_same_twice(
    app: typer.Typer, case: Case
) -> None:
    command = ["import", case.form, str(DATA / case.name), "--out", "-"]
    first, second = (CliRunner().invoke(app, command).stdout_bytes for _ in range(2))
    assert first == second
    events = [SCHEMA.validate_json(line) for line in first.splitlines()]
    assert [event.occurred_at for event in events] == sorted(event.occurred_at for event in events)
    assert len({event.id for event in events}) == len(events)


def test_events_on_standard_output_leave_the_summary_to_standard_error(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["import", "cdnow", str(DATA / "cdnow_sample.txt"), "--out", "-", "--json"])
    assert json.loads(result.stderr)["events_written"] == 5
    assert len(result.stdout.splitlines()) == 5


def test_the_summary_for_a_person_says_what_was_skipped(app: typer.Typer, tmp_path: Path) -> None:
    out = str(tmp_path / "events.jsonl")
    result = CliRunner().invoke(app, ["import", "online-retail", str(DATA / "online_retail.csv"), "--out", out])
    assert "3 events" in result.stdout
    assert "lines without customer" in result.stdout


@pytest.mark.parametrize(
    ("form", "name", "options", "currency"),
    [
        ("online-retail", "online_retail.csv", [], "GBP"),
        ("online-retail", "online_retail.csv", ["--currency", "EUR"], "EUR"),
        ("taobao", "taobao.csv", [], "CNY"),
        ("ecom", "ecom.csv", [], "USD"),
        ("cdnow", "cdnow_sample.txt", [], "USD"),
    ],
)
def test_amounts_are_in_the_format_s_currency_or_the_one_asked_for(
    app: typer.Typer, form: str, name: str, options: list[str], currency: str
) -> None:
    result = CliRunner().invoke(app, ["import", form, str(DATA / name), "--out", "-", *options])
    events = [orjson.loads(line) for line in result.stdout_bytes.splitlines()]
    assert {event["currency"] for event in events if "currency" in event} == {currency}


@pytest.mark.parametrize(
    ("form", "name", "message"),
    [
        ("taobao", "missing.csv", "does not exist"),
        ("taobao", "ecom.csv", "cannot be imported as taobao"),
        ("ecom", "taobao.csv", "cannot be imported as ecom"),
        ("online-retail", "cdnow_master.txt", "cannot be imported as online-retail"),
        ("cdnow", "online_retail.csv", "cannot be imported as cdnow"),
    ],
)
def test_a_file_that_is_missing_or_of_another_format_ends_with_1_and_no_file(
    app: typer.Typer, tmp_path: Path, form: str, name: str, message: str
) -> None:
    out = tmp_path / "events.jsonl"
    result = CliRunner().invoke(app, ["import", form, str(DATA / name), "--out", str(out)])
    assert result.exit_code == 1
    assert message in result.stderr
    assert not result.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_file_itself_is_never_written_over(app: typer.Typer, tmp_path: Path) -> None:
    source = tmp_path / "taobao.csv"
    source.write_bytes((DATA / "taobao.csv").read_bytes())
    result = CliRunner().invoke(app, ["import", "taobao", str(source), "--out", str(source)])
    assert result.exit_code == 1
    assert source.read_bytes() == (DATA / "taobao.csv").read_bytes()


def test_a_currency_that_is_no_code_is_a_usage_error(app: typer.Typer) -> None:
    command = ["import", "taobao", str(DATA / "taobao.csv"), "--out", "-", "--currency", "pounds"]
    assert CliRunner().invoke(app, command).exit_code == 2
