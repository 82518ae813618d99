"""What every command shares: consoles, settings, errors that end with one clear line and an exit code."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import orjson
import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from schemas.errors import SchemaError
from schemas.instants import Instant, parse_rfc3339
from schemas.parameters import ModelParameters, read_parameters
from streams.core.definitions import Definitions, compile_definitions
from streams.core.errors import CoreError
from streams.discover.errors import DiscoverError
from streams.fit.errors import FitError
from streams.kafka.errors import KafkaSideError
from streams.preflight.check import UnsafeError
from streams.settings import Settings, variable
from streams.sources.files import SourceError
from streams.stacks import StackError
from streams.state.port import StateError

OK, FAULT, UNREACHABLE = 0, 1, 3
"""Exit codes: done; something is wrong with what was given or found; Kafka or Redis cannot be reached. 2 is usage."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_KNOWN = (
    SchemaError,
    CoreError,
    StateError,
    KafkaSideError,
    UnsafeError,
    SourceError,
    StackError,
    FitError,
    DiscoverError,
)
"""Errors whose message is for people."""

P = ParamSpec("P")
T = TypeVar("T")


def command(function: Callable[P, T]) -> Callable[P, T]:
    """A command whose known errors end in one line on standard error and an exit code, without a traceback."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BrokenPipeError:  # whoever read our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAULT) from None
        except OSError as error:
            err.print(f"{error.filename or 'system'}: {error.strerror or error}", style="red", markup=False)
            raise typer.Exit(FAULT) from None
        except _KNOWN as error:
            err.print(str(error), style="red", markup=False)
            raise typer.Exit(FAULT) from None
        except ValidationError as error:
            if error.title != Settings.__name__:
                raise
            for fault in error.errors():
                err.print(f"{variable(str(fault['loc'][0]))}: {fault['msg']}", style="red", markup=False)
            raise typer.Exit(FAULT) from None
        except (RedisError, KafkaError) as error:
            settings = Settings()
            err.print(
                f"cannot reach Kafka at {settings.kafka_bootstrap_servers} or Redis: {type(error).__name__}: {error}\n"
                "Set KAFKA_BOOTSTRAP_SERVERS and REDIS_URL, or start both: docker compose up --wait",
                style="red",
                markup=False,
            )
            raise typer.Exit(UNREACHABLE) from None

    return guarded


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; Ctrl-C ends it quietly with 130."""
    try:
        return asyncio.run(main)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def instant(text: str | None, option: str) -> Instant | None:
    """The instant that an option names.

    Raises:
        BadParameter: it is no date and time, or has no offset.
    """
    try:
        return None if text is None else parse_rfc3339(text)
    except (ValueError, OverflowError):
        message = f"'{text}' is no instant; write it as in 2026-01-31T12:00:00Z"
        raise typer.BadParameter(message, param_hint=option) from None


def load_definitions(path: Any = None, parameters: ModelParameters | None = None) -> Definitions:
    """The definitions of a file, or those of the settings, their predictions made with some parameters.

    Raises:
        DefinitionsError: they have faults.
        ParametersError: the parameters are of another currency.
        OSError: the file cannot be read.
    """
    return compile_definitions((path or Settings().definitions_path()).read_text(), parameters)


def load_parameters(path: Path | None) -> ModelParameters | None:
    """The model parameters of a file; None without one.

    Raises:
        ParametersError: it holds none.
        OSError: it cannot be read.
    """
    return None if path is None else read_parameters(path.read_bytes(), str(path))


def print_json(value: Any, *, to_stderr: bool = False) -> None:
    """One JSON object on standard output, for programs; on standard error where the output itself goes there."""
    stream = sys.stderr.buffer if to_stderr else sys.stdout.buffer
    stream.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS))
    stream.flush()


def progress() -> AbstractContextManager[Progress]:
    """A progress bar on standard error; silent where that is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )
