"""Real servers for tests and benchmarks: found in the environment, started here, or run in containers. No pytest."""
