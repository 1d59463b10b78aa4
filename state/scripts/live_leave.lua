-- A socket is gone. Only the caller that finds its seat taken makes it empty, so the counts go
-- down once, whoever notices: the node itself, or those that clean up after its death.
-- An empty seat stays until somebody says that all who are concerned were told; who was to do
-- that and did not, died or lost our answer: it is for the next one to ask.
-- KEYS: node
-- ARGV: connection, when it went (0: now), key prefix, seconds a record is kept after that,
--       ms for the caller to tell of it (0: nobody has to be told)
-- Returns nil, or {player, account, name, sockets left, sequence, when}.
local node, connection = KEYS[1], ARGV[1]
local patience = tonumber(ARGV[5])
local found = redis.call('HGET', node, connection)
local seat = found and cjson.decode(found)
if not seat or seat.left and seat.ask_at > now_ms() then
  return false
end

if not seat.left then
  local player_id, account_id, address, name, pid = unpack(seat)
  local at = tonumber(ARGV[2])
  if at == 0 then
    at = now_ms()
  end
  for _, counter in ipairs({'account:' .. account_id, 'address:' .. address}) do
    if redis.call('DECR', ARGV[3] .. counter) <= 0 then
      redis.call('DEL', ARGV[3] .. counter)
    end
  end
  local player = ARGV[3] .. 'player:' .. player_id
  local sockets = redis.call('HINCRBY', player, 'sockets', -1)
  redis.call('HDEL', player, 's:' .. connection)
  redis.call('HSET', player, 'seen', at)
  if sockets == 0 then
    redis.call('HINCRBY', player, 'seq', 1)
    redis.call('EXPIRE', player, ARGV[4])
  end
  local sequence = tonumber(redis.call('HGET', player, 'seq'))
  seat = {left = {player_id, account_id, name, sockets, sequence, at}, pid = pid}
end

if patience == 0 then
  redis.call('HDEL', node, connection)
else
  seat.ask_at = now_ms() + patience
  redis.call('HSET', node, connection, cjson.encode(seat))
end
return seat.left
