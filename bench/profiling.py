"""Where a worker's time goes: a sampling profile of the running process, by stage of an event's way.

py-spy looks at the process from outside, so the worker runs as it always does. A sample counts for the stage of the
innermost of its functions that belongs to one.
"""

import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import builds, mini
from bench.load import LoadPlan, generate
from bench.system import PATIENCE, BenchError, ensure_alive, say, servers
from streams.clock import wall_clock

_REQUIREMENTS = Path(__file__).with_name("profiler.txt")
_RATE, _SECONDS = 300, 3
"""Samples a second and how long; short, so that a million events are enough."""
_TITLE = re.compile(r'(<text id="title"[^>]*>)[^<]*')
STAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("decode", ("schemas/wire.py", "schemas/twins.py", "schemas/instants.py", "pydantic/")),
    ("place", ("schemas/placement.py", "core/admission.py")),
    ("advance", ("core/advance.py", "core/profile.py", "core/money.py")),
    ("evaluate", ("core/step.py", "core/definitions.py", "core/language/rule.py", "<rule", "<definitions")),
    ("changes", ("core/changes.py", "core/language/explain.py", "shard/outcome.py", "schemas/transitions.py")),
    ("pack", ("core/codec.py", "shard/customers.py")),
    ("commit", ("streams/state/", "redis/", "hiredis/")),
    ("relay", ("shard/relay.py", "kafka/sink.py", "aiokafka/producer/")),
    ("reading", ("kafka/transport.py", "kafka/fetching.py", "aiokafka/", "faust/", "mode/")),
    ("shard", ("streams/shard/", "streams/shards.py", "streams/app.py")),
)
"""Stage -> parts of the files' names that belong to it; the first that fits. `shard` holds the others together."""
OTHER = "event loop and others"


@dataclass(frozen=True)
class Profile:
    """What was seen.

    Attributes:
        samples: how many in all.
        shares: stage -> its part of them, the largest first.
        rate: events/s while it was looked at, which slows it.
    """

    samples: int
    shares: dict[str, float]
    rate: float


def stage_of(stack: Iterable[str]) -> str:
    """The stage of a stack, the outermost function first."""
    for frame in reversed(list(stack)):
        for stage, parts in STAGES:
            if any(part in frame for part in parts):
                return stage
    return OTHER


def shares(folded: Iterable[str]) -> tuple[int, dict[str, float]]:
    """How many samples, and each stage's share, of lines `outer;…;inner count`."""
    counts: Counter[str] = Counter()
    for line in folded:
        stack, _, count = line.rpartition(" ")
        if stack:
            counts[stage_of(stack.split(";"))] += int(count)
    total = counts.total()
    return total, {stage: count / total for stage, count in counts.most_common()}


def titled(svg: str, title: str) -> str:
    """A flame graph with another title: py-spy's own is its command, with paths of this machine."""
    return _TITLE.sub(lambda found: found[1] + title, svg)


def measure(events: int, customers: int, picture: Path) -> Profile:
    """Profile a worker on *mini*; the flame graph goes to `picture`.

    Raises:
        BenchError: it could not be done.
    """
    spy = [str(builds.environment(_REQUIREMENTS) / "py-spy"), "record", "--rate", str(_RATE)]
    plan = LoadPlan(events, customers, wall_clock(), mix=mini.MIX)
    with servers() as both:
        ours = both.install()
        say(f"profile: publishing {events:,} events")
        ours.fill(generate(plan), plan.instants())
        ours.empty()
        worker = ours.start_worker(definitions=str(mini.DEFINITIONS), clock_at=str(plan.until))
        end = time.monotonic() + PATIENCE
        while ours.applied() < events // 10:  # until it is in full swing
            ensure_alive(worker)
            if time.monotonic() > end:
                raise BenchError("the worker did not get going")
            time.sleep(0.05)
        applied, began = ours.applied(), time.monotonic()
        folded = ours.directory / "profile.txt"
        for kind, path in (("raw", folded), ("flamegraph", picture)):
            _record([*spy, "--format", kind, "--output", str(path), "--pid", str(worker.pid)])
            if ours.applied() >= events:
                raise BenchError(f"{events:,} events were too few: the worker had none left while it was looked at")
        rate = (ours.applied() - applied) / (time.monotonic() - began)
        picture.write_text(titled(picture.read_text(), "A worker on mini"))
        samples, found = shares(folded.read_text().splitlines())
    return Profile(samples, found, rate)


def _record(command: list[str]) -> None:
    result = subprocess.run([*command, "--duration", str(_SECONDS)], capture_output=True, text=True, check=False)
    if result.returncode:
        raise BenchError(f"py-spy failed: {(result.stdout + result.stderr)[-1000:]}")


def rows(profile: Profile) -> Iterator[tuple[str, str]]:
    """Stage and share, as they stand in a table."""
    for stage, share in profile.shares.items():
        yield stage, f"{100 * share:.1f} %"
