-- A claim of a shard: raises its epoch and reads what its owner must know.
-- KEYS: meta, outbox. ARGV[1]: the clock in milliseconds.
-- An epoch is never used twice, even when the store has lost its last writes or all of them: it is at least the clock.
local epoch = math.max(tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') + 1, tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch))
return {redis.call('HGETALL', KEYS[1]), redis.call('XRANGE', KEYS[2], '-', '+')}
