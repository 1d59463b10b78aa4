-- A challenge, with everything that stands or falls with it.
-- KEYS: duel, deadlines, challenger's offer, challenger's duel, opponent's duel,
--       opponent's incoming, idempotency key
-- ARGV: duel id, state, deadline, body's hash, answer, seconds the key is kept,
--       open challenges one may have, ms that a stray offer is kept
local seen = redis.call('HMGET', KEYS[7], 'body', 'answer')
if seen[1] then
  return {seen[1] == ARGV[4] and 'seen' or 'mismatch', seen[2]}
end
if redis.call('EXISTS', KEYS[3], KEYS[4]) > 0 then
  return {'busy', 'you'}
end
if redis.call('EXISTS', KEYS[5]) > 0 then
  return {'busy', 'opponent'}
end
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now_ms())
if redis.call('ZCARD', KEYS[6]) >= tonumber(ARGV[7]) then
  return {'crowded'}
end

redis.call('HSET', KEYS[1], 'version', 1, 'state', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[8])
redis.call('ZADD', KEYS[6], ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[6], ARGV[8])
redis.call('HSET', KEYS[7], 'body', ARGV[4], 'answer', ARGV[5])
redis.call('EXPIRE', KEYS[7], ARGV[6])
return {'made'}
