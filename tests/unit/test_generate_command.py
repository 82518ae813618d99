"""The command `segments generate`."""

from collections import Counter
from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner

from streams.cli import generating
from streams.clock import wall_clock
from streams.sources.shop import Mark, ShopPlan, census, lines, marked_lines

PLAN = ShopPlan(customers=30, days=20, seed=5, duplicates=0.05, late=0.05, broken=0.05)
SIZE = ["--customers", "30", "--days", "20", "--seed", "5"]
ARGUMENTS = ["generate", *SIZE, "--duplicates", "0.05", "--late", "0.05", "--broken", "0.05"]
FILE = b"".join(line + b"\n" for line in lines(PLAN))


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.callback()(lambda: None)
    generating.register(made)
    return made


def test_the_file_holds_the_lines_of_the_plan_and_nothing_is_left_beside_it(app: typer.Typer, tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    result = CliRunner().invoke(app, [*ARGUMENTS, "--out", str(out)])
    assert result.exit_code == 0
    assert out.read_bytes() == FILE
    assert list(tmp_path.iterdir()) == [out]
    assert "customers: one-time" in result.stdout


def test_standard_output_carries_the_lines_and_standard_error_the_summary(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, [*ARGUMENTS, "--out", "-", "--json"])
    assert result.exit_code == 0
    assert result.stdout_bytes == FILE
    assert orjson.loads(result.stderr)["customers"] == 30


def test_the_summary_counts_what_was_written(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*ARGUMENTS, "--out", str(tmp_path / "events.jsonl"), "--json"])
    summary = orjson.loads(result.stdout)
    found = list(marked_lines(PLAN))
    marks = Counter(line.mark for line in found)
    assert summary == {
        "lines": len(found),
        "events": marks[Mark.CLEAN] + marks[Mark.LATE],
        "events_by_type": Counter(line.type for line in found if line.mark in {Mark.CLEAN, Mark.LATE}),
        "duplicates": marks[Mark.DUPLICATE],
        "late": marks[Mark.LATE],
        "broken": marks[Mark.BROKEN],
        "broken_by_reason": Counter(line.reason for line in found if line.reason),
        "customers": 30,
        "customers_by_kind": census(PLAN),
    }
    assert summary["lines"] == summary["events"] + summary["duplicates"] + summary["broken"]


@pytest.mark.parametrize(("options", "warned"), [([], False), (["--start", "2190-01-01T00:00:00Z"], True)])
def test_days_that_are_not_over_are_told_of(
    app: typer.Typer, tmp_path: Path, options: list[str], *, warned: bool
) -> None:
    result = CliRunner().invoke(app, [*ARGUMENTS, "--out", str(tmp_path / "events.jsonl"), *options])
    assert result.exit_code == 0
    assert ("the days end in the future" in result.stderr) is warned


def test_two_years_of_a_shop_are_past_where_no_start_is_given() -> None:
    assert ShopPlan(customers=1, days=730).end < wall_clock()


def test_start_and_currency_reach_the_events(app: typer.Typer) -> None:
    options = ["--out", "-", "--broken", "0", "--start", "2025-06-01T00:00:00+01:00", "--currency", "EUR"]
    result = CliRunner().invoke(app, [*ARGUMENTS, *options])
    found = [orjson.loads(line) for line in result.stdout_bytes.splitlines()]
    assert min(event["occurred_at"] for event in found) >= "2025-05-31T23:00:00Z"
    assert max(event["occurred_at"] for event in found) < "2025-06-20T23:00:00Z"
    assert {event["currency"] for event in found if "currency" in event} == {"EUR"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--start", "2026-01-01"], "is no instant"),
        (["--start", "soon"], "is no instant"),
        (["--currency", "gbp"], "three capital letters"),
        (["--days", "1000000"], "must end by"),
        (["--customers", "0"], "--customers"),
        (["--late", "2"], "--late"),
    ],
)
def test_an_option_that_cannot_be_is_a_usage_error(
    app: typer.Typer, tmp_path: Path, options: list[str], said: str
) -> None:
    out = tmp_path / "events.jsonl"
    result = CliRunner().invoke(app, [*ARGUMENTS, "--out", str(out), *options])
    assert result.exit_code == 2
    assert said in result.stderr
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_said_in_one_line(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*ARGUMENTS, "--out", str(tmp_path / "nowhere" / "events.jsonl")])
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_run_that_fails_leaves_the_file_that_was_there(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "events.jsonl"
    out.write_bytes(b"old\n")

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(generating, "write_lines", full_disk)
    result = CliRunner().invoke(app, [*ARGUMENTS, "--out", str(out)])
    assert result.exit_code == 1
    assert out.read_bytes() == b"old\n"
    assert list(tmp_path.iterdir()) == [out]
