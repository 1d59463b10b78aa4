-- A player begins to wait, unless he does already.
-- KEYS: queue, ticket
-- ARGV: player, ticket id, name, account, rating, stake, sequence of his presence
-- Returns {state before ('' for none), since when he waits, with which stake}.
local state, since, stake = unpack(redis.call('HMGET', KEYS[2], 'state', 'since', 'stake'))
if state then
  return {state, tonumber(since), tonumber(stake)}
end
since = now_ms()
redis.call('HSET', KEYS[2], 'state', 'waiting', 'since', since, 'id', ARGV[2], 'name', ARGV[3],
  'account', ARGV[4], 'rating', ARGV[5], 'stake', ARGV[6], 'seq', ARGV[7])
redis.call('ZADD', KEYS[1], since, ARGV[1])
return {'', since, tonumber(ARGV[6])}
