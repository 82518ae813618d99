-- What a silent shard writes beside its commits. See streams/shard/silence.py.
-- KEYS: meta, told, outbox, before. ARGV: epoch, then what to do:
--   remember, HSET or HSETNX, then {customer, what subscribers were told}*
--   hush, told, relayed, the least number of customers written down, then {topic, offset}*
--   speak, the mark of the latest commit
local meta, told = KEYS[1], KEYS[2]
local epoch = redis.call('HGET', meta, 'epoch')
if epoch ~= ARGV[1] then
  if epoch and tonumber(epoch) > tonumber(ARGV[1]) then return {'FENCED', epoch} end
  return {'STALE', 'epoch ' .. tostring(epoch)}
end
if ARGV[2] == 'remember' then
  for i = 4, #ARGV, 2 do redis.call(ARGV[3], told, ARGV[i], ARGV[i + 1]) end
elseif ARGV[2] == 'hush' then
  local written = redis.call('HLEN', told)
  if written < tonumber(ARGV[5]) then return {'STALE', written .. ' written down'} end
  redis.call('HSET', meta, 'told', ARGV[3], 'sequence', ARGV[3], 'relayed', ARGV[4])
  for i = 6, #ARGV, 2 do redis.call('HSET', meta, 'silent:' .. ARGV[i], ARGV[i + 1]) end
  redis.call('XTRIM', KEYS[3], 'MINID', string.format('%.0f', tonumber(ARGV[4]) + 1))
else
  local mark = redis.call('HGET', meta, 'commit') or ''
  if mark ~= ARGV[3] then return {'STALE', 'commit ' .. mark} end
  for _, field in ipairs(redis.call('HKEYS', meta)) do
    if field == 'told' or string.sub(field, 1, 7) == 'silent:' then redis.call('HDEL', meta, field) end
  end
  redis.call('UNLINK', told, KEYS[4])
end
return {'OK', ''}
