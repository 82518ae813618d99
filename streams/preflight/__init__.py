"""Preflight: the settings of Redis and Kafka that the promise rests on, looked at before a worker takes a shard.

    facts (read from both) ──► rules (a table, pure) ──► findings ──► refused, or told

What each setting is for stands in docs/guarantees.md.
"""
