-- Somebody comes back with a pid: his session is his again if it is, and if it is in time.
-- KEYS: session, last, epoch
-- ARGV: player, connection, epoch and id of his offset ('' for none), window in ms, ms after
--       which silence is noticed, when he was last there if nobody noted it ('' if unknown)
-- Returns nil; the connection that he seems to be on still; or {sid, connection before,
-- epoch, id to go on from, ms up to which he has everything, fields…}.
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
if tonumber(ARGV[4] ~= '' and ARGV[4] or '0') > tonumber(redis.call('GET', KEYS[2]) or '0') then
  return false
end
local left = tonumber(kept.left or ARGV[7])
if not left then
  return kept.connection
end
if now_ms() - left > tonumber(ARGV[5]) then
  return false
end
-- What was sent before the last ping that he answered, he has. On a connection too young for
-- that, what was sent may be lost, and only the proof of the one before it holds.
local proven = tonumber(kept.proven or '0')
if tonumber(kept.since) <= left - ARGV[6] then
  proven = left - ARGV[6]
end
redis.call('HSET', KEYS[1], 'connection', ARGV[2], 'since', now_ms(), 'proven', proven)
redis.call('HDEL', KEYS[1], 'left')
redis.call('PERSIST', KEYS[1])
local from = ARGV[4] ~= '' and ARGV[4] or kept.start
return {kept.sid, kept.connection, epoch, from, proven, fields}
