"""State in Redis: one atomic commit per shard and batch, and the same contract in memory."""
