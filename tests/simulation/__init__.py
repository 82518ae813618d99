"""A seeded simulator: the real worker core on an in-memory Kafka and store, under a simulated clock."""
