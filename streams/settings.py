"""Settings of the program, from the environment (`SEGMENTS_…`, `KAFKA_BOOTSTRAP_SERVERS`, `REDIS_URL`)."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.instants import Instant
from streams.core.admission import ALLOWED_SKEW
from streams.preflight.rules import Hazard

_SHIPPED = Path(__file__).parent / "segments.toml"
_CHECKOUT = Path(__file__).parent.parent / "segments.toml"


def _hazards(value: object) -> object:
    """Names with commas between them.

    Raises:
        ValueError: one is no hazard.
    """
    if not isinstance(value, str):
        return value
    names = {name.strip() for name in value.split(",")} - {""}
    strangers = sorted(names - set(Hazard))
    if strangers:
        raise ValueError(f"there is no '{strangers[0]}'; there are {', '.join(Hazard)}, with commas between them")
    return names


class Settings(BaseSettings):
    """Everything that can be set; each has a default that works on one machine."""

    model_config = SettingsConfigDict(env_prefix="SEGMENTS_", frozen=True, populate_by_name=True)

    kafka_bootstrap_servers: Annotated[str, Field(validation_alias="KAFKA_BOOTSTRAP_SERVERS")] = "127.0.0.1:9092"
    """Bootstrap servers, comma-separated."""
    redis_url: Annotated[str, Field(validation_alias="REDIS_URL", pattern="^(rediss?|unix)://")] = (
        "redis://127.0.0.1:6379/0"
    )
    group: str = "live-segments"
    """Kafka consumer group; also names the application."""
    topic_prefix: str = ""
    """Put before every topic name, so that several installations can share a Kafka."""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 8
    """Of the topics that `segments topics` and the worker create. Cannot be changed later without a rebuild."""
    replication: Annotated[int, Field(ge=0, le=9)] = 0
    """Replicas of the topics that are created; 0: three, or as many as there are brokers."""
    definitions: Path | None = None
    """The definitions file; else segments.toml in the working directory, else the one that is shipped."""
    instance_id: str = ""
    """Static group membership: a stable name per worker spares a rebalance on a quick restart."""
    session_timeout: Annotated[float, Field(ge=1)] = 10.0
    """Seconds until a dead worker's shards move on."""
    customers_in_memory: Annotated[int, Field(ge=100)] = 250_000
    """Per worker, over all its shards."""
    batch: Annotated[int, Field(ge=1, le=10_000)] = 2_000
    """Most records in one commit."""
    due_interval: Annotated[float, Field(gt=0, le=0.25)] = 0.1
    """Seconds between two looks at the due times."""
    allowed_skew: Annotated[int, Field(ge=0)] = ALLOWED_SKEW
    """Microseconds that an event may lie in the future."""
    allow_unsafe: Annotated[frozenset[Hazard], NoDecode, BeforeValidator(_hazards)] = frozenset()
    """What the worker may start or go on in spite of; see docs/guarantees.md."""
    clock_at: Instant | None = None
    """For replays: the instant (microseconds) that the clock shows at `clock_from`; the wall clock if not set."""
    clock_from: Instant | None = None
    """For replays: the wall-clock instant at which the clock shows `clock_at`; now if not set."""
    clock_speed: Annotated[float, Field(ge=0)] = 0.0
    """For replays: seconds that pass on the clock in one real second; 0: it stands still."""

    def definitions_path(self) -> Path:
        """Where the definitions are read from."""
        if self.definitions is not None:
            return self.definitions
        here = Path("segments.toml")
        return next(path for path in (here, _SHIPPED, _CHECKOUT) if path.exists() or path == _CHECKOUT)


def variable(name: str) -> str:
    """The environment variable of a setting, by the name that pydantic calls it."""
    return name if name.isupper() else f"SEGMENTS_{name.upper()}"
