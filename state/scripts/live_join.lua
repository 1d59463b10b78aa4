-- A socket signs in: its seat on the node, the counts of account and address, and the
-- player's record change together.
-- KEYS: nodes, node, account, address, player
-- ARGV: node id, connection, player id, name, account id, address, pid, max per account, max per
--       address
-- Returns {'account'|'address'} when full, else {'ok', sockets of the player, sequence}.
local nodes, node, account, address, player = unpack(KEYS)
local connection = ARGV[2]

if redis.call('HEXISTS', node, connection) == 1 then
  local record = redis.call('HMGET', player, 'sockets', 'seq')
  return {'ok', tonumber(record[1]), tonumber(record[2])}
end
if tonumber(redis.call('GET', account) or '0') >= tonumber(ARGV[8]) then
  return {'account'}
end
if tonumber(redis.call('GET', address) or '0') >= tonumber(ARGV[9]) then
  return {'address'}
end

-- A node that was buried while it stood still holds seats again before its next beat.
redis.call('ZADD', nodes, 'NX', now_ms(), ARGV[1])
redis.call('HSET', node, connection, cjson.encode({ARGV[3], ARGV[5], ARGV[6], ARGV[4], ARGV[7]}))
redis.call('INCR', account)
redis.call('INCR', address)
local sockets = redis.call('HINCRBY', player, 'sockets', 1)
if sockets == 1 then
  redis.call('HSET', player, 'status', 'online')
  redis.call('HINCRBY', player, 'seq', 1)
end
redis.call('HSET', player, 's:' .. connection, ARGV[1], 'name', ARGV[4], 'seen', now_ms())
redis.call('PERSIST', player)
return {'ok', sockets, tonumber(redis.call('HGET', player, 'seq'))}
