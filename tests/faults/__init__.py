"""The fault suite: workers as processes, under load, on a real Kafka and Redis that are broken in many ways."""
