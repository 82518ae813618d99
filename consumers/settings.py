"""Settings of a subscription, from the environment."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SubscriberSettings(BaseSettings):
    """Everything that can be set; each has a default that works on one machine."""

    model_config = SettingsConfigDict(env_prefix="CONSUMERS_", frozen=True, populate_by_name=True)

    kafka_bootstrap_servers: Annotated[str, Field(validation_alias="KAFKA_BOOTSTRAP_SERVERS")] = "127.0.0.1:9092"
    """Bootstrap servers, comma-separated."""
    topic_prefix: Annotated[str, Field(validation_alias="SEGMENTS_TOPIC_PREFIX")] = ""
    """Put before every topic name, as in the workers' settings."""
    dead_letters: Annotated[str, Field(min_length=1)] = "consumer-dead-letters"
    """Topic for what a handler gave up; made if it is missing."""
    attempts: Annotated[int, Field(ge=1)] = 5
    """How often a handler tries one change."""
    first_wait: Annotated[float, Field(gt=0)] = 0.1
    """Seconds before the second attempt; each further wait is twice as long, with some jitter."""
    longest_wait: Annotated[float, Field(gt=0)] = 10.0
    """Seconds that a wait may take at the most."""
