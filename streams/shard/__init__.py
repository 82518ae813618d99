"""One shard at work: batches in, commits and transitions out. Knows ports only: no Faust, no aiokafka, no Redis."""
