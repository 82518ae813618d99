"""The pure core: no clock, no I/O, no Kafka, no Redis. `now` is always a parameter."""
