-- A socket is gone. Only the caller that finds its seat takes it away, so the counts go
-- down once, whoever notices: the node itself, or those that clean up after its death.
-- KEYS: node
-- ARGV: connection, when it went (0: now), key prefix, seconds a record is kept after that
-- Returns nil, or {player, account, name, sockets left, sequence, when}.
local seat = redis.call('HGET', KEYS[1], ARGV[1])
if not seat then
  return false
end
local player_id, account_id, address, name = unpack(cjson.decode(seat))
local at = tonumber(ARGV[2])
if at == 0 then
  at = now_ms()
end

redis.call('HDEL', KEYS[1], ARGV[1])
for _, counter in ipairs({'account:' .. account_id, 'address:' .. address}) do
  if redis.call('DECR', ARGV[3] .. counter) <= 0 then
    redis.call('DEL', ARGV[3] .. counter)
  end
end
local player = ARGV[3] .. 'player:' .. player_id
local sockets = redis.call('HINCRBY', player, 'sockets', -1)
redis.call('HDEL', player, 's:' .. ARGV[1])
redis.call('HSET', player, 'seen', at)
if sockets == 0 then
  redis.call('HINCRBY', player, 'seq', 1)
  redis.call('EXPIRE', player, ARGV[4])
end
return {player_id, account_id, name, sockets, tonumber(redis.call('HGET', player, 'seq')), at}
