"""Kafka: record batches, ownership of shards, the relay, dead letters."""
