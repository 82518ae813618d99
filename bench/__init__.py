"""The benchmark: real Kafka and Redis on this machine, generated events, the shipped definitions."""
