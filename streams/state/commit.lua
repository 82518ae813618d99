-- One commit of a shard: everything or nothing. See streams/state/port.py for the promises.
-- KEYS: meta, profiles, live, due, outbox, then one key per segment whose members change.
-- ARGV[1]: MessagePack map:
--   epoch, previous, mark; offsets: {field, expected, new}*; sequence: {expected, new}; relayed
--   profiles, lives: {customer}*; due: {score, customer}*; undue: {customer}*
--   judging: {field, value}* of the meta key; silent: whether the shard is taken for silent
--   entered, exited: per segment key {customer}*; outbox: id of the last transition, '' for none
--   sizes: of the values in ARGV[2]
-- ARGV[2]: all binary values behind one another: profiles, lives, then all transitions as one value. cmsgpack knows no
--   binary type, and one large argument is cheaper than thousands of small ones.
-- Numbers of Redis come as text: Lua would write large ones with an exponent.
local meta = KEYS[1]
local c = cmsgpack.unpack(ARGV[1])

local epoch = redis.call('HGET', meta, 'epoch')
if epoch ~= c.epoch then
  -- an epoch that went back is that of a store which lost its last writes
  if epoch and tonumber(epoch) > tonumber(c.epoch) then return {'FENCED', epoch} end
  return {'STALE', 'epoch ' .. tostring(epoch)}
end
local mark = redis.call('HGET', meta, 'commit') or ''
if mark == c.mark then return {'OK', 'again'} end
if mark ~= c.previous then return {'STALE', 'commit ' .. mark} end
local changes = {'commit', c.mark, 'sequence', c.sequence[2], 'relayed', c.relayed}
for i = 1, #c.offsets, 3 do
  local stored = redis.call('HGET', meta, c.offsets[i]) or '0'
  if stored ~= c.offsets[i + 1] then return {'STALE', c.offsets[i] .. ' ' .. stored} end
  changes[#changes + 1] = c.offsets[i]
  changes[#changes + 1] = c.offsets[i + 2]
end
local silent = redis.call('HEXISTS', meta, 'told') == 1
if silent ~= c.silent then return {'STALE', 'silence ' .. tostring(silent)} end
for i = 1, #c.judging do changes[#changes + 1] = c.judging[i] end
local sequence = redis.call('HGET', meta, 'sequence') or '0'
if sequence ~= c.sequence[1] then return {'STALE', 'sequence ' .. sequence} end

-- Lua passes at most a few thousand values in one call.
local function many(command, key, values)
  for first = 1, #values, 4000 do
    redis.call(command, key, unpack(values, first, math.min(first + 3999, #values)))
  end
end

local taken, position = 0, 1
local function value()
  taken = taken + 1
  local first = position
  position = position + c.sizes[taken]
  return string.sub(ARGV[2], first, position - 1)
end

local function with_values(customers)
  local pairs_of = {}
  for i = 1, #customers do
    pairs_of[2 * i - 1] = customers[i]
    pairs_of[2 * i] = value()
  end
  return pairs_of
end

many('HSET', KEYS[2], with_values(c.profiles))
many('HSET', KEYS[3], with_values(c.lives))
many('ZADD', KEYS[4], c.due)
many('ZREM', KEYS[4], c.undue)
for i = 1, #c.exited do many('SREM', KEYS[5 + i], c.exited[i]) end
for i = 1, #c.entered do many('SADD', KEYS[5 + i], c.entered[i]) end
if c.outbox ~= '' then redis.call('XADD', KEYS[5], c.outbox, 'rows', value()) end
redis.call('XTRIM', KEYS[5], 'MINID', string.format('%.0f', tonumber(c.relayed) + 1))
redis.call('HSET', meta, unpack(changes))
return {'OK', 'new'}
