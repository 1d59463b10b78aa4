-- Somebody comes back with a pid: his session is his again if it is, and if it is in time.
-- KEYS: session, last, epoch
-- ARGV: player, connection, epoch and id of his offset ('' for none), window in ms
-- Returns nil, or {sid, connection before, id to go on from, ms he left ('' if unknown), fields…}.
local fields = redis.call('HGETALL', KEYS[1])
local kept = {}
for i = 1, #fields, 2 do
  kept[fields[i]] = fields[i + 1]
end
local epoch = redis.call('GET', KEYS[3])
if kept.player ~= ARGV[1] or kept.epoch ~= epoch then
  return false
end
if ARGV[3] ~= '' and ARGV[3] ~= epoch then
  return false
end
if kept.left and now_ms() - tonumber(kept.left) > tonumber(ARGV[5]) then
  return false
end
local from = ARGV[4] ~= '' and ARGV[4] or kept.start
if tonumber(from) > tonumber(redis.call('GET', KEYS[2]) or '0') then
  return false
end
redis.call('HSET', KEYS[1], 'connection', ARGV[2])
redis.call('HDEL', KEYS[1], 'left')
redis.call('PERSIST', KEYS[1])
return {kept.sid, kept.connection, from, kept.left or '', fields}
