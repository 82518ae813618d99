"""`segments check` and `segments classify`: what they answer, and how they fail."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from schemas.instants import DAY, rfc3339
from schemas.transitions import SegmentChange
from streams.cli.explaining import why_lines
from streams.cli.main import app
from streams.sources.shop import ShopPlan, lines

START = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def run(*arguments: str) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(app, list(arguments))


def order(customer: str, day: int, total: int = 1000, **other: object) -> dict[str, object]:
    """An order of 10.00."""
    event = {
        "id": f"{customer}-{day}",
        "type": "order.placed",
        "version": 1,
        "occurred_at": rfc3339(START + day * DAY),
        "source": "test",
        "customer_id": customer,
        "order_id": f"{customer}-{day}",
        "total": total,
        "currency": "GBP",
    }
    return event | other


def write(path: Path, events: list[dict[str, object]]) -> str:
    """A file of events."""
    path.write_bytes(b"\n".join(orjson.dumps(event) for event in events))
    return str(path)


def test_the_shipped_definitions_have_no_fault() -> None:
    result = run("check", "--json")
    assert result.exit_code == 0
    answer = orjson.loads(result.stdout)
    assert answer["ok"]
    assert len(answer["segments"]) == 21


def test_every_fault_is_named_with_its_line_and_column_and_the_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "segments.toml"
    path.write_text(
        '[segments.vip]\ntitle = "VIP"\nwhen = "orders.count >= 3 and orders.spnd > 500"\n'
        '[segments.other]\ntitle = "Other"\nwhen = "orders.spend == \'VIP\'"\n'
    )
    result = run("check", str(path))
    assert result.exit_code == 1
    assert "line 3 column 31: [segments.vip] unknown field 'orders.spnd'; did you mean 'orders.spend'?" in result.stderr
    assert "line 6" in result.stderr
    assert "orders.spend is money; 'VIP' is text" in result.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[segments.vip", "not TOML"),
        ('[segments.VIP]\ntitle = "x"\nwhen = "True"', "VIP"),
        ('[segments.vip]\ntitle = "x"', "segments.vip.when"),
        ('[segments.vip]\ntitle = "x"\nwhen = "True"\nwhn = 1', "whn"),
        ("", "segments"),
    ],
)
def test_a_file_of_another_form_is_refused_with_a_reason(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "segments.toml"
    path.write_text(text)
    result = run("check", str(path), "--json")
    assert result.exit_code == 1
    assert says in " ".join(orjson.loads(result.stdout)["faults"])


def test_a_missing_file_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    for command in ("check", "classify"):
        result = run(command, str(tmp_path / "nothing"))
        assert result.exit_code == 1
        assert "nothing" in result.stderr
        assert "Traceback" not in result.output


def test_changing_90_days_to_60_is_one_edit(tmp_path: Path) -> None:
    events = write(tmp_path / "events.jsonl", [order("a", 0), order("b", 40)])
    shipped = Path("segments.toml").read_text()
    (tmp_path / "edited.toml").write_text(shipped.replace("days(90)", "days(60)"))
    as_of = rfc3339(START + 75 * DAY)
    for definitions, lapsed in (("segments.toml", []), (str(tmp_path / "edited.toml"), ["a"])):
        members = tmp_path / "members.json"
        result = run("classify", events, "--as-of", as_of, "--definitions", definitions, "--members", str(members))
        assert result.exit_code == 0
        assert orjson.loads(members.read_bytes())["lapsed"] == lapsed


def test_what_happened_after_the_instant_asked_for_has_not_happened(tmp_path: Path) -> None:
    events = write(tmp_path / "events.jsonl", [order("a", 0), order("a", 10), order("b", 20)])
    members = tmp_path / "members.json"
    assert run("classify", events, "--as-of", rfc3339(START + DAY), "--members", str(members)).exit_code == 0
    found = orjson.loads(members.read_bytes())
    assert found["first_time_buyer"] == ["a"]
    assert found["repeat_buyer"] == []


def test_two_runs_are_alike_byte_for_byte_and_the_order_of_lines_does_not_matter(tmp_path: Path) -> None:
    rows = list(lines(ShopPlan(customers=60, days=60, seed=5, duplicates=0.05, late=0.05)))
    outcomes = []
    for name, order_of_lines in (("a", rows), ("b", rows), ("c", rows[::-1])):
        source = tmp_path / f"{name}.jsonl"
        source.write_bytes(b"\n".join(order_of_lines))
        changes, members = tmp_path / f"{name}.changes", tmp_path / f"{name}.members"
        result = run("classify", str(source), "--changes", str(changes), "--members", str(members))
        assert result.exit_code == 0
        outcomes.append((changes.read_bytes(), members.read_bytes()))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    changes_of_all = [SegmentChange.model_validate_json(line) for line in outcomes[0][0].splitlines()]
    assert len(changes_of_all) > 100
    instants = [change.effective_at for change in changes_of_all]
    assert instants == sorted(instants)
    inside = orjson.loads(outcomes[0][1])
    assert all(ids == sorted(ids) for ids in inside.values())


def test_lines_that_are_no_events_are_counted_by_reason(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    rows = [
        b"\xef\xbb\xbf" + orjson.dumps(order("a", 0)),
        b"",
        b"not json",
        orjson.dumps(order("b", 0, currency="XXX")),
    ]
    path.write_bytes(b"\n".join(rows))
    result = run("classify", str(path), "--json")
    assert result.exit_code == 0
    summary = orjson.loads(result.stdout)
    assert summary["refused"] == {"not_json": 1, "unknown_currency": 1}
    assert summary["customers"] == 1
    assert "line 3: " in result.stderr
    assert "line 4: no rate for XXX" in result.stderr


def test_the_catalogue_is_there_for_programs() -> None:
    catalogue = orjson.loads(run("check", "--catalogue", "--json").stdout)
    assert catalogue["fields"]["orders.spend"]["kind"] == "money"
    assert catalogue["fields"]["predicted.alive"]["unit"] == "probability"
    assert catalogue["series"]["orders"]["values"] == {"total": "money"}
    assert catalogue["functions"]["since"].startswith("since(instant)")


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SEGMENTS_PARTITIONS", "many", "SEGMENTS_PARTITIONS: Input should be a valid integer"),
        ("SEGMENTS_DUE_INTERVAL", "1", "SEGMENTS_DUE_INTERVAL: Input should be less than or equal to 0.25"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL: String should match pattern"),
    ],
)
def test_a_bad_setting_is_one_line_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = run("health")
    assert result.exit_code == 1
    assert result.stderr.startswith(says)
    assert "Traceback" not in result.output


def test_why_cuts_nothing_off_however_narrow_the_terminal_is() -> None:
    clause: dict[str, Any] = {"clause": "since(orders.last_at) >= days(30)", "value": "2d 10h", "threshold": "30d"}
    clause["holds"] = False
    ahead: dict[str, Any] = {
        "changes_at": "2026-04-28T13:15:08.354Z",
        "not_before": None,
        "turning": [clause["clause"]],
    }
    answer = ahead | {"customer": "ann", "segment": "vip", "member": False, "at": "2026-01-01T00:00:00Z"}
    answer |= {"unless": ["orders"], "needs": clause["clause"], "rule": "…", "definitions_version": 3, "notes": []}
    behind = [{"type": "order", "id": "o-1", "occurred_at": "2025-12-30T00:00:00Z"}]
    first = clause | {"until": "2026-04-28T13:15:08.354Z", "events": behind}
    second = clause | {"value": None, "until": None, "events": []}
    assert why_lines({**answer, "clauses": [first, second]}) == [
        "ann is not in vip at 2026-01-01T00:00:00Z",
        f"  would enter at {ahead['changes_at']}, by since(orders.last_at) >= days(30), unless there are orders before",
        "  would enter when since(orders.last_at) >= days(30)",
        "rule of version 3: …",
        "  no   since(orders.last_at) >= days(30)",
        "       value 2d 10h, threshold 30d, until 2026-04-28T13:15:08.354Z",
        "       behind it: order o-1",
        "  no   since(orders.last_at) >= days(30)",
        "       value none, threshold 30d, until something happens",
    ]


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    source = tmp_path / "shop.jsonl"
    source.write_bytes(b"\n".join(lines(ShopPlan(customers=100, days=100, seed=5, broken=0))))
    program = [str(Path(sys.executable).parent / "segments"), "classify", str(source), "--changes", "-"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as classify:
        assert classify.stdout is not None
        assert classify.stderr is not None
        classify.stdout.close()
        assert classify.stderr.read() == b""


def test_what_lies_in_the_future_is_refused_unless_it_is_past_as_of_the_instant_asked_for(tmp_path: Path) -> None:
    events = write(tmp_path / "events.jsonl", [order("a", 0), order("b", 36_500)])
    members = tmp_path / "members.json"
    for options, refused, found in (
        ([], {"future": 1}, ["a"]),
        (["--as-of", rfc3339(START + 36_501 * DAY)], {}, ["a", "b"]),
    ):
        result = run("classify", events, *options, "--members", str(members), "--json")
        assert orjson.loads(result.stdout)["refused"] == refused
        assert orjson.loads(members.read_bytes())["first_time_buyer"] == found


def test_a_pipe_leads_in_and_out() -> None:
    line = orjson.dumps(order("a", 0))
    program = [str(Path(sys.executable).parent / "segments"), "classify", "-"]
    done = subprocess.run([*program, "--members", "-", "--json"], input=line, capture_output=True, check=True)
    assert orjson.loads(done.stdout)["first_time_buyer"] == ["a"]
    assert orjson.loads(done.stderr)["customers"] == 1
    assert run("classify", "-", "--members", "-", "--changes", "-").exit_code == 2


def test_an_instant_without_an_offset_is_a_usage_error(tmp_path: Path) -> None:
    events = write(tmp_path / "events.jsonl", [order("a", 0)])
    for arguments in (["classify", events, "--as-of"], ["why", "ann", "vip", "--at"]):
        result = run(*arguments, "2026-01-01")
        assert result.exit_code == 2
        assert "2026-01-31T12:00:00Z" in " ".join(result.stderr.split())
