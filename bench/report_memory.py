"""The parts of the report that tell what is kept, and where the time goes."""

from collections.abc import Iterator

from bench.memory import Memory
from bench.profiling import Profile, rows
from bench.soak import FLAT, Soak
from bench.tables import Goal, table

MEMORY_GOAL, MILLION, MILLION_GOAL = 500.0, 1_000_000, 600.0
FLAME_GRAPH = "benchmarks-profile.svg"
_MB, _MIB = 1_000_000, 1024**2


def memory_goals(memory: Memory) -> Iterator[Goal]:
    """Whether a customer is small enough, and a million of them."""
    size, whole = memory.per_customer, memory.whole / _MB
    yield Goal("bytes of Redis per customer", f"at most {MEMORY_GOAL:.0f}", size, 0, size <= MEMORY_GOAL)
    if memory.customers >= MILLION:
        name = f"MB of Redis for {memory.customers:,} customers"
        yield Goal(name, f"at most {MILLION_GOAL:.0f}", whole, 0, whole <= MILLION_GOAL)


def soak_goals(soak: Soak) -> Iterator[Goal]:
    """Whether a worker's memory is flat."""
    name = "resident in the last quarter, of the second"
    yield Goal(name, f"at most {FLAT:g}", soak.growth, 3, soak.growth <= FLAT)


def memory_text(memory: Memory) -> str:
    """What was counted."""
    sizes = [(f"`{{p}}:{kind}`", f"{size:,.1f}") for kind, size in memory.groups.items()]
    values = [(f"`{{p}}:{kind}`", f"{size:,.1f}", f"{count:.2f}") for kind, (size, count) in memory.values.items()]
    return f"""{memory.events:,} events of {memory.customers:,} customers, equally many each, of the same mix as
above; ids of customers have ten characters, and a customer is in {memory.memberships:.2f} segments on average. Redis
has allocated {memory.per_customer:,.0f} bytes per customer more than when it was empty (`used_memory`, without the
worker); {memory.whole / _MB:,.0f} MB in all, {memory.resident / _MB:,.0f} MB resident. The worker had
{memory.worker_peak / _MIB:,.0f} MiB at most. {memory.waiting} changes wait in the outbox. By `MEMORY USAGE`, all
fields counted:

{table(("keys", "bytes per customer"), sizes)}

Of that, the stored values alone:

{table(("keys", "mean bytes of a value", "values per customer"), values)}"""


def soak_text(soak: Soak) -> str:
    """The samples, in order."""
    samples = ", ".join(f"{sample / _MIB:.0f}" for sample in soak.samples)
    minutes = soak.every * len(soak.samples) / 60
    return f"""{soak.rate:,} events/s for {minutes:.0f} minutes, of {soak.customers:,} customers of whom the worker
may keep {soak.in_memory:,} in memory (`SEGMENTS_CUSTOMERS_IN_MEMORY`); {soak.applied:,} of {soak.sent:,} events were
applied when the last had been sent. Resident, in MiB, each {soak.every:.0f} s:

{samples}"""


def profile_text(profile: Profile) -> str:
    """The shares, and the picture."""
    return f"""A worker on *mini*, looked at from outside by py-spy ({profile.samples:,} samples of busy threads; at
{profile.rate:,.0f} events/s meanwhile). A sample counts for the stage of its innermost function that belongs to one.

{table(("stage", "share"), rows(profile))}

[The flame graph]({FLAME_GRAPH})"""
