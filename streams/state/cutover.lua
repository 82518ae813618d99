-- A rebuilt state takes the place of the live one: all keys of a shard, or none.
-- KEYS: live meta, outbox, live read model, where that is kept until the shard speaks; made meta; then pairs of keys:
--   made, live.
-- ARGV[1]: the token of the rebuild; then {input topic, the least offset to be silent up to}*
-- The live shard keeps its epoch, its sequence and its outbox: the change stream goes on. Its owner finds another commit
-- than its own, opens the shard anew, and is silent up to where the old state had read.
local live, outbox, made = KEYS[1], KEYS[2], KEYS[5]
if redis.call('HGET', made, 'token') ~= ARGV[1] then return 'GONE' end

local function number(key, field) return tonumber(redis.call('HGET', key, field) or '0') end
local function text(value) return string.format('%.0f', value) end

for i = 2, #ARGV, 2 do
  local offset, silent = 'offset:' .. ARGV[i], 'silent:' .. ARGV[i]
  local before = math.max(number(live, offset), number(live, silent), tonumber(ARGV[i + 1]))
  redis.call('HSET', live, offset, text(number(made, offset)), silent, text(before))
end
local told = number(made, 'told')
if number(live, 'sequence') < told then
  redis.call('HSET', live, 'sequence', text(told), 'relayed', text(told))
  redis.call('UNLINK', outbox)
end
local silent_before = redis.call('HEXISTS', live, 'told') == 1
redis.call('HSET', live, 'told', text(told), 'commit', 'rebuild:' .. ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 1 and not silent_before then
  redis.call('UNLINK', KEYS[4])
  redis.call('RENAME', KEYS[3], KEYS[4])
end
-- All of it was judged by one version of the definitions, and has been swept.
for _, field in ipairs({'version', 'cut_over', 'sweep', 'swept'}) do
  local value = redis.call('HGET', made, field)
  if value then redis.call('HSET', live, field, value) end
end
for i = 6, #KEYS, 2 do
  redis.call('UNLINK', KEYS[i + 1])
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('RENAME', KEYS[i], KEYS[i + 1]) end
end
redis.call('UNLINK', made)
return 'OK'
