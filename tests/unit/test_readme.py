"""What the README tells a newcomer to type works as it stands there."""

import ast
import inspect
import re
import sqlite3
import tomllib
from datetime import timedelta
from pathlib import Path

import orjson
from typer.testing import CliRunner

from consumers.positions_sqlite import SqlitePositions
from consumers.subscribe import subscribe
from schemas.transitions import SegmentChange
from streams.cli.main import app
from streams.core.definitions import compile_definitions

README = (Path(__file__).parents[2] / "README.md").read_text()
EXAMPLES: list[list[str]] = [
    line.removeprefix("$ segments ").partition("#")[0].split()
    for line in README.splitlines()
    if line.startswith("$ segments ")
]


def example(command: str) -> list[str]:
    (found,) = [words for words in EXAMPLES if words[0] == command]
    return found


def test_the_shop_that_is_made_up_has_the_customer_who_is_looked_up(tmp_path: Path) -> None:
    shop, members = tmp_path / "shop.jsonl", tmp_path / "members.json"
    generate = [str(shop) if word == example("publish")[1] else word for word in example("generate")]
    assert CliRunner().invoke(app, generate).exit_code == 0
    as_of = ["--as-of", "2026-01-01T00:00:00Z"]
    assert CliRunner().invoke(app, ["classify", str(shop), *as_of, "--members", str(members)]).exit_code == 0
    found = orjson.loads(members.read_bytes())
    _why, customer, segment = example("why")
    assert example("show")[1] == customer
    assert customer in found[segment]
    assert customer in found[example("members")[1]]


def test_every_command_that_is_named_is_there() -> None:
    for words in EXAMPLES:
        assert CliRunner().invoke(app, [words[0], "--help"]).exit_code == 0


def test_the_change_that_is_shown_is_a_whole_one() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    change = SegmentChange.model_validate_json(shown)
    assert orjson.loads(change.model_dump_json()) == orjson.loads(shown)


def test_the_rule_that_is_shown_is_the_one_that_is_shipped() -> None:
    shipped = tomllib.loads((Path(__file__).parents[2] / "segments.toml").read_text())
    (shown,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    for key, definition in tomllib.loads(shown)["segments"].items():
        assert shipped["segments"][key]["when"] == definition["when"]


def test_the_examples_of_the_language_are_of_the_language() -> None:
    shown, *_others = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    rules = [line.partition("  #")[0] for line in shown.splitlines()]
    text = "".join(f"[segments.r{number}]\ntitle = 'T'\nwhen = '{rule}'\n" for number, rule in enumerate(rules))
    vip = "[segments.vip]\ntitle = 'VIP'\nwhen = 'orders.count >= 3'\n"
    assert len(compile_definitions(vip + text).segments) == len(rules) + 1 > 3


def test_the_subscriber_that_is_shown_is_compiled_and_names_what_there_is() -> None:
    shown = next(text for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "subscribe(" in text)
    names = {"timedelta": timedelta, "SqlitePositions": SqlitePositions, "subscribe": subscribe}
    names |= {"SegmentChange": SegmentChange, "sqlite3": sqlite3}
    code = compile(shown, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert set(code.co_names) - {"greet", "positions", "run", "Connection"} == set(names)
    (call,) = [
        node
        for node in ast.walk(ast.parse(shown))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "subscribe"
    ]
    inspect.signature(subscribe).bind(*call.args, **{word.arg: word.value for word in call.keywords if word.arg})


def test_the_loop_that_is_shown_is_compiled() -> None:
    page = (Path(__file__).parents[2] / "docs" / "consumers" / "README.md").read_text()
    (shown,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(shown, "docs/consumers/README.md", "exec"), names)  # noqa: S102 # our own page
    assert inspect.iscoroutinefunction(names["follow"])
